"""Which inputs from outside somebody should be sending now."""

from dagster import DagsterInstance

from fraud_platform.orchestration.control import keeper
from fraud_platform.settings import Settings, read_endpoints
from fraud_platform.topology import BANKS, STAGES, TOPICS, Topic


def expected_inputs(settings: Settings, instance: DagsterInstance) -> list[Topic]:
    """Inputs from outside that a stage reads; the embedded Kafka gets them from the demo banks, when these are on."""
    embedded = read_endpoints(settings.data_dir).get("KAFKA_BOOTSTRAP_SERVERS")
    is_embedded = embedded is not None and embedded == settings.kafka_bootstrap_servers
    if is_embedded and not keeper(instance, BANKS).is_on:
        return []
    read = {topic for stage in STAGES.values() for topic in stage.reads}
    return [topic for topic, spec in TOPICS.items() if spec.external and topic in read]
