"""Keep Dagster's own history from growing without end.

Reads and writes: Dagster's storage (SQLite or PostgreSQL)
Guarantee: what a page, a keeper or a check still shows stays, however old; what is cut off is done by the next run.
Runs as: job `clean_history`, once a day. Ticks of sensors and schedules go by `retention` in dagster.yaml.
"""
