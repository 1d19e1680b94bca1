"""Statement lines and labels, from files to their topics."""

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from fraud_platform.adapters.reader import TopicReader
from fraud_platform.commands.send import send
from fraud_platform.core.statement import canonical_key, parse_statement
from fraud_platform.core.statement_csv import COLUMNS
from fraud_platform.errors import ConfigurationError
from fraud_platform.settings import CHECKOUT, Settings
from fraud_platform.topology import Topic

AWAY = Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
HEADER = ",".join(COLUMNS)
DOCS = CHECKOUT / "docs"


@pytest.fixture
def screen():
    return Console(file=io.StringIO(), width=200)


def _shown(screen):
    return [line.rstrip() for line in screen.file.getvalue().splitlines()]


class _New:
    """What has come to a topic since it was made."""

    def __init__(self, settings, topic):
        self._settings, self._topic = settings, topic
        with TopicReader(settings, topic) as reader:
            self._since = {partition: end for partition, (_, end) in reader.bounds().items()}

    def records(self):
        with TopicReader(self._settings, self._topic) as reader:
            ends = {partition: end for partition, (_, end) in reader.bounds().items()}
            return list(reader.read(self._since, ends))


@pytest.fixture
def lines(platform_settings):
    return _New(platform_settings, Topic.STATEMENTS)


def _row(identity, at, account="409000000001", amount="1", details="x"):
    return f'{identity},{account},{at},0,"{amount}","183,876.79",0,{details},  2026-01-01,Retail,10'


@pytest.mark.services
def test_the_sample_arrives_whole_under_each_account_s_key_and_in_its_order(platform_settings, lines, screen):
    assert send(platform_settings, str(DOCS / "statements.csv"), screen) == 0
    assert _shown(screen)[-1] == "40 statement lines sent"
    records = lines.records()
    assert len(records) == 40
    places, times = {}, {}
    for record in records:
        line = parse_statement(record.value)
        assert record.key == canonical_key(line.account_number, line.bank_id)
        places.setdefault(record.key, set()).add(record.partition)
        times.setdefault(record.key, []).append(line.at)
        assert all(isinstance(value, str) for value in json.loads(record.value).values())
    assert {len(partitions) for partitions in places.values()} == {1}
    assert all(each == sorted(each) for each in times.values())


@pytest.mark.services
def test_bad_rows_are_listed_by_their_line_and_column_and_the_good_ones_sent(
    platform_settings, lines, screen, tmp_path
):
    ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    file = tmp_path / "mixed.csv"
    rows = [
        _row("good-1", "  2026-01-01 12:00:00", amount="1,981.50"),
        _row("bad", "  2026-01-01 12:00:00", amount="-981015407"),
        "",
        _row("bad", "  01/02/2026 12:00"),
        _row("bad", ahead),
        "981015407,1",
        _row("good-2", "2026-01-01T12:00:05+01:00", details='"two\nlines"'),
    ]
    file.write_bytes("\ufeff".encode() + "\r\n".join([HEADER, *rows]).encode())
    assert send(platform_settings, str(file), screen) == 1
    assert {json.loads(record.value)["transactionId"] for record in lines.records()} == {"good-1", "good-2"}
    shown = _shown(screen)
    assert [line for line in shown if line.startswith("line ")] == [
        "line 3: `withdrawal_amt` is negative",
        "line 5: `transaction_timestamp` is not ISO 8601",
        "line 6: `transaction_timestamp` lies more than a day after the record's own time",
        "line 7: the row has 2 cells, the header has 11",
    ]
    assert shown[-1] == "2 statement lines sent, 4 lines not sent"
    assert "981015407" not in "".join(shown)


@pytest.mark.services
def test_sorted_lines_come_in_the_order_of_time(platform_settings, lines, screen, tmp_path):
    file = tmp_path / "upside-down.csv"
    rows = [_row(f"s-{n}", f"2026-01-01 12:00:{n // 2:02d}") for n in reversed(range(40))]
    file.write_text("\n".join([HEADER, *rows]))
    assert send(platform_settings, str(file), screen, sort=True) == 0
    sent = [json.loads(record.value)["transactionId"] for record in sorted(lines.records(), key=lambda r: r.offset)]
    assert sent == [f"s-{n}" for second in range(20) for n in (2 * second + 1, 2 * second)]


@pytest.mark.services
def test_labels_come_from_csv_and_from_json_lines(platform_settings, screen, tmp_path):
    labels = _New(platform_settings, Topic.LABELS)
    assert send(platform_settings, str(DOCS / "statement-labels.csv"), screen, labels=True) == 0
    file = tmp_path / "more.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"transaction_id": 7, "is_fraud": "yes"}\n\n{"transaction_id": "8"}\n')
    assert send(platform_settings, str(file), screen, labels=True) == 1
    found = {record.key.decode(): json.loads(record.value) for record in labels.records()}
    assert len(found) == 8
    assert all(key == label["transaction_id"] for key, label in found.items())
    assert found["4acfca13-efd4-4ed8-bd62-d00f19d74924"]["source"] == "chargeback"
    assert (found["7"]["is_fraud"], found["7"]["source"]) == (True, "file")
    assert datetime.now(UTC) - datetime.fromisoformat(found["7"]["labelled_at"]) < timedelta(minutes=10)
    assert [line for line in _shown(screen) if "sent" in line] == ["7 labels sent", "1 label sent, 1 line not sent"]


@pytest.mark.parametrize(
    ("content", "labels", "says"),
    [
        (b"", False, r"x\.csv: The first line must name the columns transaction_id,account_no,.*; the file is empty\."),
        (b"a;b\n", False, r"x\.csv: The first line .*, separated by commas; none of them is there\."),
        (HEADER.encode().replace(b",bank_id", b""), False, r"x\.csv: The first line .*; missing: bank_id\."),
        (b"transaction_id,fraud\n", True, r"x\.csv: The first line .*; missing: is_fraud\."),
    ],
)
def test_a_wrong_header_is_one_sentence_before_kafka_is_asked(screen, tmp_path, content, labels, says):
    file = tmp_path / "x.csv"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says):
        send(AWAY, str(file), screen, labels=labels)


@pytest.mark.services
def test_a_header_without_rows_is_one_sentence(platform_settings, screen, tmp_path):
    file = tmp_path / "empty.csv"
    file.write_text(f"{HEADER}\n\n")
    with pytest.raises(ConfigurationError, match=r"empty\.csv is empty: a header and one statement line per row is"):
        send(platform_settings, str(file), screen)
