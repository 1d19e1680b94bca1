"""`fraud-platform alerts`: what is wrong now, as the alert sensors have told it, and a test of the channels."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.channels import channels_of
from fraud_platform.alerts.problem import Severity
from fraud_platform.alerts.wording import duration
from fraud_platform.errors import ChannelUnavailable
from fraud_platform.local.folder import Folder
from fraud_platform.settings import Settings

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
    """Open alerts, sensors that are switched off, and what waits for channels that do not take it."""

    alerts: list[OpenAlert]
    switched_off: list[str]
    waiting: Mapping[str, str]


def alerts(settings: Settings, console: Console, *, as_json: bool) -> int:
    """Show the open alerts; returns 1 when there is one."""
    report = look(settings)
    if as_json:
        console.file.write(json.dumps(to_json(report), indent=2) + "\n")
    else:
        _show(report, console)
    return 1 if report.alerts else 0


def look(settings: Settings) -> Report:
    """What the sensors' cursors hold; nothing before the first start."""
    if not Folder(settings.data_dir).dagster_home.exists():
        return Report(alerts=[], switched_off=[], waiting={})
    from fraud_platform.alerts.definitions import SENSORS
    from fraud_platform.alerts.sensor import State
    from fraud_platform.orchestration.control import open_instance
    from fraud_platform.orchestration.switches import Switch

    found: list[OpenAlert] = []
    off: list[str] = []
    waiting: dict[str, str] = {}
    with open_instance(settings) as instance:
        for sensor in SENSORS:
            switch = Switch(instance, sensor.name)
            if not switch.is_on:
                off.append(sensor.name)
                continue
            state = State.of(switch.cursor)
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
    return Report(alerts=sorted(found, key=lambda each: each.since), switched_off=off, waiting=waiting)


def to_json(report: Report) -> dict[str, Any]:
    """The report as JSON types; times are ISO 8601 in UTC."""
    plain = asdict(report)
    for each in plain["alerts"]:
        each |= {name: datetime.fromtimestamp(each[name], UTC).isoformat() for name in ("since", "told_at")}
    return plain


def _show(report: Report, console: Console) -> None:
    if not report.alerts:
        console.print("No alert is open.")
    else:
        console.print(_table(report.alerts))
    for name in report.switched_off:
        console.print(f"{name} is switched off: nobody is told of what it looks for.", style="yellow", highlight=False)
    for name, why in report.waiting.items():
        console.print(f"Messages wait for the {name}: {why}.", style="yellow", markup=False, highlight=False)


def _table(found: list[OpenAlert]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("for")
    table.add_column("what", overflow="fold")
    for each in found:
        what = Text(each.title, style=_STYLES[each.severity]).append(f"\n{each.text}", style="default")
        table.add_row(duration(time.time() - each.since), what)
    return table


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
        else:
            console.print(f"{channel.name}: delivered", highlight=False)
    if not settings.alert_webhook_url and not settings.smtp_host:
        console.print("Only the log is told: set FRAUD_ALERT_WEBHOOK_URL or FRAUD_SMTP_HOST.", highlight=False)
    return 1 if failed else 0
