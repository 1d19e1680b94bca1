"""Tell a person what is wrong: by webhook, by e-mail and in the log.

A sensor per kind of trouble looks at the platform (`failed_runs.py`, `slots.py`, `lag.py`, ...) and names its problems
by a key. The book (`book.py`) turns these into messages: one when a problem begins, one each few hours while it lasts,
one when it is over. The outbox (`outbox.py`) brings them to the channels, and keeps what a channel does not take.
Both live in the sensor's cursor, bounded. Nothing here can hold a stage up, and no message holds personal data.
"""
