"""What Dagster shows of monitoring."""

from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import MONITORING

defs = stage_definitions(MONITORING)
