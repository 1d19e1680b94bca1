"""What Dagster shows of ingestion."""

from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import INGESTION

defs = stage_definitions(INGESTION)
