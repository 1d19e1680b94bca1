"""What every stage writes beside its outputs, and the job that brings the whole flow up to date."""

import dagster as dg

from fraud_platform.orchestration import tags
from fraud_platform.orchestration.outputs import topic_output
from fraud_platform.orchestration.stage import drained_assets
from fraud_platform.topology import Topic

_accounts = drained_assets(
    "drain_all_stages",
    [topic_output(Topic.LEDGER), topic_output(Topic.DEAD_LETTERS)],
    group="accounting",
    owner=None,
)

catch_up = dg.define_asset_job(
    "catch_up",
    # Curated assets go by the hour, and checks have schedules of their own.
    selection=(dg.AssetSelection.all() - dg.AssetSelection.groups("banks", "curated", "replay")).without_checks(),
    description="Drains every stage in flow order; waits for live slots to pass the end if there are any.",
    tags={tags.BATCH: "catch-up"},
)

defs = dg.Definitions(assets=[_accounts], jobs=[catch_up])
