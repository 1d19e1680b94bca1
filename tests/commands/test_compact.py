"""`fraud-platform compact` as a person sees it."""

import io

import pytest
from rich.console import Console

from fraud_platform.commands.compact import show
from fraud_platform.curated.compaction import Compacted
from tests.commands.conftest import Run

DONE = Compacted("curated_users", ("2026-01-01", "07"), 360, 2_400_000, 1, 100_080, 76_400, 0.62, True)


def printed(*hours: Compacted) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    return show(hours, console), console.file.getvalue()  # type: ignore[attr-defined]


def test_an_hour_is_a_line() -> None:
    code, text = printed(DONE)
    assert code == 0
    (line,) = [line for line in text.splitlines() if "curated_users" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "curated_users", "2026-01-01 07", "360", "1", "100,080", "2,400", "76", "0.62",
    ]  # fmt: skip
    assert "1 hours compacted" in text


def test_nothing_to_do_is_said() -> None:
    assert printed() == (0, "Nothing is due: every closed hour is compacted.\n")


@pytest.mark.parametrize(
    ("trouble", "words"),
    [({"left_out": (("a/b.avro", "no Avro"),)}, "a/b.avro: no Avro"), ({"gone": ("a/c.avro",)}, "a/c.avro: gone or")],
)
def test_trouble_is_named_and_exits_1(trouble: dict[str, object], words: str) -> None:
    code, text = printed(Compacted(**{name: getattr(DONE, name) for name in DONE.__struct_fields__} | trouble))  # type: ignore[arg-type]
    assert code == 1
    assert words in text


def test_without_a_platform_it_says_what_to_do(run: Run) -> None:
    result = run("compact")
    assert result.exit_code == 1
    assert "make up" in result.stderr
