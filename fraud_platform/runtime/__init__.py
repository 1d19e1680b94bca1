"""The exactly-once loop: consume, decide, and commit outputs, dead letters, ledger and offsets as one.

It knows no business. A stage brings a `Handler`: `Transformer` for decide-then-commit, `PlannedSink`
for stores without transactions whose writes are named by the range of offsets that they hold.
Runs as: `python -m fraud_platform.runtime STAGE --slot N`, or as an op of the stage's Dagster job.
"""
