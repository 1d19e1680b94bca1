import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from fraud_platform.adapters.reader import TopicReader
from fraud_platform.commands.send import send
from fraud_platform.errors import BrokerUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests import builders

AWAY = Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=200)


def _shown(screen):
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


def _received(settings, since):
    with TopicReader(settings, Topic.BANK_TRANSACTIONS) as reader:
        ends = {partition: end for partition, (_, end) in reader.bounds().items()}
        return list(reader.read(since, ends))


@pytest.fixture
def since(platform_settings):
    with TopicReader(platform_settings, Topic.BANK_TRANSACTIONS) as reader:
        return {partition: end for partition, (_, end) in reader.bounds().items()}


@pytest.mark.services
def test_each_line_arrives_as_it_was_written_keyed_by_the_sender(platform_settings, since, screen, tmp_path):
    lines = [builders.raw(f"t-{n}", sender_bank_account=f"ACC-{n}", extra="  kept  ") for n in range(50)]
    file = tmp_path / "transfers.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\r\n\r\n")
    assert send(platform_settings, str(file), screen) == 0
    received = _received(platform_settings, since)
    assert sorted(record.value for record in received) == sorted(lines)
    assert all(record.key.decode() == json.loads(record.value)["sender_bank_account"] for record in received)
    assert _shown(screen)[-1] == "50 transactions sent"


@pytest.mark.services
def test_bad_lines_are_listed_without_their_values_and_the_good_ones_sent(platform_settings, since, screen, tmp_path):
    bad = [b"{not json", builders.raw(amount="-5"), builders.raw(transaction_id=""), b"[981015407]"]
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(b"\n".join([builders.raw("good-1"), *bad, builders.raw("good-2", evaluation="FRAUD")]))
    assert send(platform_settings, str(file), screen) == 1
    assert {json.loads(record.value)["transaction_id"] for record in _received(platform_settings, since)} == {
        "good-1",
        "good-2",
    }
    shown = _shown(screen)
    assert [line.partition(":")[0] for line in shown if line.startswith("line ")] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
    ]
    assert "line 3: `$.amount` is negative" in shown
    assert shown[-1] == "2 transactions sent, 4 lines not sent"
    assert "981015407" not in "".join(shown)


@pytest.mark.services
def test_a_dash_reads_standard_input(platform_settings, since):
    code = (
        "import sys; from rich.console import Console; from fraud_platform.commands.send import send;"
        "from fraud_platform.settings import Settings;"
        f"settings = Settings(KAFKA_BOOTSTRAP_SERVERS='{platform_settings.kafka_bootstrap_servers}',"
        f" FRAUD_PREFIX='{platform_settings.prefix}');"
        "sys.exit(send(settings, '-', Console()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=builders.raw("piped") + b"\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.decode().strip()) == (0, "1 transaction sent")
    assert [json.loads(r.value)["transaction_id"] for r in _received(platform_settings, since)] == ["piped"]


@pytest.mark.services
def test_an_interrupted_file_says_what_was_sent(platform_settings, since, tmp_path, monkeypatch):
    """Ctrl-C at the second line's complaint: the first line is out and confirmed, the third is not."""
    monkeypatch.setattr("fraud_platform.commands.send.INTERRUPTED_FLUSH_S", 60)

    class Screen(Console):
        def print(self, *objects, **style):
            super().print(*objects, **style)
            if objects and str(objects[0]).startswith("line 2"):
                raise KeyboardInterrupt

    screen = Screen(file=io.StringIO(), width=200)
    file = tmp_path / "long.jsonl"
    file.write_bytes(b"\n".join([builders.raw("first"), b"bad", builders.raw("third")]))
    assert send(platform_settings, str(file), screen) == 130
    assert [json.loads(r.value)["transaction_id"] for r in _received(platform_settings, since)] == ["first"]
    assert _shown(screen)[-1] == "Interrupted: 1 transaction sent, 1 line not sent"


@pytest.mark.services
@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_an_empty_file_is_one_sentence(platform_settings, screen, tmp_path, content):
    file = tmp_path / "empty.jsonl"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"empty\.jsonl is empty: one JSON transaction per line"):
        send(platform_settings, str(file), screen)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("nowhere.jsonl", r"nowhere\.jsonl cannot be read: no such file or directory\."),
        (".", "is a folder; name a file with one JSON transaction per line"),
        ("Lines.CSV", r"Lines\.CSV cannot be read: no such file or directory\."),
    ],
)
def test_what_is_no_file_is_one_sentence(screen, tmp_path, name, says):
    with pytest.raises(ConfigurationError, match=says):
        send(AWAY, str(tmp_path / name), screen)


def test_a_broker_that_is_away_is_one_sentence(screen, tmp_path, monkeypatch):
    monkeypatch.setattr("fraud_platform.commands.send.ANSWER_TIMEOUT_S", 0.3)
    file = tmp_path / "one.jsonl"
    file.write_bytes(builders.raw())
    with pytest.raises(BrokerUnavailable, match="Kafka does not answer"):
        send(AWAY, str(file), screen)
