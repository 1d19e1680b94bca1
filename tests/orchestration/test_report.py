"""What a long run tells Dagster, and how rarely."""

from collections import Counter
from collections.abc import Callable

import dagster as dg
import pytest

from fraud_platform.core.log import Committed, Partition
from fraud_platform.orchestration.outputs import Output, object_output, topic_output
from fraud_platform.orchestration.report import EVENT_EVERY_S, FIRST_EVENT_S, PLOT_EVERY_S, Reporter
from fraud_platform.orchestration.samples import Sample
from fraud_platform.runtime.worker import Progress, State
from fraud_platform.settings import Settings
from fraud_platform.topology import DEAD_LETTERED, LAKE, PROJECTION, Stage, Topic


class Story:
    """A reporter with a clock in hand and the events it told."""

    def __init__(self, stage: Stage, outputs: list[Output], settings: Settings) -> None:
        self.now = 0.0
        self.events: list[dg.AssetMaterialization] = []
        self.samples: list[Sample] = []
        self.log_event: Callable[[dg.AssetMaterialization], None] = self.events.append
        self.reporter = Reporter(
            stage, outputs, settings, self._log,
            samples=lambda: self.samples, clock=lambda: self.now,
        )  # fmt: skip

    def _log(self, event: dg.AssetMaterialization) -> None:
        self.log_event(event)

    def at(self, second: float, state: State = State.RUNNING, *, read: int = 0, **outcomes: int) -> None:
        self.now = second
        committed = {Partition("users", 0): Committed(read)}
        named = Counter({name.replace("__", ".").replace("_", "-"): n for name, n in outcomes.items()})
        self.reporter.observe(Progress(state, named, committed))

    def told(self) -> list[tuple[str, int]]:
        return [
            (event.asset_key.path[-1], event.metadata.get("dagster/row_count", dg.IntMetadataValue(-1)).value)
            for event in self.events
        ]


@pytest.fixture
def projection(settings: Settings) -> Story:
    outputs = [topic_output(topic) for topic in (Topic.RESULT, Topic.USERS, Topic.DEAD_LETTERS)]
    return Story(PROJECTION, outputs, settings)


@pytest.fixture
def lake(settings: Settings) -> Story:
    return Story(LAKE, [object_output(Topic.USERS)], settings)


def test_nothing_is_told_while_nothing_flows(projection: Story) -> None:
    for second in range(0, 4000, 100):
        projection.at(second)
    assert projection.events == []


def test_the_first_records_are_told_soon(projection: Story) -> None:
    projection.at(FIRST_EVENT_S - 1, accepted__projected=3)
    assert projection.events == []
    projection.at(FIRST_EVENT_S, accepted__projected=5)
    assert projection.told() == [("fraudulent-transactions-result", 5), ("users", 10)]


def test_later_ones_every_five_minutes_with_what_came_since(projection: Story) -> None:
    projection.at(FIRST_EVENT_S, accepted__projected=5)
    projection.events.clear()
    projection.at(FIRST_EVENT_S + EVENT_EVERY_S - 1, accepted__projected=50)
    assert projection.events == []
    projection.at(FIRST_EVENT_S + EVENT_EVERY_S, accepted__projected=65)
    assert projection.told() == [("fraudulent-transactions-result", 60), ("users", 120)]


def test_the_end_is_told_at_once(projection: Story) -> None:
    projection.at(FIRST_EVENT_S, accepted__projected=5)
    projection.events.clear()
    projection.at(FIRST_EVENT_S + 1, State.STOPPED, accepted__projected=6)
    assert projection.told() == [("fraudulent-transactions-result", 1), ("users", 2)]


def test_dead_letters_are_told_as_an_asset_of_their_own(projection: Story) -> None:
    projection.at(FIRST_EVENT_S, dead_lettered=2)
    assert projection.told() == [("dead-letters", 2)]
    assert projection.events[0].metadata["dead_letters_by_this_run"].value == 2
    assert DEAD_LETTERED in projection.events[0].metadata["outcomes"].value


def test_a_sink_tells_how_far_it_came_since_its_own_start(lake: Story) -> None:
    lake.at(FIRST_EVENT_S, read=1000, stored=1)
    assert lake.events == []
    lake.at(FIRST_EVENT_S + 1, read=1040, stored=41)
    assert lake.events[0].metadata["offsets_advanced"].value == 40
    assert lake.events[0].metadata["offsets"].value == {"users/0": 1040}


def test_a_history_that_refuses_events_never_ends_the_stage(projection: Story) -> None:
    def refuse(_: dg.AssetMaterialization) -> None:
        raise RuntimeError("database is locked")

    projection.log_event = refuse
    projection.at(FIRST_EVENT_S, accepted__projected=5)


def test_plots_come_once_an_hour(projection: Story) -> None:
    projection.samples = [Sample(60.0 * i, 100 * i, i) for i in range(60)]
    projection.at(FIRST_EVENT_S, accepted__projected=1)
    projection.at(PLOT_EVERY_S, accepted__projected=2)
    projection.at(PLOT_EVERY_S + EVENT_EVERY_S, accepted__projected=3)
    plots = [event for event in projection.events if "rate_and_lag" in event.metadata]
    assert [event.asset_key.path[-1] for event in plots] == ["fraudulent-transactions-result", "users"]
    assert projection.events[0].metadata["lag"].value == 59
