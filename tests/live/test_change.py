"""Publications at a real broker: one after the other whoever makes them, none lost, none half there."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource

from fraud_platform.adapters import rule_set_topic
from fraud_platform.adapters.kafka_config import client_config
from fraud_platform.adapters.rule_set_topic import Overtaken, append, read_history, seed, version
from fraud_platform.adapters.rule_sets import RuleSets, engines
from fraud_platform.adapters.transactions import producer_config
from fraud_platform.errors import BrokerUnavailable, ConfigurationError, FraudPlatformError
from fraud_platform.live.change import publish, rollback
from fraud_platform.rules import files
from fraud_platform.rules.history import History
from fraud_platform.rules.publication import Kind, Publication
from fraud_platform.rules.rule_set import RuleSet
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.rules.publishing import limit, published

pytestmark = pytest.mark.services
Empty = Callable[..., Settings]


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each gave or raised, begun together."""
    found: list[object] = [None] * len(works)
    together = threading.Barrier(len(works))

    def do(place: int, work: Callable[[], object]) -> None:
        together.wait()
        try:
            found[place] = work()
        except FraudPlatformError as error:
            found[place] = error

    threads = [threading.Thread(target=do, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return found


def versions(settings: Settings) -> list[str]:
    return [each.version for each in read_history(settings).publications]


def active(settings: Settings) -> Publication:
    return read_history(settings).require_active()


def test_two_that_seed_an_empty_topic_at_once_publish_the_first_set_once(with_empty_topic: Empty) -> None:
    settings = with_empty_topic()
    found = at_once(lambda: seed(settings), lambda: seed(settings))
    assert not [each for each in found if isinstance(each, Exception)]
    (first,) = read_history(settings).publications
    assert (first.number, first.version, first.kind, first.by) == (
        1, files.load().version, Kind.SEEDED, "fraud-platform",
    )  # fmt: skip


def test_a_file_of_ones_own_seeds_an_empty_topic_only(with_empty_topic: Empty, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(limit(7).canonical())
    settings = with_empty_topic(FRAUD_RULES_FILE=str(path))
    seed(settings)
    path.write_text("rules: [")  # nobody reads it any more
    assert seed(settings) is None
    assert versions(settings) == [limit(7).version]


def test_a_bad_file_of_ones_own_seeds_nothing_and_is_named_with_its_line(
    with_empty_topic: Empty, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("rules:\n  - {id: a}\n")
    settings = with_empty_topic(FRAUD_RULES_FILE=str(path))
    with pytest.raises(ConfigurationError, match=r"mine\.yaml:2: rule a: `action` is missing"):
        seed(settings)
    assert versions(settings) == []


def test_a_follower_of_an_empty_topic_begins_with_the_default_set(with_empty_topic: Empty) -> None:
    follower = RuleSets(with_empty_topic())
    assert follower.current().version == files.load().version
    follower.close()


def test_followers_that_meet_an_empty_topic_at_once_all_begin_with_the_default_set(with_empty_topic: Empty) -> None:
    settings = with_empty_topic()
    followers = at_once(lambda: RuleSets(settings), lambda: RuleSets(settings), lambda: RuleSets(settings))
    found = [each.current().version if isinstance(each, RuleSets) else each for each in followers]
    assert found == [files.load().version] * 3
    for each in followers:
        each.close()  # type: ignore[attr-defined]


def test_a_service_follows_where_kafka_is_known(with_empty_topic: Empty) -> None:
    settings = with_empty_topic()
    engine = engines(settings)
    wanted = publish(settings, limit(91), by="ada").version
    deadline = time.monotonic() + 60
    while engine().rule_set.version != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_rollback_returns_to_the_version_before_and_each_step_is_kept(settings: Settings) -> None:
    first = publish(settings, limit(101), by="ada", note="calm")
    second = publish(settings, limit(102), by="grace")
    back = rollback(settings, by="alan", note="too loud")
    assert (back.version, back.number, back.replaces, back.kind) == (
        first.version, second.number + 1, second.version, Kind.ROLLED_BACK,
    )  # fmt: skip
    assert [(each.by, each.note) for each in read_history(settings).publications[-3:]] == [
        ("ada", "calm"), ("grace", ""), ("alan", "too loud"),
    ]  # fmt: skip
    assert rollback(settings, second.version[:8], by="alan").version == second.version


def test_every_version_stays_readable(settings: Settings) -> None:
    publish(settings, limit(111), by="ada")
    publish(settings, limit(112), by="ada")
    found = version(settings, limit(111).version)
    assert isinstance(found, RuleSet)
    assert found.canonical() == limit(111).canonical()
    with pytest.raises(ConfigurationError, match="There is no rule set of version 'deadbeef'"):
        version(settings, "deadbeef")


def test_the_topic_never_deletes(settings: Settings) -> None:
    topic = ConfigResource(ConfigResource.Type.TOPIC, settings.naming.topic(Topic.RULE_SETS))
    client = AdminClient(client_config(settings))
    (future,) = client.describe_configs([topic]).values()
    assert future.result(60)["cleanup.policy"].value == "compact"
    keys = [each.key for each in read_history(settings).publications]
    assert len(set(keys)) == len(keys)


def test_what_is_active_already_is_not_published_again(settings: Settings) -> None:
    publish(settings, limit(121), by="ada")
    before = versions(settings)
    with pytest.raises(ConfigurationError, match="is active already"):
        publish(settings, limit(121), by="grace")
    with pytest.raises(ConfigurationError, match="is active already"):
        rollback(settings, limit(121).version, by="grace")
    assert versions(settings) == before


def test_nobody_overwrites_what_they_have_not_seen(settings: Settings) -> None:
    seen = publish(settings, limit(131), by="ada")
    publish(settings, limit(132), by="grace")
    with pytest.raises(Overtaken, match=f"is not {seen.version} but {limit(132).version}, published by grace at"):
        publish(settings, limit(133), by="ada", expect=seen.version)
    assert active(settings).version == limit(132).version


def test_of_two_that_publish_at_once_one_succeeds_and_the_other_is_told(settings: Settings) -> None:
    seen = publish(settings, limit(141), by="ada")

    def attempt(number: int) -> Callable[[], object]:
        return lambda: publish(settings, limit(number), by="someone", expect=seen.version)

    found = at_once(attempt(142), attempt(143))
    (done,) = [each for each in found if isinstance(each, Publication)]
    (refused,) = [each for each in found if isinstance(each, Exception)]
    assert isinstance(refused, Overtaken)
    assert active(settings) == done
    assert done.replaces == seen.version


def test_one_that_is_overtaken_between_its_look_and_its_commit_leaves_nothing(settings: Settings) -> None:
    publish(settings, limit(151), by="ada")

    def slow(history: History) -> Publication:
        publish(settings, limit(152), by="grace")
        return published(limit(153), history.active)

    with pytest.raises(Overtaken, match="Somebody else publishes a rule set at this moment"):
        append(settings, slow)
    assert versions(settings)[-2:] == [limit(151).version, limit(152).version]


def test_one_that_dies_with_its_record_written_leaves_nothing_and_holds_nobody_up(settings: Settings) -> None:
    publish(settings, limit(155), by="ada")
    dying = Producer(producer_config(settings, settings.naming.rules_publisher))
    dying.init_transactions(60)
    dying.begin_transaction()
    dying.produce(settings.naming.topic(Topic.RULE_SETS), published(limit(156)).encode(), b"9999")
    assert dying.flush(60) == 0
    publish(settings, limit(157), by="grace")
    assert versions(settings)[-2:] == [limit(155).version, limit(157).version]


def test_a_set_that_kafka_would_not_take_is_refused_before(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(settings, limit(161), by="ada")
    monkeypatch.setattr(rule_set_topic, "_LARGEST", 100)
    with pytest.raises(ConfigurationError, match="The rule set is too large"):
        publish(settings, limit(162), by="ada")
    assert active(settings).version == limit(161).version


def test_a_note_has_an_end(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="longer than 500 characters"):
        publish(settings, limit(171), by="ada", note="x" * 501)


def test_without_kafka_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_set_topic, "TIMEOUT_S", 0.2)
    away = Settings.from_environment({}, embedded={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    with pytest.raises(BrokerUnavailable, match="Kafka did not confirm the rule set"):
        publish(away, limit(1), by="ada")
