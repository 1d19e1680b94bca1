"""Turn each fraudulent transaction into one result row and its two users.

Reads: fraudulent-transactions
Writes: fraudulent-transactions-result, users
Guarantee: one outcome per input offset, in one Kafka transaction: a row and two users, or a dead letter.
Runs as: op `run_projection`, kept alive by sensor `keep_projection_running`.
Without Dagster: `python -m fraud_platform.runtime projection`.
"""
