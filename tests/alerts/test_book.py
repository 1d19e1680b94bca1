"""When a person is told, and how often."""

import pytest

from fraud_platform.alerts.book import GAP_S, MAX_OPEN, MAX_TEXT, MORE, QUIET_S, Book, Kind, Message, advance
from fraud_platform.alerts.problem import Problem, Severity, Sight
from tests.alerts.makers import T0, problem

HOUR = 3600.0


class Story:
    """Looks one after the other, and what was told at each."""

    def __init__(self) -> None:
        self.book = Book()

    def look(self, at: float, *problems: Problem, unsure: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        return [(message.kind.value, message.key) for message in self.messages(at, *problems, unsure=unsure)]

    def messages(self, at: float, *problems: Problem, unsure: tuple[str, ...] = ()) -> list[Message]:
        sight = Sight(problems=problems, unsure=unsure)
        self.book, messages = advance(self.book, sight, now=T0 + at, repeat_s=HOUR)
        return messages


@pytest.fixture
def story() -> Story:
    return Story()


def test_nothing_wrong_is_nothing_told(story: Story) -> None:
    assert story.look(0) == []
    assert story.book.entries == {}


def test_a_problem_is_told_once_while_it_lasts(story: Story) -> None:
    assert story.look(0, problem()) == [("raised", "lag:lake")]
    assert [story.look(60.0 * minute, problem()) for minute in range(1, 60)] == [[]] * 59


def test_it_is_told_again_after_the_repeat_time(story: Story) -> None:
    story.look(0, problem())
    assert story.look(HOUR - 1, problem()) == []
    assert story.look(HOUR, problem()) == [("still there", "lag:lake")]
    assert story.look(HOUR + 60, problem()) == []
    assert story.look(2 * HOUR, problem()) == [("still there", "lag:lake")]


def test_its_end_is_told_once(story: Story) -> None:
    story.look(0, problem())
    assert story.look(60) == []
    assert story.look(120) == [("recovered", "lag:lake")]
    assert story.look(180) == []
    assert story.book.entries == {}


def test_a_recovery_says_when_it_began(story: Story) -> None:
    story.look(0, problem())
    story.look(600)
    (message,) = story.messages(660)
    assert (message.since, message.at) == (T0, T0 + 660)


def test_a_problem_that_comes_and_goes_is_one_conversation(story: Story) -> None:
    told = [story.look(60.0 * minute, *([problem()] if minute % 2 == 0 else [])) for minute in range(20)]
    assert [each for each in told if each] == [[("raised", "lag:lake")]]


def test_a_problem_that_comes_back_later_is_told_anew(story: Story) -> None:
    story.look(0, problem())
    story.look(60)
    story.look(120)
    assert story.look(120 + QUIET_S, problem()) == [("raised", "lag:lake")]
    assert story.book.quiet == {}


def test_a_problem_that_is_back_soon_is_told_once_when_it_stays(story: Story) -> None:
    story.look(0, problem())
    story.look(60)
    story.look(120)
    told = {minute: story.look(60.0 * minute, problem()) for minute in range(3, 30)}
    assert {minute: each for minute, each in told.items() if each} == {17: [("raised", "lag:lake")]}


def test_a_problem_that_was_back_in_the_quiet_only_is_not_told(story: Story) -> None:
    story.look(0, problem())
    story.look(60)
    story.look(120)
    seen = [story.look(60.0 * minute, *([problem()] if minute < 10 else [])) for minute in range(3, 30)]
    assert seen == [[]] * 27


def test_a_short_trouble_is_not_told(story: Story) -> None:
    short = problem(hold_s=60)
    assert story.look(0, short) == []
    assert story.look(30, short) == []
    assert story.look(60) == []
    assert story.book.entries == {}


def test_a_trouble_that_holds_is_told_with_its_beginning(story: Story) -> None:
    long = problem(hold_s=60)
    story.look(0, long)
    (message,) = story.messages(60, long)
    assert (message.kind, message.since) == (Kind.RAISED, T0)


def test_after_a_pause_of_the_looks_a_trouble_must_hold_anew(story: Story) -> None:
    """The platform was down in between: what was seen before says nothing about now."""
    long = problem(hold_s=60)
    story.look(0, long)
    assert story.look(GAP_S + 1, long) == []
    assert story.look(GAP_S + 61, long) == [("raised", "lag:lake")]


def test_after_blind_looks_a_trouble_must_hold_anew(story: Story) -> None:
    long = problem(hold_s=120)
    story.look(0, long)
    for minute in range(1, 8):
        story.book, _ = advance(story.book, Sight(blind="Kafka is away."), now=T0 + 60 * minute, repeat_s=HOUR)
    assert story.look(480, long) == []
    assert story.look(540, long) == []
    assert story.look(600, long) == [("raised", "lag:lake")]


def test_a_pause_does_not_forget_what_was_told(story: Story) -> None:
    story.look(0, problem())
    assert story.look(GAP_S + 1, problem()) == []


def test_what_gets_worse_is_told_at_once(story: Story) -> None:
    story.look(0, problem(severity=Severity.WARNING))
    (message,) = story.messages(60, problem(severity=Severity.ERROR))
    assert (message.kind, message.severity) == (Kind.AGAIN, Severity.ERROR)
    assert story.look(120, problem(severity=Severity.ERROR)) == []


def test_what_gets_better_but_stays_is_not(story: Story) -> None:
    story.look(0, problem(severity=Severity.ERROR))
    assert story.look(60, problem(severity=Severity.WARNING)) == []


def test_what_hovers_about_a_limit_gets_worse_once(story: Story) -> None:
    severities = [Severity.WARNING, Severity.ERROR] * 10
    told = [story.messages(60.0 * n, problem(severity=each)) for n, each in enumerate(severities)]
    assert [len(messages) for messages in told] == [1, 1, *[0] * 18]
    story.look(1200)
    (over,) = story.messages(1260)
    assert over.severity is Severity.ERROR


def test_what_cannot_be_looked_at_neither_begins_nor_ends(story: Story) -> None:
    story.look(0, problem("lag:lake"), problem("slot:lake.0"))
    assert [story.look(60.0 * n, unsure=("lag:",)) for n in (1, 2, 3)] == [[], [("recovered", "slot:lake.0")], []]
    assert set(story.book.entries) == {"lag:lake"}


def test_each_problem_has_a_conversation_of_its_own(story: Story) -> None:
    assert story.look(0, problem("a")) == [("raised", "a")]
    assert story.look(60, problem("a"), problem("b")) == [("raised", "b")]
    assert story.look(120, problem("b")) == []
    assert story.look(180, problem("b")) == [("recovered", "a")]


def test_a_message_tells_the_newest_words(story: Story) -> None:
    story.look(0, problem(title="3 dead letters"))
    (message,) = story.messages(HOUR, problem(title="5 dead letters"))
    assert message.title == "5 dead letters"


def test_the_book_stays_small(story: Story) -> None:
    many = [problem(f"check:{n:04d}", severity=Severity.WARNING) for n in range(1000)]
    told = story.look(0, *many, problem("worst"))
    assert len(told) == len(story.book.entries) == MAX_OPEN
    assert {("raised", "worst"), ("raised", MORE)} <= set(told)
    assert story.book.entries[MORE].title.startswith("902 more")


def test_what_a_person_knows_of_is_not_over_because_worse_came(story: Story) -> None:
    story.look(0, problem("z", severity=Severity.WARNING))
    flood = [problem(f"check:{n:04d}") for n in range(1000)]
    for minute in range(1, 5):
        told = story.look(60.0 * minute, *flood, problem("z", severity=Severity.WARNING))
        assert ("recovered", "z") not in told
    assert len(story.book.entries) == MAX_OPEN


def test_words_are_cut_and_cleaned(story: Story) -> None:
    (message,) = story.messages(0, problem(title="ask ada@bank.example\nnow", text="x" * 10_000))
    assert message.title == "ask *** now"
    assert len(message.text) == MAX_TEXT
