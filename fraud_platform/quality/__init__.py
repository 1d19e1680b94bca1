"""Is what lies in the topics whole, fresh, plausible, and read in time? Asset checks, hourly and by hand.

Each check is a pure function over a small view (`reading.py`, `recency.py`, `records.py`, `outcomes.py`, `drift.py`),
with a thin reader that fills the view (`views.py`). A check that fails says what happened and what to do next. None
holds personal data, since alerts pass their words on.
"""
