"""What Dagster loads: one line per stage, in flow order.

Loading touches no network and needs no variable.
"""

import dagster as dg

from fraud_platform.alerts import definitions as alerts
from fraud_platform.banks import definitions as banks
from fraud_platform.books import definitions as books
from fraud_platform.catalog import definitions as catalog
from fraud_platform.curated import definitions as curated
from fraud_platform.documents import definitions as documents
from fraud_platform.housekeeping import definitions as housekeeping
from fraud_platform.ingestion import definitions as ingestion
from fraud_platform.lake import definitions as lake
from fraud_platform.live import definitions as live
from fraud_platform.monitoring import definitions as monitoring
from fraud_platform.orchestration import accounting
from fraud_platform.projection import definitions as projection
from fraud_platform.quality import definitions as quality
from fraud_platform.replay import definitions as replay
from fraud_platform.validation import definitions as validation

defs = dg.Definitions.merge(
    banks.defs,
    ingestion.defs,
    projection.defs,
    validation.defs,
    monitoring.defs,
    lake.defs,
    catalog.defs,
    curated.defs,
    documents.defs,
    live.defs,
    replay.defs,
    accounting.defs,
    quality.defs,
    alerts.defs,
    books.defs,
    housekeeping.defs,
    # One after the other: two drains of one stage at once would take the slot from each other.
    dg.Definitions(executor=dg.in_process_executor),
)
