"""The keepers' switches as an instance stores them; works without a webserver or a code server.

Dagster finds a sensor's state by location, repository and name, so a state that we write for a sensor that
has never run is the one that its daemon will read.
"""

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

LOCATION = "fraud_platform"
REPOSITORY = "__repository__"
OFF_MARK = "Switched off: "
"""A keeper that switches itself off begins its last words with this."""
SETTLING_S, LOOK_S = 1.0, 0.1
"""So long a switch is looked after. At a tick's start and after its end the daemon reads a sensor's state and stores it
with the tick's marks, milliseconds later on a quiet machine; what is set between the two is lost."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One sensor's switch. `on_by_default` holds while nobody has ever touched it."""

    instance: DagsterInstance
    sensor: str
    on_by_default: bool = True

    @property
    def is_on(self) -> bool:
        """Whether the daemon evaluates the sensor."""
        state = self._state()
        if state is None or state.status is InstigatorStatus.DECLARED_IN_CODE:
            return self.on_by_default
        return state.status is InstigatorStatus.RUNNING

    @property
    def was_touched(self) -> bool:
        """Whether anybody has ever switched it."""
        state = self._state()
        return state is not None and state.status is not InstigatorStatus.DECLARED_IN_CODE

    @property
    def cursor(self) -> str:
        """What the sensor remembers; empty before its first tick."""
        state = self._state()
        data = state.instigator_data if state else None
        return (data.cursor or "") if isinstance(data, SensorInstigatorData) else ""

    @property
    def last_words(self) -> str:
        """Why the sensor switched itself off; empty when it did not."""
        ticks = self.instance.get_ticks(self._origin().get_id(), self._empty().selector_id, limit=1)
        reason = (ticks[0].skip_reason or "") if ticks else ""
        return reason.removeprefix(OFF_MARK) if reason.startswith(OFF_MARK) else ""

    def on(self) -> None:
        """Switch on now; what ended before this moment no longer counts against the stage."""
        switch_on([self])

    def off(self, *, unless_on_since: float | None = None) -> bool:
        """Switch off; runs go on. Whether it is off now: a switch that was set on after `unless_on_since` stays on."""
        if unless_on_since is not None and self.on_since > unless_on_since:
            return False
        switch_off([self])
        return not self.is_on

    @property
    def on_since(self) -> float:
        """Unix time when it was last switched on; 0 when it never was."""
        state = self._state()
        data = state.instigator_data if state else None
        return (data.last_sensor_start_timestamp or 0.0) if isinstance(data, SensorInstigatorData) else 0.0

    def _state(self) -> InstigatorState | None:
        return self.instance.get_instigator_state(self._origin().get_id(), self._empty().selector_id)

    def write(self, status: InstigatorStatus) -> None:
        """Store the status once, whoever else stores the sensor's state; `on` and `off` see to it that it stays."""
        stored = self._state()
        state = (stored or self._empty()).with_status(status)
        data = state.instigator_data if isinstance(state.instigator_data, SensorInstigatorData) else None
        if status is InstigatorStatus.RUNNING:
            state = state.with_data((data or SensorInstigatorData())._replace(last_sensor_start_timestamp=time.time()))
        if stored is None:
            self.instance.add_instigator_state(state)
        else:
            self.instance.update_instigator_state(state)

    def _empty(self) -> InstigatorState:
        return InstigatorState(self._origin(), InstigatorType.SENSOR, InstigatorStatus.STOPPED, SensorInstigatorData())

    def _origin(self) -> RemoteInstigatorOrigin:
        location = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=1, location_name=LOCATION)
        return RemoteInstigatorOrigin(
            repository_origin=RemoteRepositoryOrigin(code_location_origin=location, repository_name=REPOSITORY),
            instigator_name=self.sensor,
        )


def switch_on(switches: Iterable[Switch]) -> None:
    """Switch on together those that are off, and set them again where the daemon undoes it."""
    chosen = [switch for switch in switches if not switch.is_on]
    for switch in chosen:
        switch.write(InstigatorStatus.RUNNING)
    for _ in _looks(chosen):
        for switch in chosen:
            if not switch.is_on:
                switch.write(InstigatorStatus.RUNNING)


def switch_off(switches: Iterable[Switch]) -> None:
    """Switch off together those that are on; one that somebody switches on meanwhile stays on."""
    chosen = {switch: switch.on_since for switch in switches if switch.is_on}
    for switch in chosen:
        switch.write(InstigatorStatus.STOPPED)
    for _ in _looks(chosen):
        for switch, on_since in chosen.items():
            if switch.is_on and switch.on_since <= on_since:  # the daemon stores what it read, old times included
                switch.write(InstigatorStatus.STOPPED)


def _looks(chosen: Collection[Switch]) -> Iterator[None]:
    """A look every moment for as long as the daemon may take to undo a switch; none when there is nothing to see."""
    until = time.monotonic() + SETTLING_S
    while chosen and time.monotonic() < until:
        time.sleep(LOOK_S)
        yield
