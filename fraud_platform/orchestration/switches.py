"""The keepers' switches as an instance stores them; works without a webserver or a code server.

Dagster finds a sensor's state by location, repository and name, so a state that we write for a sensor that
has never run is the one that its daemon will read.
"""

import math
import time
from dataclasses import dataclass

from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorTick,
    SensorInstigatorData,
)

LOCATION = "fraud_platform"
REPOSITORY = "__repository__"
OFF_MARK = "Switched off: "
"""A keeper that switches itself off begins its last words with this."""
SETTLING_S, LOOK_S = 1.0, 0.1
"""So long after a tick's start or end the daemon may be storing the sensor's state; milliseconds on a quiet machine."""


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
    def last_words(self) -> str:
        """Why the sensor switched itself off; empty when it did not."""
        tick = self._last_tick()
        reason = (tick.skip_reason or "") if tick else ""
        return reason.removeprefix(OFF_MARK) if reason.startswith(OFF_MARK) else ""

    def on(self) -> None:
        """Switch on now; what ended before this moment no longer counts against the stage."""
        if not self.is_on:
            self._set(InstigatorStatus.RUNNING)

    def off(self, *, unless_on_since: float | None = None) -> bool:
        """Switch off; runs go on. Whether it is off now: a switch that was set on after `unless_on_since` stays on."""
        if unless_on_since is not None and self._on_since() > unless_on_since:
            return False
        if self.is_on:
            self._set(InstigatorStatus.STOPPED)
        return True

    def _on_since(self) -> float:
        state = self._state()
        data = state.instigator_data if state else None
        return (data.last_sensor_start_timestamp or 0.0) if isinstance(data, SensorInstigatorData) else 0.0

    def _state(self) -> InstigatorState | None:
        return self.instance.get_instigator_state(self._origin().get_id(), self._empty().selector_id)

    def _last_tick(self) -> InstigatorTick | None:
        ticks = self.instance.get_ticks(self._origin().get_id(), self._empty().selector_id, limit=1)
        return ticks[0] if ticks else None

    def _set(self, status: InstigatorStatus) -> None:
        """Write, and write again what the daemon has undone.

        At a tick's start and once more after its end the daemon reads the sensor's state and stores it with the
        tick's marks; a switch that is set between the two is lost.
        """
        self._write(status)
        while True:
            time.sleep(LOOK_S)
            if self._status() is not status:
                self._write(status)
            elif self._since_tick() > SETTLING_S:
                return

    def _since_tick(self) -> float:
        """Seconds since the last tick began or ended."""
        tick = self._last_tick()
        return time.time() - (tick.end_timestamp or tick.timestamp) if tick else math.inf

    def _status(self) -> InstigatorStatus | None:
        state = self._state()
        return state.status if state else None

    def _write(self, status: InstigatorStatus) -> None:
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
