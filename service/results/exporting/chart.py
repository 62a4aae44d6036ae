"""The bars of a layer's concepts as they are drawn: a bar a concept, categories side by side in the order they come."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

BAR_WIDTH, BAR_STEP = 12, 16
HEIGHT = 120
CHARACTER = 6.2
"""Of a name under a bar, as wide as it is drawn."""


class Bar(NamedTuple):
    """A bar with its place; `middle` is where its name starts."""

    category: str
    concept: str
    units: int
    x: int
    y: float
    height: float
    middle: float


class Chart(NamedTuple):
    """A drawing of this size, with the names below the bars."""

    bars: Sequence[Bar]
    width: int
    base: int
    height: float


def draw(counts: Sequence[Mapping[str, Any]]) -> Chart:
    """Draw the chart of a summary, in its order."""
    tallest = max((count["units"] for count in counts), default=1)
    bars = [_bar(place, count, HEIGHT * count["units"] / tallest) for place, count in enumerate(counts)]
    longest = max((len(bar.concept) for bar in bars), default=0)
    return Chart(bars, BAR_STEP * len(bars) + 20, HEIGHT + 16, HEIGHT + 28 + CHARACTER * longest)


def _bar(place: int, count: Mapping[str, Any], height: float) -> Bar:
    x = 10 + BAR_STEP * place
    return Bar(**count, x=x, y=HEIGHT + 16 - height, height=height, middle=x + BAR_WIDTH / 2 + 4)
