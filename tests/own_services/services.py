"""A broker, a MongoDB and an S3 as an operations team runs them: locked, and started apart from the platform."""

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from fraud_platform.local import downloads, mongod
from fraud_platform.local.java import java, options
from fraud_platform.local.pins import KAFKA
from fraud_platform.local.probes import answers, broker_serves
from tests.own_services.certificates import Authority
from tests.ports import free_port

SECRETS = {name: secrets.token_hex(12) for name in ("platform", "newcomer", "mongo", "s3")}
WITHIN_S = 120.0
_PR_SET_PDEATHSIG = 1

_BROKER = """\
process.roles=broker,controller
node.id=1
listeners=CLIENT://127.0.0.1:{client},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENT://127.0.0.1:{client},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENT:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INSIDE
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={home}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
message.max.bytes=9437184
ssl.keystore.type=PEM
ssl.keystore.location={certificate}
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


@dataclass(frozen=True)
class OwnServices:
    """Where they listen; `inside` is the broker's door for its administrator."""

    kafka: str
    inside: str
    mongodb: str
    s3: str
    authority: Authority
    stranger: Authority
    bucket: str
    folder: Path

    def environment(self) -> dict[str, str]:
        """The settings of a platform that uses them, as a user writes them."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "platform",
            "KAFKA_SASL_PASSWORD": SECRETS["platform"],
            "KAFKA_SSL_CA_LOCATION": str(self.authority.ca),
            "MONGODB_URI": self.mongodb_uri(SECRETS["mongo"], self.authority.ca),
            "FRAUD_AWS": "aws",
            "FRAUD_LAKE_BUCKET": self.bucket,
            "AWS_ENDPOINT_URL_S3": self.s3,
            "MY_AWS_ACCESS_KEY_ID": "platform",
            "MY_AWS_SECRET_ACCESS_KEY": SECRETS["s3"],
            "FRAUD_LAKE_FLUSH_SECONDS": "1",
            "FRAUD_PII_KEY": "a key for tests",
            "FRAUD_VALIDATOR_URL": "http://127.0.0.1:1/validate",
        }

    def mongodb_uri(self, password: str, ca: Path | None) -> str:
        trust = "" if ca is None else f"&tlsCAFile={ca}"
        return f"mongodb://platform:{password}@{self.mongodb}/?replicaSet=rs0&authSource=admin&tls=true{trust}"


@contextmanager
def own_services(folder: Path) -> Iterator[OwnServices]:
    """All three, gone after the block."""
    authority, stranger = Authority(folder, "authority"), Authority(folder, "stranger")
    ports = [free_port() for _ in range(5)]
    with ExitStack() as stack:
        broker = _kafka(stack, folder / "kafka", ports[:3], authority.server("broker"))
        mongo = _mongod(stack, folder / "mongod", ports[3], authority.server("mongod"), authority.ca)
        s3 = _s3(stack, folder / "s3", ports[4])
        _await(lambda: broker_serves(f"127.0.0.1:{ports[1]}"), broker, folder)
        _await(lambda: _opened(ports[3], authority.ca), mongo, folder)
        _await(lambda: answers(ports[4], "/", status=None), s3, folder)
        kafka, inside, mongodb = (f"127.0.0.1:{ports[n]}" for n in (0, 1, 3))
        yield OwnServices(
            kafka, inside, mongodb, f"http://127.0.0.1:{ports[4]}", authority, stranger, "own-lake", folder
        )


def _kafka(stack: ExitStack, home: Path, ports: list[int], certificate: Path) -> "subprocess.Popen[bytes]":
    (home / "tmp").mkdir(parents=True)
    cache = downloads.cache_dir()
    downloads.ensure(KAFKA, cache=cache)
    program = [str(java()), *options(heap_mib=384, folder=home / "tmp"), "-cp", str(cache / KAFKA.name / "*")]
    names = dict(zip(("client", "inside", "controller"), ports, strict=True))
    (home / "server.properties").write_text(_BROKER.format(home=home, certificate=certificate, **names))
    users = [f"SCRAM-SHA-512=[name={name},password={SECRETS[name]}]" for name in ("platform", "newcomer")]
    scram = [part for user in users for part in ("--add-scram", user)]
    configuration = str(home / "server.properties")
    storage = ["kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", "k" + uuid.uuid4().hex[:21]]
    subprocess.run([*program, *storage, "-c", configuration, *scram], check=True, capture_output=True, timeout=120)
    return _start(stack, home, [*program, "kafka.Kafka", configuration])


def _mongod(stack: ExitStack, home: Path, port: int, certificate: Path, ca: Path) -> "subprocess.Popen[bytes]":
    (home / "data").mkdir(parents=True)
    key = home / "members.key"
    key.write_text(secrets.token_hex(64))
    key.chmod(0o600)
    tls = ("--tlsMode", "requireTLS", "--tlsCertificateKeyFile", str(certificate), "--tlsCAFile", str(ca))
    lock = ("--tlsAllowConnectionsWithoutCertificates", "--keyFile", str(key), "--replSet", "rs0")
    where = ("--dbpath", str(home / "data"), "--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket")
    quick = ("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100", "--wiredTigerCacheSizeGB", "0.25")
    return _start(stack, home, [mongod.program(), *where, *tls, *lock, *quick, "--oplogSize", "64"])


def _opened(port: int, ca: Path) -> bool:
    """Forms the replica set and makes the user, as far as it has got."""
    trust: dict[str, Any] = {"tls": True, "tlsCAFile": str(ca), "directConnection": True}
    with MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=1000, **trust) as client:
        try:
            if not client.admin.command("hello").get("isWritablePrimary"):
                client.admin.command(
                    "replSetInitiate", {"_id": "rs0", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}
                )
                return False
            client.admin.command("createUser", "platform", pwd=SECRETS["mongo"], roles=["readWriteAnyDatabase"])
        except PyMongoError:
            return False
    return True


def _s3(stack: ExitStack, home: Path, port: int) -> "subprocess.Popen[bytes]":
    (home / "own-lake").mkdir(parents=True)
    command = [str(Path(sys.executable).parent / "rclone"), "serve", "s3", str(home)]
    key = {"RCLONE_AUTH_KEY": f'"platform,{SECRETS["s3"]}"'}
    return _start(stack, home, [*command, "--addr", f"127.0.0.1:{port}", "--config", ""], key)


def _start(
    stack: ExitStack, home: Path, command: list[str], more: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    log = stack.enter_context((home.parent / f"{home.name}.log").open("wb"))
    environment = {**os.environ, **(more or {})}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, preexec_fn=_die_with_parent)  # noqa: PLW1509
    stack.callback(_end, process)
    return process


def _die_with_parent() -> None:
    """Nothing outlives a test run that was killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait(20)


def _await(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not ready():
        logs = {path.name: path.read_text(errors="replace")[-1500:] for path in folder.glob("*.log")}
        assert process.poll() is None, logs
        assert time.monotonic() < deadline, logs
        time.sleep(0.1)
