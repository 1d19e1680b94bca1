"""The embedded services of `up` and of the tests: real parts, started and kept alive by one supervisor.

`stack.py` is the way in: it starts a supervisor (`supervisor.py`) for a data folder, which runs the services
that `catalogue.py` lists, one file each. What a stack leaves behind lives in its data folder (`folder.py`).
"""
