"""Route each bank transaction by the bank's own evaluation.

Reads: bank-transactions
Writes: fraudulent-transactions, unidentified-transactions
Guarantee: one outcome per input offset in one Kafka transaction: routed, discarded (counted), or dead letter.
Runs as: op `run_ingestion`, kept alive by sensor `keep_ingestion_running`.
Without Dagster: `python -m fraud_platform.runtime ingestion`.
"""
