"""The demo's banks: customers who send each other money, and a few who should not.

Reads: -
Writes: bank-transactions, transaction.input, labels
Guarantee: at least once, idempotent per run; each transfer and each statement line carries an id of its own
and one label.
Runs as: op `run_banks`, kept alive by sensor `keep_banks_running`.
"""
