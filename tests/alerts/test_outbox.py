"""A channel that is away costs nobody time, and loses little."""

from collections.abc import Sequence

import pytest

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.outbox import (
    LONGEST_ASKED_S,
    LONGEST_PAUSE_S,
    MAX_AGE_S,
    MAX_WAITING,
    Channel,
    Queue,
    deliver,
)
from fraud_platform.alerts.problem import Severity
from fraud_platform.errors import ChannelUnavailable
from tests.alerts.makers import T0, message


class Post(Channel):
    """Takes messages, or refuses them with `fault`."""

    def __init__(self, name: str = "webhook") -> None:
        self.name = name
        self.fault: Exception | None = None
        self.asked = 0
        self.taken: list[Message] = []
        self.sizes: list[int] = []
        self.largest = 1000
        self.told_dropped = 0

    def send(self, messages: Sequence[Message], *, dropped: int = 0) -> None:
        self.asked += 1
        if self.fault:
            raise self.fault
        if len(messages) > self.largest:
            raise ChannelUnavailable("status 413", is_too_large=True)
        self.sizes.append(len(messages))
        self.taken += messages
        self.told_dropped += dropped


class Round:
    def __init__(self, *channels: Post) -> None:
        self.channels = channels
        self.queues: dict[str, Queue] = {}

    def at(self, seconds: float, *messages: Message) -> None:
        self.queues = deliver(self.queues, messages, self.channels, clock=lambda: T0 + seconds)


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def turn(post: Post) -> Round:
    return Round(post)


def test_messages_arrive_together_and_nothing_waits(post: Post, turn: Round) -> None:
    turn.at(0, message(key="a"), message(key="b"))
    assert [each.key for each in post.taken] == ["a", "b"]
    assert post.asked == 1
    assert turn.queues == {"webhook": Queue()}


def test_without_messages_nobody_is_asked(post: Post, turn: Round) -> None:
    turn.at(0)
    assert post.asked == 0


def test_a_refused_message_is_brought_again_later(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    turn.at(0, message())
    turn.at(29)
    assert post.asked == 1
    post.fault = None
    turn.at(30)
    assert [each.key for each in post.taken] == ["lag:lake"]


def test_pauses_double_up_to_five_minutes(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    pauses = []
    now = 0.0
    for n in range(10):
        turn.at(now, *([message()] if n == 0 else []))
        pauses.append(turn.queues["webhook"].next_at - T0 - now)
        now += pauses[-1]
    assert pauses == [30, 60, 120, 240, 300, 300, 300, 300, 300, 300]


def test_a_channel_may_ask_for_a_longer_pause_but_not_for_more_than_an_hour(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("status 429", retry_after_s=90)
    turn.at(0, message())
    assert turn.queues["webhook"].next_at == T0 + 90
    post.fault = ChannelUnavailable("status 429", retry_after_s=1e9)
    turn.at(90)
    assert turn.queues["webhook"].next_at == T0 + 90 + LONGEST_ASKED_S


def test_new_messages_wait_behind_the_old_ones(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    turn.at(0, message(key="a"))
    turn.at(10, message(Kind.RECOVERED, key="a"))
    assert post.asked == 1
    post.fault = None
    turn.at(30)
    assert [each.kind for each in post.taken] == [Kind.RAISED, Kind.RECOVERED]


def test_after_a_delivery_the_next_failure_begins_with_the_short_pause(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    turn.at(0, message())
    post.fault = None
    turn.at(30)
    post.fault = ChannelUnavailable("no connection")
    turn.at(100, message())
    assert turn.queues["webhook"].next_at == T0 + 130


def test_one_channel_does_not_wait_for_another() -> None:
    away, there = Post("webhook"), Post("e-mail")
    away.fault = ChannelUnavailable("no connection")
    turn = Round(away, there)
    turn.at(0, message())
    assert len(there.taken) == 1
    assert turn.queues["e-mail"] == Queue()
    assert len(turn.queues["webhook"].waiting) == 1


def test_the_queue_stays_small_and_counts_what_it_gave_up(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    for n in range(3 * MAX_WAITING):
        turn.at(0, message(key=f"k{n}"))
    assert len(turn.queues["webhook"].waiting) == MAX_WAITING
    post.fault = None
    turn.at(LONGEST_PAUSE_S)
    assert post.taken[-1].key == f"k{3 * MAX_WAITING - 1}"
    assert post.told_dropped == 2 * MAX_WAITING


def test_many_messages_at_once_all_arrive_in_pieces(post: Post, turn: Round) -> None:
    turn.at(0, *[message(key=f"k{n}") for n in range(3 * MAX_WAITING)])
    assert [each.key for each in post.taken] == [f"k{n}" for n in range(3 * MAX_WAITING)]
    assert (set(post.sizes), post.told_dropped) == ({10}, 0)


def test_what_is_too_large_for_a_channel_comes_in_smaller_pieces(post: Post, turn: Round) -> None:
    post.largest = 3
    turn.at(0, *[message(key=f"k{n}") for n in range(9)])
    assert [each.key for each in post.taken] == [f"k{n}" for n in range(9)]
    assert max(post.sizes) <= 3
    post.largest = 0
    turn.at(60, message())
    assert turn.queues["webhook"].why == "status 413"


def test_what_was_taken_before_a_refusal_does_not_come_again(turn: Round, post: Post) -> None:
    times = iter([True, True, False])
    many = [message(key=f"k{n}") for n in range(25)]
    queues = deliver({}, many, [post], clock=lambda: T0, has_time=lambda: next(times))
    assert [each.key for each in queues["webhook"].waiting] == [f"k{n}" for n in range(20, 25)]
    turn.queues = queues
    turn.at(30)
    assert post.taken == many


def test_errors_outlast_warnings_where_not_all_can_wait(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    turn.at(0, message(key="worst"), *[message(key=f"k{n}", severity=Severity.WARNING) for n in range(2 * MAX_WAITING)])
    left = [each.key for each in turn.queues["webhook"].waiting]
    assert (len(left), left[0], left[-1]) == (MAX_WAITING, "worst", f"k{2 * MAX_WAITING - 1}")


def test_news_of_yesterday_is_given_up(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    turn.at(0, message(at=T0))
    turn.at(MAX_AGE_S + 1)
    assert turn.queues["webhook"].waiting == ()
    assert turn.queues["webhook"].dropped == 1


def test_a_defect_of_a_channel_breaks_nothing(post: Post, turn: Round) -> None:
    post.fault = RuntimeError("with https://secret.example in its text")
    turn.at(0, message())
    assert turn.queues["webhook"].why == "a defect of the channel (RuntimeError)"


def test_a_channel_that_is_no_longer_set_loses_its_queue(post: Post, turn: Round) -> None:
    post.fault = ChannelUnavailable("no connection")
    turn.at(0, message())
    assert deliver(turn.queues, [], [Post("log")], clock=lambda: T0) == {"log": Queue()}
