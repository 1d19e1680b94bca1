"""fraud-validator-api as a supervised service."""

from fraud_platform.local import probes
from fraud_platform.local.service import Service, Site

NAME = "validator"


def describe(site: Site) -> Service:
    """The validator of this stack."""
    port = site.ports[NAME]
    return Service(
        name=NAME,
        command=[
            site.python,
            *("-m", "fraud_platform.validator_api", "--host", "127.0.0.1", "--port", str(port)),
        ],
        address=site.url(NAME),
        probe=lambda: probes.answers(port, "/readyz"),
        ports=(port,),
        environment={"FRAUD_DATA_DIR": str(site.folder.root)},  # where it finds this stack's Kafka
        needs=frozenset({"platform"}),  # its rules lie in a topic
    )
