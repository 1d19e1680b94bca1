import base64
import re

import pytest

from fraud_platform.orchestration.plot import HEIGHT, WIDTH, plot


def svg(markdown: str) -> str:
    return base64.b64decode(re.search(r"base64,([^)]+)\)", markdown)[1]).decode()


def test_a_plot_is_one_markdown_image_that_says_its_figures() -> None:
    assert plot("lag", [0, 30, 10]).startswith("![lag: now 10, highest 30](data:image/svg+xml;base64,")


def test_the_line_begins_left_and_ends_right_inside_the_picture() -> None:
    points = re.search(r'points="([^"]+)"', svg(plot("rate", [0, 5, 10, 5])))[1].split()
    xs, ys = zip(*((int(x), int(y)) for x, y in (point.split(",") for point in points)), strict=True)
    assert list(xs) == sorted(xs)
    assert min(xs) >= 0
    assert max(xs) <= WIDTH
    assert max(ys) <= HEIGHT
    assert ys[2] == min(ys)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_a_line_needs_two_ends(values: list[float]) -> None:
    assert plot("rate", values) == ""


def test_nothing_but_zeros_is_a_flat_line() -> None:
    assert "now 0" in plot("lag", [0, 0, 0])


@pytest.mark.parametrize(
    ("value", "text"), [(0.25, "0.2"), (3, "3"), (999, "999"), (12_345, "12.3k"), (2_500_000, "2.5M")]
)
def test_figures_are_short(value: float, text: str) -> None:
    assert f"now {text}," in plot("rate", [0, value])


def test_two_hours_of_samples_stay_small() -> None:
    assert len(plot("lag", [float(i % 97) for i in range(120)])) < 2_500
