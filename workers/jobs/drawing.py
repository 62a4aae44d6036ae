"""What all drawn figures share: SVG legible in black and white, text as text, the same bytes for the same figures."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

SVG_TYPE = "image/svg+xml"
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "unit-atlas",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "hatch.linewidth": 0.4,
}
LABEL_GAP = 0.062
"""Of the height of a panel, between two labels at its right edge."""
GREY, FAINT, PALE = "#555555", "#bbbbbb", "#dddddd"
HATCH = "////"


class Line(NamedTuple):
    """A line that wants a label at its right end."""

    label: str
    color: str
    x: float
    y: float


def label_lines(panel: Axes, lines: Sequence[Line]) -> None:
    """Write each line's name beside its end, lifted where names would overlap."""
    low, high = panel.get_ylim()
    panel.set_ylim(low, high)
    at = blended_transform_factory(panel.transAxes, panel.transData)
    ordered = sorted(lines, key=lambda line: line.y)
    gap = LABEL_GAP * (high - low)
    for line, y in zip(ordered, spread([line.y for line in ordered], gap, low, high), strict=True):
        panel.annotate(
            line.label,
            xy=(1.0, line.y),
            xycoords=at,
            xytext=(1.04, y),
            textcoords=at,
            color=line.color,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": line.color, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 0},
        )


def spread(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ascending values as little as keeps them a gap apart, and within the limits."""
    groups: list[list[float]] = []  # that touch each other, each around its mean
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _centre(groups[-1], gap)[0] < _centre(groups[-2], gap)[-1] + gap:
            last = groups.pop()
            groups[-1] += last
    placed = [y for group in groups for y in _centre(group, gap)]
    floors = low + gap * np.arange(len(placed))
    ceilings = high - gap * np.arange(len(placed))[::-1]
    kept: list[float] = np.minimum(np.maximum(placed, floors), ceilings).tolist()
    return kept


def _centre(group: Sequence[float], gap: float) -> list[float]:
    """Places a gap apart around the mean of the group's values."""
    first = sum(group) / len(group) - gap * (len(group) - 1) / 2
    return [first + gap * place for place in range(len(group))]


@contextmanager
def blank(width: float, height: float) -> Iterator[Figure]:
    """A blank figure of this size in inches, within our settings and none of the machine's."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield Figure(figsize=(width, height), layout="constrained")


def to_svg(figure: Figure) -> bytes:
    """Write a figure, without the date of the day."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
