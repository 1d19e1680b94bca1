"""The banks as a process of their own, against a real broker."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from fraud_platform.adapters.reader import TopicReader
from fraud_platform.banks.loop import run_banks
from fraud_platform.topology import BANKS, Topic
from tests.patience import AT_WORK

pytestmark = pytest.mark.services


def _environment(settings):
    return {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": settings.require("KAFKA_BOOTSTRAP_SERVERS"),
        "FRAUD_PREFIX": settings.prefix,
        "FRAUD_DATA_DIR": str(settings.data_dir),
    }


def _start(settings, *arguments):
    command = [sys.executable, "-m", "fraud_platform.banks", *arguments]
    return subprocess.Popen(
        command, env=_environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _ends(settings, topic):
    with TopicReader(settings, topic) as reader:
        return {partition: end for partition, (_, end) in reader.bounds().items()}


def _read_from(settings, topic, starts):
    with TopicReader(settings, topic) as reader:
        ends = {partition: end for partition, (_, end) in reader.bounds().items()}
        return list(reader.read(starts, ends))


def test_the_asked_number_arrives_with_its_labels_and_the_counts_are_printed(platform_settings):
    before = {topic: _ends(platform_settings, topic) for topic in BANKS.writes}
    out, _ = _start(platform_settings, "--unthrottled", "--count", "3000").communicate(timeout=60)
    counts = json.loads(out)
    assert (counts["transfers"], counts["records_delivered"], counts["records_failed"]) == (3000, 18_000, 0)
    payments, lines, labels = (_read_from(platform_settings, topic, before[topic]) for topic in BANKS.writes)
    ids = {json.loads(record.value)["transaction_id"] for record in payments}
    sides = {json.loads(record.value)["transactionId"] for record in lines}
    assert (len(payments), len(lines), len(ids), len(sides)) == (3000, 6000, 3000, 6000)
    assert ids | sides == {record.key.decode() for record in labels}


def test_equal_seeds_and_start_give_equal_bytes(platform_settings):
    def run():
        before = {topic: _ends(platform_settings, topic) for topic in BANKS.writes}
        arguments = ("--unthrottled", "--count", "200", "--ids-seed", "3", "--start", "2026-01-31T12:00:00Z")
        assert _start(platform_settings, *arguments).wait(60) == 0
        records = [record for topic in BANKS.writes for record in _read_from(platform_settings, topic, before[topic])]
        return sorted((r.topic, r.partition, r.key, r.value) for r in records)

    assert run() == run()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_them_cleanly_with_everything_confirmed(platform_settings, number):
    before = sum(_ends(platform_settings, Topic.LABELS).values())
    process = _start(platform_settings, "--rate", "200")
    deadline = time.monotonic() + 60
    while sum(_ends(platform_settings, Topic.LABELS).values()) == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    asked = time.monotonic()
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert time.monotonic() - asked < 2 * AT_WORK
    counts = json.loads(out)
    assert process.returncode == 0
    assert counts["records_delivered"] == 6 * counts["transfers"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--mix", "fraudulent"), "A mix is a list of evaluations and weights"),
        (("--rate", "0"), "use --unthrottled"),
        (("--start", "soon"), "--start takes an ISO 8601 time"),
    ],
)
def test_a_wrong_option_is_one_sentence(platform_settings, arguments, says):
    process = _start(platform_settings, *arguments)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode != 0
    assert says in complaint
    assert "Traceback" not in complaint


def test_running_banks_stop_within_half_a_second(platform_settings):
    """Asked once records are being confirmed, so that only stopping is timed, not the first connection."""
    confirmed, asked_at = [], []

    def stop():
        if confirmed and confirmed[-1]:
            asked_at.append(time.monotonic())
        return bool(asked_at)

    run_banks(platform_settings, rate=50, stop=stop, observe=lambda sent: confirmed.append(sent.delivered))
    assert time.monotonic() - asked_at[0] < 0.5 * AT_WORK
