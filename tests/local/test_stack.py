"""The supervisor over real services: MongoDB and S3, which start within seconds."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import psutil
import pymongo
import pytest

from fraud_platform.errors import ConfigurationError
from fraud_platform.local import process
from fraud_platform.local.folder import read_json, write_json
from fraud_platform.local.stack import Stack, start_stack
from fraud_platform.local.state import Phase, Status
from fraud_platform.local.supervisor import ALREADY_RUNS

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]
SERVICES = ("mongod", "s3")


def start(data_dir: Path, services: tuple[str, ...] = SERVICES) -> Stack:
    stack = start_stack(data_dir, services=services, prefer_defaults=False, while_pid=os.getpid())
    stack.wait_ready()
    return stack


def kill_supervisor(stack: Stack) -> int:
    pid = stack.state.supervisor_pid
    assert pid is not None
    supervisor = psutil.Process(pid)
    supervisor.kill()
    supervisor.wait(60)
    return pid


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: stack.state.services[name].pid for name in SERVICES}


def processes(stack: Stack) -> list[str]:
    return [name for name, _ in process.of_stack(stack.folder.root)]


@pytest.fixture
def stack(shared_folder: Path) -> Stack:
    """A running stack; the folder is the module's, so most tests find it running already."""
    return start(shared_folder)


@pytest.fixture(scope="module")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    # A space in the path, as in many home folders.
    folder = tmp_path_factory.mktemp("a stack")
    yield folder
    Stack.of(folder).stop()


@pytest.fixture
def documents(stack: Stack) -> Iterator[pymongo.collection.Collection[dict[str, object]]]:
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        stack.endpoints["MONGODB_URI"], w="majority", serverSelectionTimeoutMS=30_000
    )
    yield client["test"]["documents"]
    client.close()


def test_ready_means_that_mongodb_takes_majority_writes(
    documents: pymongo.collection.Collection[dict[str, object]],
) -> None:
    assert documents.insert_one({"a": 1}).acknowledged


def test_ready_means_that_the_bucket_stores_objects(stack: Stack) -> None:
    settings = stack.settings()
    secret = settings.local_s3_secret_key
    assert secret is not None
    s3 = boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.local_s3_access_key,
        aws_secret_access_key=secret.get_secret_value(),
        region_name=settings.aws_region,
    )
    s3.put_object(Bucket=settings.lake_bucket, Key="a/b", Body=b"content")
    assert s3.get_object(Bucket=settings.lake_bucket, Key="a/b")["Body"].read() == b"content"


def test_starting_again_changes_nothing(stack: Stack, shared_folder: Path) -> None:
    before = (stack.state.supervisor_pid, pids(stack))
    again = start(shared_folder)
    assert (again.state.supervisor_pid, pids(again)) == before


def test_a_killed_service_is_started_again_and_the_state_says_so(stack: Stack) -> None:
    restarts = stack.state.services["s3"].restarts
    killed = stack.kill("s3")
    stack.wait_restarted("s3", killed)
    seen = stack.state.services["s3"]
    assert (seen.restarts, seen.last_exit) == (restarts + 1, -signal.SIGKILL)
    assert "s3: ended by itself (signal SIGKILL)" in stack.folder.log("supervisor").read_text()


def test_a_held_service_stays_down_and_comes_back(stack: Stack) -> None:
    with stack.held_down("s3"):
        assert stack.state.services["s3"].pid is None
    stack.wait_ready("s3")


def test_the_services_outlive_a_killed_supervisor_and_are_taken_over(stack: Stack, shared_folder: Path) -> None:
    before = pids(stack)
    killed = kill_supervisor(stack)
    assert not stack.is_supervised
    again = start(shared_folder)
    assert again.state.supervisor_pid != killed
    assert pids(again) == before


def test_a_new_supervisor_mends_what_died_meanwhile(stack: Stack, shared_folder: Path) -> None:
    before = pids(stack)
    kill_supervisor(stack)
    s3 = psutil.Process(before["s3"])
    stack.kill("s3")
    psutil.wait_procs([s3], timeout=60)
    after = pids(start(shared_folder))
    assert after["mongod"] == before["mongod"]
    assert after["s3"] not in (None, before["s3"])


def test_a_start_that_was_killed_at_once_is_taken_up_by_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        stack = start_stack(tmp_path, services=SERVICES, prefer_defaults=False, while_pid=os.getpid())
        kill_supervisor(stack)
    stack = start(tmp_path)
    assert sorted(name for name in processes(stack) if name) == sorted([*SERVICES, "supervisor"])
    stack.stop()
    assert processes(stack) == []


def test_a_second_supervisor_is_refused_in_one_sentence(stack: Stack, shared_folder: Path) -> None:
    command = [sys.executable, "-m", "fraud_platform.local.supervisor", "--data-dir", str(shared_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == ALREADY_RUNS
    assert done.stderr == f"A supervisor already runs for {shared_folder}; `make down` stops it.\n"


def test_a_service_that_is_not_wanted_any_more_is_stopped(stack: Stack, shared_folder: Path) -> None:
    before = pids(stack)
    smaller = start(shared_folder, ("mongod",))
    assert smaller.state.services["mongod"].pid == before["mongod"]
    assert "s3" not in processes(smaller)


def test_ports_are_kept_when_free_and_given_up_when_taken(
    stack: Stack, shared_folder: Path, documents: pymongo.collection.Collection[dict[str, object]]
) -> None:
    documents.replace_one({"_id": "kept"}, {"kept": True}, upsert=True)
    documents.database.client.close()  # which asks its server, and waits for one that is gone
    before = read_json(stack.folder.ports)
    stack.stop()
    with socket.create_server(("127.0.0.1", before["mongod"])):
        after = read_json(start(shared_folder).folder.ports)
    assert after["s3"] == before["s3"]
    assert after["mongod"] != before["mongod"]
    with pymongo.MongoClient(stack.endpoints["MONGODB_URI"], w="majority") as moved:
        assert moved["test"]["documents"].find_one({"_id": "kept"}) == {"_id": "kept", "kept": True}
        assert moved["test"]["documents"].insert_one({}).acknowledged


def test_stop_leaves_no_process(stack: Stack) -> None:
    stack.stop()
    assert processes(stack) == []
    assert stack.state.phase is Phase.STOPPED
    assert {service.status for service in stack.state.services.values()} == {Status.STOPPED}


def test_stop_works_when_the_supervisor_is_dead(stack: Stack) -> None:
    kill_supervisor(stack)
    assert processes(stack)
    stack.stop()
    assert processes(stack) == []


def test_the_stack_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "600"]) as asker:
        try:
            stack = start_stack(tmp_path, services=("s3",), prefer_defaults=False, while_pid=asker.pid)
            stack.wait_ready()
            supervisor = psutil.Process(stack.state.supervisor_pid)
        finally:
            asker.kill()
    supervisor.wait(60)
    assert processes(stack) == []


def test_a_service_that_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "mongod").write_text("a file where the data folder should be")
    stack = start_stack(tmp_path, services=("mongod",), prefer_defaults=False, while_pid=os.getpid())
    with pytest.raises(ConfigurationError, match="mongod does not start: "):
        stack.wait_ready()
    stack.stop()


def test_a_wrong_setting_of_a_port_file_does_not_matter(tmp_path: Path) -> None:
    write_json(tmp_path / "ports.json", {"unknown": 1})
    stack = start(tmp_path, ("s3",))
    stack.stop()
    assert processes(stack) == []
