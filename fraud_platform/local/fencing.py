"""After a crash of the broker: let the controller note that it is dead, before it starts again.

Broker and controller are one process here, so after a kill the metadata still say that the broker leads everything.
It then loads its transactions at once, cannot register while its dead self counts as alive, is fenced when that one's
session ends, and takes partitions without a leader for deleted ones: Kafka 4.3.1 skips the commit markers that it was
about to write ("Couldn't find leader endpoint for partitions ..."), and those transactions hang for good. A controller
that runs alone for a moment fences the dead broker first; the new one then registers at once.
"""

import ctypes
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from fraud_platform.local.folder import write_text

_libc = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

TIMEOUT_S = 60.0  # it takes two seconds, and more than twenty on a machine with thirty others at work
STOP_S = 30.0
NOTHING_S = 3.0
"""Several sessions: a broker that was not found stale by then is fenced already."""
_DECIDED, _NOTHING = "Fencing broker", "No stale brokers found"
_WRITING = re.compile(r"Read-write operation (maybeFenceStaleBroker\(\d+\)) will be completed")
_PROPERTIES = """\
process.roles=controller
node.id=1
listeners=CONTROLLER://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{port}
log.dirs={logs}
broker.session.timeout.ms=500
broker.heartbeat.interval.ms=100
"""
_LOGGING = """\
status = warn
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.controller.name = org.apache.kafka.controller.QuorumController
logger.controller.level = debug
logger.replication.name = org.apache.kafka.controller.ReplicationControlManager
logger.replication.level = debug
"""


def crashed(logs: Path) -> bool:
    """Whether a broker worked on these log folders and did not end in order."""
    return (logs / "__cluster_metadata-0").exists() and not (logs / ".kafka_cleanshutdown").exists()


def fence(java: Sequence[str], classpath: Path, home: Path, *, port: int) -> bool:
    """Run the controller alone until its log says that the broker is dead; False when it did not in time.

    Args:
        java: the command that starts a Java program, without its class path.
        classpath: the folder of Kafka's jars.
        home: the broker's folder, with `logs` in it.
        port: the controller's port.
    """
    logs = str(home / "logs").replace("\\", "\\\\")
    write_text(home / "fencing.properties", _PROPERTIES.format(port=port, logs=logs))
    write_text(home / "fencing-log4j2.properties", _LOGGING)
    command = [
        *java,
        f"-Dlog4j2.configurationFile={(home / 'fencing-log4j2.properties').as_uri()}",
        "-cp",
        str(classpath / "*"),
        "kafka.Kafka",
        str(home / "fencing.properties"),
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - one call into the C library that takes no lock
    ) as controller:  # fmt: skip
        timer = threading.Timer(TIMEOUT_S, controller.kill)
        timer.start()
        try:
            return is_fenced(controller.stdout or ())
        finally:
            timer.cancel()
            _end(controller)


def is_fenced(lines: Iterable[str]) -> bool:
    """Whether these lines of a controller say that a fenced broker is in its log, or that there was none to fence.

    It decides, writes, and hears that the log has it, up to a second later: one that ends in between has fenced nobody.
    """
    decided, operation, idle_since = False, "", None
    for line in lines:
        if _DECIDED in line:
            decided = True
        elif decided and (writing := _WRITING.search(line)):
            operation = f"Processed {writing[1]}"
        elif operation and operation in line:
            return True
        elif not decided and _NOTHING in line:
            idle_since = idle_since or time.monotonic()
            if time.monotonic() - idle_since > NOTHING_S:
                return True
    return False


def _die_with_parent() -> None:
    """Left behind by a supervisor that was killed, it would keep the broker's folders locked."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(controller: "subprocess.Popen[str]") -> None:
    controller.terminate()
    try:
        controller.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        controller.kill()
