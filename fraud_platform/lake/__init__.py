"""Write results, users and decisions to S3 as Avro files by hour.

Reads: fraudulent-transactions-result, users, transaction.fraud.result, decisions
Writes: S3 objects, one folder per topic
Guarantee: each input offset is in exactly one object; an object written twice has the same name and bytes.
Runs as: op `run_lake`, kept alive by sensor `keep_lake_running`.
Without Dagster: `python -m fraud_platform.runtime lake`.
"""
