"""Ask fraud-validator-api about each unidentified transaction, and keep every decision.

Reads: unidentified-transactions
Writes: fraudulent-transactions-result, users, decisions
Guarantee: one outcome per input offset, in one Kafka transaction; a validator that is away pauses the stage.
Runs as: op `run_validation`, kept alive by sensor `keep_validation_running`.
Without Dagster: `python -m fraud_platform.runtime validation`.
"""
