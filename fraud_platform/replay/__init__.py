"""The raw log once more through the rule engine, beside the decisions that were stored, and beside the labels.

The same log through the same rule set gives the same decisions: `fraud-platform replay` proves it, or tells what
another rule set would change. Pure: `memory`, `cases`, `book`, `session`, `compare`, `tally`, `report`; `run` reads
the topics.
"""
