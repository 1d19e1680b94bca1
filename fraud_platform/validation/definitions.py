"""What Dagster shows of validation."""

from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import VALIDATION

defs = stage_definitions(VALIDATION)
