"""The table of causes quotes what the code says; a sentence that changes in one place must change in the other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fraud_platform
from fraud_platform.settings import CHECKOUT

PACKAGE = Path(fraud_platform.__file__).parent
GAP = "…"


def rows() -> list[list[str]]:
    text = (CHECKOUT / "docs" / "troubleshooting.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def quotes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def sentences() -> Iterator[str]:
    """Every text in the package, with a gap for what is filled in."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


SENTENCES = list(sentences())
QUOTED = [quote for row in rows() for quote in quotes(row[1])]


def test_there_are_ten_causes_with_a_way_out_each():
    assert len(rows()) == 10
    assert all(len(row) == 3 and all(row) for row in rows())


@pytest.mark.parametrize("quote", QUOTED)
def test_what_the_doctor_is_quoted_with_is_what_the_code_says(quote: str):
    wanted = re.compile(".*".join(map(re.escape, quote.split(GAP))), re.DOTALL)
    assert any(wanted.search(sentence) for sentence in SENTENCES), quote


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_settings_that_a_way_out_names_exist(row: list[str]):
    from fraud_platform.settings import Settings

    named = set(re.findall(r"`([A-Z][A-Z_]+)`", row[2]))
    assert named - {"STAGE"} <= set(Settings.environment_names())
