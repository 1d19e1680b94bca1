"""Keep the newest version of each result, user and decision in MongoDB.

Reads: fraudulent-transactions-result, users, transaction.fraud.result, decisions
Writes: MongoDB collections transactions, users, monitored_transactions, decisions
Guarantee: each id holds the version with the highest offset, however often a record is written.
Runs as: op `run_documents`, kept alive by sensor `keep_documents_running`.
Without Dagster: `python -m fraud_platform.runtime documents`.
"""
