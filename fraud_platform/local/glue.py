"""Glue's API for the catalog: moto's server. What it knows lies in memory; a crawl brings it back."""

from fraud_platform.local import probes
from fraud_platform.local.service import Service, Site

NAME = "glue"


def describe(site: Site) -> Service:
    """The catalog of this stack."""
    port = site.ports[NAME]
    return Service(
        name=NAME,
        command=[site.python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        address=site.url(NAME),
        probe=lambda: probes.answers(port, "/moto-api/"),
        ports=(port,),
        grace_s=2.0,
    )
