"""What Dagster shows of projection."""

from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import PROJECTION

defs = stage_definitions(PROJECTION)
