"""What Dagster sees of the flow, written once for all stages.

`stage_definitions` turns a stage of the topology into a job that never ends, a keeper sensor that keeps it
alive, and assets whose `Materialize` drains the stage. A stage's own `definitions.py` says what is
particular. `control.py` starts and stops stages from outside of Dagster.
"""
