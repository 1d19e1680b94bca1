"""Apache Kafka: one KRaft node that is broker and controller, on the loopback interface only."""

import base64
import logging
import subprocess
import uuid
from pathlib import Path

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import downloads, fencing, probes
from fraud_platform.local.folder import write_text
from fraud_platform.local.java import java, options
from fraud_platform.local.pins import KAFKA
from fraud_platform.local.service import Service, Site
from fraud_platform.topology import MIB

logger = logging.getLogger(__name__)

NAME = "kafka"
HEAP_MIB = 512

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
log.dirs={logs}
num.network.threads=2
num.io.threads=4
log.cleaner.threads=1
num.partitions=4
auto.create.topics.enable=false
message.max.bytes={max_bytes}
replica.fetch.max.bytes={max_bytes}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
offsets.retention.minutes=525600
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=8
# A broker that a busy machine keeps from its own controller must not count as dead: transactions that end just then
# would hang (see fencing.py, which also sees to it that a killed one registers again at once). Default: 9 s, 2 s.
broker.session.timeout.ms=18000
broker.heartbeat.interval.ms=500
# A dead producer's open transaction hides committed records until the next scan (default: 10 s).
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
# One consumer per slot joins at a time; waiting for more would only delay each start by 3 s.
group.initial.rebalance.delay.ms=0
"""
_LOGGING = """\
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
# One line per topic, setting and partition at each start would bury everything else.
""" + "".join(
    f"logger.quiet{number}.name = {name}\nlogger.quiet{number}.level = warn\n"
    for number, name in enumerate((
        "org.apache.kafka.common.config",
        "org.apache.kafka.common.utils.AppInfoParser",
        "org.apache.kafka.controller",
        "org.apache.kafka.coordinator.common.runtime",
        "org.apache.kafka.image",
        "org.apache.kafka.storage.internals.log",
        "kafka.cluster.Partition",
        "state.change.logger",
    ))
)  # fmt: skip


def describe(site: Site) -> Service:
    """The broker of this stack."""
    home = site.folder.root / NAME
    configuration = home / "server.properties"
    return Service(
        name=NAME,
        command=[*_program(site.cache, home), "kafka.Kafka", str(configuration)],
        address=site.address(NAME),
        probe=lambda: probes.broker_serves(site.address(NAME)),
        prepare=lambda: _prepare(site, home),
        ports=(site.ports[NAME], site.ports["kafka-controller"]),
        grace_s=8.0,
        start_timeout_s=240.0,  # after a crash it reads its logs through first, on whatever the machine has left
    )


def _program(cache: Path, home: Path) -> list[str]:
    return [
        str(java()),
        *options(heap_mib=HEAP_MIB, folder=home / "tmp"),
        f"-Dlog4j2.configurationFile={(home / 'log4j2.properties').as_uri()}",
        "-cp",
        str(cache / KAFKA.name / "*"),
    ]


def _prepare(site: Site, home: Path) -> None:
    downloads.ensure(KAFKA, cache=site.cache)
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    logs = home / "logs"
    write_text(home / "log4j2.properties", _LOGGING)
    write_text(
        home / "server.properties",
        _PROPERTIES.format(
            port=site.ports[NAME],
            controller_port=site.ports["kafka-controller"],
            logs=str(logs).replace("\\", "\\\\"),
            max_bytes=9 * MIB,
        ),
    )
    if not (logs / "meta.properties").exists():
        _format(site.cache, home)
    elif fencing.crashed(logs):
        _fence(site, home)


def _fence(site: Site, home: Path) -> None:
    java_command = [str(java()), *options(heap_mib=HEAP_MIB, folder=home / "tmp")]
    port = site.ports["kafka-controller"]
    if not fencing.fence(java_command, site.cache / KAFKA.name, home, port=port):
        logger.warning("kafka: the controller did not fence its dead broker; a transaction may stay open")


def _format(cache: Path, home: Path) -> None:
    # A hyphen at the start would be read as an option.
    cluster_id = "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")[1:]
    done = subprocess.run(
        [
            *_program(cache, home),
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            f"--cluster-id={cluster_id}",
            f"--config={home / 'server.properties'}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line and not line.startswith("\t")]
        reason = said[-1] if said else "no reason given"
        raise ConfigurationError(f"Kafka's storage could not be formatted: {reason}")
