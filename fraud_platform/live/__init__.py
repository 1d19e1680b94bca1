"""Rule sets change on a running platform: checked, compared, published, taken back; by hand and by Dagster.

The topic that holds them is `adapters/rule_set_topic.py`; consumers follow it with `adapters/rule_sets.py`.
"""
