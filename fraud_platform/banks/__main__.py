"""`python -m fraud_platform.banks`: the demo banks without Dagster; prints its counts as one JSON line."""

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from fraud_platform.banks.loop import Sent, run_banks
from fraud_platform.banks.mix import DEFAULT_MIX, parse_mix
from fraud_platform.errors import ConfigurationError, FraudPlatformError
from fraud_platform.settings import load


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until the count is reached or a signal comes; the exit code is 1 if a record was not confirmed."""
    given = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        sent = _run(given, stopped)
    except FraudPlatformError as error:
        print(error, file=sys.stderr)
        return 1
    print(msgspec.json.encode(report(sent)).decode(), flush=True)
    return 1 if sent.failed else 0


def report(sent: Sent) -> dict[str, object]:
    """The counts of a run as one JSON object."""
    return {
        "transfers": sent.transfers,
        "records_delivered": sent.delivered,
        "records_failed": sent.failed,
        "seconds": round(sent.seconds, 3),
        "transfers_per_second": round(sent.per_second, 1),
        "by_evaluation": dict(sent.by_evaluation),
        "by_scenario": dict(sent.by_scenario),
    }


def _run(given: argparse.Namespace, stopped: threading.Event) -> Sent:
    settings = load()
    rate = None if given.unthrottled else (settings.demo_rate if given.rate is None else given.rate)
    return run_banks(
        settings,
        rate=rate,
        count=given.count,
        seed=given.seed,
        id_seed=given.ids_seed,
        mix=parse_mix(given.mix) if given.mix else DEFAULT_MIX,
        start=_start(given.start) if given.start else None,
        stop=stopped.is_set,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fraud_platform.banks", description=__doc__)
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--rate", type=_rate, help="transfers per second (default: FRAUD_DEMO_RATE)")
    speed.add_argument("--unthrottled", action="store_true", help="as fast as possible")
    parser.add_argument("--count", type=_count, help="how many transfers (default: no end)")
    parser.add_argument("--seed", type=int, default=7, help="fixes the people (default: 7)")
    parser.add_argument("--ids-seed", type=int, help="fixes ids and traffic too (default: new ones each run)")
    parser.add_argument("--mix", help="as in fraudulent=0.1,unidentified=0.7,legitimate=0.2")
    parser.add_argument("--start", help="ISO 8601 time of the first transfer (default: now)")
    return parser


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0; use --unthrottled for no limit")
    return rate


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return count


def _start(text: str) -> datetime:
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError("--start takes an ISO 8601 time, as in 2026-01-31T12:00:00Z.") from None
    return start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)


if __name__ == "__main__":
    sys.exit(main())
