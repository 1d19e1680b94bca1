"""Apply the rules to each statement line and to what its account did before, and keep every decision.

Reads: transaction.input
Writes: transaction.input, transaction.fraud.result, decisions
Guarantee: one outcome per input offset, in one Kafka transaction with what it changed of the account's state, which is
read back from monitoring-state after a kill or a rebalance: the decisions are those of an undisturbed run.
Runs as: op `run_monitoring`, kept alive by sensor `keep_monitoring_running`.
Without Dagster: `python -m fraud_platform.runtime monitoring`.
"""
