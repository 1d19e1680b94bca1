"""`fraud-platform alerts`: what is wrong now, as the alert sensors have told it, and a test of the channels."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.channels import channels_of
from fraud_platform.alerts.problem import Severity
from fraud_platform.alerts.wording import duration
from fraud_platform.errors import ChannelUnavailable, Defect
from fraud_platform.local.folder import Folder
from fraud_platform.settings import Settings

if TYPE_CHECKING:
    from fraud_platform.alerts.sensor import State

STALE_S = 300.0
"""A look that is older says nothing about now."""
HISTORY = "Dagster's history"
_ELSEWHERE = (
    "it is not on this machine; `make up` begins one here, and of a platform that runs elsewhere this command tells"
    " where its Dagster runs (docs/compose.md)"
)
_STYLES = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """One problem that a person has been told of; times are Unix seconds."""

    key: str
    severity: Severity
    title: str
    text: str
    since: float
    told_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Open alerts, sensors that are switched off, what waits for channels, and what is not known, and why."""

    alerts: list[OpenAlert]
    switched_off: list[str]
    waiting: Mapping[str, str]
    not_known: Mapping[str, str]

    @property
    def is_well(self) -> bool:
        """Whether everything that is switched on has looked lately, and found nothing."""
        return not self.alerts and not self.not_known


def alerts(settings: Settings, console: Console, *, as_json: bool) -> int:
    """Show the open alerts; returns 1 when there is one, or when that cannot be known."""
    report = look(settings)
    if as_json:
        console.file.write(json.dumps(to_json(report), indent=2) + "\n")
    else:
        _show(report, console)
    return 0 if report.is_well else 1


def look(settings: Settings) -> Report:
    """What the sensors' cursors hold, wherever this machine's Dagster keeps them."""
    if not Folder(settings.data_dir).dagster_home.exists():
        return Report(alerts=[], switched_off=[], waiting={}, not_known={HISTORY: _ELSEWHERE})
    from fraud_platform.alerts.definitions import SENSORS
    from fraud_platform.alerts.sensor import State
    from fraud_platform.orchestration.control import open_instance
    from fraud_platform.orchestration.switches import Switch

    found: list[OpenAlert] = []
    off: list[str] = []
    waiting: dict[str, str] = {}
    not_known: dict[str, str] = {}
    now = time.time()
    with open_instance(settings) as instance:
        for sensor in SENSORS:
            switch = Switch(instance, sensor.name)
            if not switch.is_on:
                off.append(sensor.name)
                continue
            state = State.of(switch.cursor)
            if why := _why_not_known(state, now):
                not_known[sensor.name] = why
            for key, each in state.book.told.items():
                found.append(
                    OpenAlert(
                        key=key,
                        severity=each.severity,
                        title=each.title,
                        text=each.text,
                        since=each.since,
                        told_at=each.told_at,
                    )
                )
            waiting |= {name: queue.why for name, queue in state.queues.items() if queue.waiting}
    found.sort(key=lambda each: each.since)
    return Report(alerts=found, switched_off=off, waiting=waiting, not_known=not_known)


def _why_not_known(state: "State", now: float) -> str:
    """Why what the sensor knows says nothing about now; empty when it does."""
    looked_at = state.blind_since or state.book.looked_at
    if not looked_at:
        return "it has not looked yet"
    if now - looked_at <= STALE_S:
        return ""
    because = f" ({state.blind.rstrip('.')})" if state.blind else ""
    return f"its last look was {duration(now - looked_at)} ago{because}"


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON types; times are ISO 8601 in UTC."""
    plain = asdict(report)
    for each in plain["alerts"]:
        each |= {name: datetime.fromtimestamp(each[name], UTC).isoformat() for name in ("since", "told_at")}
    return plain


def _show(report: Report, console: Console) -> None:
    if report.alerts:
        console.print(_table(report.alerts))
    elif report.is_well:
        console.print("No alert is open.")
    for why, names in _by_reason(report.not_known).items():
        said = f"Not known: {', '.join(names)}: {why}."
        console.print(said, style="yellow", markup=False, highlight=False)
    if report.not_known and HISTORY not in report.not_known:
        console.print("`fraud-platform status` shows whether Dagster runs.", highlight=False)
    for name in report.switched_off:
        console.print(f"{name} is switched off: nobody is told of what it looks for.", style="yellow", highlight=False)
    for name, why in report.waiting.items():
        console.print(f"Messages wait for the {name}: {why}.", style="yellow", markup=False, highlight=False)


def _by_reason(not_known: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, why in not_known.items():
        found.setdefault(why, []).append(name)
    return found


def _table(found: list[OpenAlert]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("for")
    table.add_column("what", overflow="fold")
    for each in found:
        what = Text(each.title, style=_STYLES[each.severity]).append(f"\n{each.text}", style="default")
        table.add_row(duration(time.time() - each.since), what)
    return table


_TAKEN = {
    "log": "written; the sensors write to the log of dagster-code",
    "webhook": "taken by the receiver; see there whether it shows",
    "e-mail": "taken by the mail server; see whether it arrives",
}


def try_channels(settings: Settings, console: Console) -> int:
    """Send a test message through each channel; returns 1 when one does not take it."""
    now = time.time()
    message = Message(
        kind=Kind.RAISED,
        key="test",
        severity=Severity.WARNING,
        title="This is a test of the alerts",
        text="Nothing is wrong; somebody asked for it with `fraud-platform alerts --test`.",
        since=now,
        at=now,
    )
    failed = False
    for channel in channels_of(settings):
        try:
            channel.send([message])
        except ChannelUnavailable as error:
            failed = True
            console.print(f"{channel.name}: not delivered, {error}", style="red", markup=False, highlight=False)
        except Exception as error:  # noqa: BLE001 - one channel's defect says nothing about the others
            failed = True
            said = str(Defect.of("sending", error))
            console.print(f"{channel.name}: not delivered, {said}", style="red", markup=False, highlight=False)
        else:
            console.print(f"{channel.name}: {_TAKEN.get(channel.name, 'taken')}", highlight=False)
    if not settings.alert_webhook_url and not settings.smtp_host:
        console.print("Only the log is told: set FRAUD_ALERT_WEBHOOK_URL or FRAUD_SMTP_HOST.", highlight=False)
    return 1 if failed else 0
