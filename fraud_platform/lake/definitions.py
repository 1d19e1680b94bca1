"""What Dagster shows of the lake: one asset per topic that it keeps in S3."""

from fraud_platform.orchestration.outputs import object_output
from fraud_platform.orchestration.stage import stage_definitions
from fraud_platform.topology import LAKE

defs = stage_definitions(LAKE, sinks=[object_output(topic) for topic in LAKE.reads])
