"""Keep the platform's books: every record has one outcome, and the stores hold what the topics hold.

Reads: ledger, the stages' topics, committed offsets; MongoDB and the lake, to compare them by id
Writes: collection `_books` in MongoDB, the sealed sums of the ledger; a lost one is made again from the topic
Guarantee: a look may be repeated, interrupted and doubled at will; it reads only ledger records that are new.
Runs as: job `books`, hourly; also by hand, `fraud-platform books`.
"""
