"""The rule engine: rule sets as data, compiled, applied to events with exact sums and bounded state.

Pure but for `files.py`, which reads a rule set from disk, and `registry.py`, which asks Python's own metadata
for criteria. Semantics: docs/rules.md.
"""
