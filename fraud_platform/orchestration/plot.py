"""Small line plots as Markdown images: pure, and a hundredth of the bytes of a bitmap."""

import base64
from collections.abc import Sequence

WIDTH, HEIGHT, TOP, PLOT = 480, 64, 14, 44
_COLOUR = "#4f43dd"


def plot(title: str, values: Sequence[float], *, unit: str = "") -> str:
    """The values as one line from the left (oldest) to the right, scaled from 0 to the highest.

    Returns Markdown with an inline SVG image, a few hundred bytes; an empty string for fewer than two values.
    """
    if len(values) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    top = max(*values, 0.0)
    points = " ".join(f"{x},{y}" for x, y in _points(values, top or 1.0))
    label = f"{title}: now {_short(values[-1])}{unit}, highest {_short(top)}{unit}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<text x="2" y="11" font-family="sans-serif" font-size="11" fill="#777">{_escaped(label)}</text>'
        f'<polyline points="{points}" fill="none" stroke="{_COLOUR}" stroke-width="1.5"/></svg>'
    )
    return f"![{label}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _points(values: Sequence[float], top: float) -> list[tuple[int, int]]:
    last = len(values) - 1
    return [(round(2 + i * (WIDTH - 4) / last), round(TOP + 4 + PLOT * (1 - v / top))) for i, v in enumerate(values)]


def _short(value: float) -> str:
    for size, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if name == 'k' else size):.1f}{name}"
    return f"{value:.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
