"""What a person reads of a replay."""

import io
from datetime import UTC, datetime, timedelta

from rich.console import Console

from fraud_platform.commands.replay import show
from fraud_platform.core.decisions import Action
from fraud_platform.replay.report import Range, Reading, Report, told
from fraud_platform.rules.window import mark
from tests.replay.bench import LARGE, THIRD, Bench, ms, stored

START = datetime(2026, 1, 1, tzinfo=UTC)


def said(bench: Bench, *, rules: str | None = None, waiting: int = 0, scored: bool = False, width: int = 160) -> str:
    reading = Reading("monitoring", "transaction.input", (Range(0, 0, 0, 9, waiting),), START, 7, is_whole=True)
    tally = bench.finished()
    tally.labelled({mark(f"t-{n}"): n == 2 for n in range(4)})
    report = Report(START, START + timedelta(hours=1), rules, (told(reading, tally, is_scored=scored),), 0.5)
    console = Console(file=io.StringIO(), width=width)
    show(report, console)
    # Columns are as wide as what stands in them.
    return "\n".join(" ".join(line.split()) for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]


def test_a_proof_says_what_was_judged_and_that_it_repeats() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("t-0"))
    bench.line("t-0")
    text = said(bench, waiting=3)
    assert "2026-01-01 00:00:00 to 2026-01-01 01:00:00 UTC, judged by the rules that made each decision" in text
    assert "monitoring (transaction.input): 1 judged" in text
    assert f"the same as decided 1 by {LARGE.rule_set.version} (1)" in text
    assert "windows filled before 7 from 2026-01-01 00:00:00, the beginning of the log" in text
    assert "wait for the stage, at most 3" in text
    assert "Every decision that can be compared repeats. 9 offsets in 0.5 s" in text


def test_what_does_not_repeat_is_named() -> None:
    bench = Bench()
    bench.hear(ms(0), stored("t-0", action=Action.REVIEW))
    bench.line("t-0")
    bench.line("t-1", 1)
    text = said(bench)
    assert "differ by the same rules 1 t-0" in text
    assert "have no stored decision 1 t-1" in text
    assert "2 decisions do not repeat" in text


def forecast() -> Bench:
    """Four lines that others let pass; the last two are large. One of these is fraud."""
    bench = Bench(LARGE, labelled=[mark("t-2")])
    for n, amount in enumerate(("5", "7", "1,500", "2,000.50")):
        bench.hear(ms(n), stored(f"t-{n}", THIRD))
        bench.line(f"t-{n}", n, amount)
    return bench


def test_a_forecast_says_what_would_change_by_rule_and_by_money() -> None:
    text = said(forecast(), rules=LARGE.rule_set.version)
    assert f"judged by rule set {LARGE.rule_set.version}" in text
    assert f"the same as decided 2 by {THIRD.rule_set.version} (4)" in text
    assert "would be decided otherwise 2 t-2 ..." in text
    assert "ALLOW -> REVIEW 2 3,500.5" in text
    assert "flagged (REVIEW or BLOCK) 2 3,500.5; 48 a day" in text
    assert "flagged as it was decided 0 -" in text
    assert "rule hits a day newly money for example\nlarge 2 48 2 3,500.5 t-2" in text
    assert "Nothing was changed; this is what these rules would say." in text


def test_with_labels_it_says_how_good_the_rules_are() -> None:
    text = said(forecast(), rules=LARGE.rule_set.version, scored=True)
    assert "labelled fraud: 1 precision 50.0 % (1 of 2 labelled), recall 100.0 %" in text
    assert "precision - (0 of 0 labelled), recall 0.0 %" in text
    assert "large 2 48 2 3,500.5 50.0 % 100.0 % t-2" in text


def test_a_narrow_window_leaves_examples_out() -> None:
    text = said(forecast(), rules=LARGE.rule_set.version, width=40)
    assert "for example" not in text
    assert "large 2 48 2 3,500.5" in text
