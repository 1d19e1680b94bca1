"""What the banks need of a producer, asked of the fake and of the real one."""

import pytest

from fraud_platform.adapters.producer import InputProducer
from fraud_platform.settings import Settings
from fraud_platform.topology import Topic
from tests.fakes.outbox import FakeOutbox


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.services)])
def outbox(request):
    if request.param == "fake":
        return FakeOutbox()
    return InputProducer(request.getfixturevalue("platform_settings"))


@pytest.fixture(params=["fake", "real"])
def deaf_outbox(request):
    """One whose broker never answers; nothing listens on port 1."""
    if request.param == "fake":
        return FakeOutbox(deaf=True)
    return InputProducer(Settings(KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"))


def test_everything_sent_is_confirmed_by_topic_when_it_closes(outbox):
    for number in range(100):
        outbox.send(Topic.BANK_TRANSACTIONS, b"account", b"%d" % number)
    outbox.send(Topic.LABELS, None, b"{}")
    assert outbox.close(10) == 0
    assert outbox.delivered == {Topic.BANK_TRANSACTIONS: 100, Topic.LABELS: 1}
    assert outbox.failed.total() == outbox.backlog == 0


def test_what_was_never_confirmed_counts_as_failed(deaf_outbox):
    deaf_outbox.send(Topic.LABELS, None, b"{}")
    deaf_outbox.send(Topic.LABELS, None, b"{}")
    assert deaf_outbox.backlog == 2
    assert deaf_outbox.close(0.2) == 2
    assert deaf_outbox.failed == {Topic.LABELS: 2}
    assert deaf_outbox.delivered.total() == deaf_outbox.backlog == 0


def test_polling_a_silent_broker_confirms_nothing(deaf_outbox):
    deaf_outbox.send(Topic.LABELS, None, b"{}")
    deaf_outbox.poll(0.05)
    assert deaf_outbox.backlog == 1
