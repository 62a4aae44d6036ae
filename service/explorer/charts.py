"""Drawings of figures as numbers for SVG; what they mean stands beside them in a table."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from service.painting.masks import Mask

WIDTH, HEIGHT = 640, 240
MARGIN_LEFT, MARGIN_BOTTOM, MARGIN_TOP, MARGIN_RIGHT = 48, 34, 12, 16
BAR = 240
"""Width of a bar that stands for the largest number."""
TICKS = 5


class Segment(NamedTuple):
    """A part of a bar."""

    category: str
    units: int
    x: float
    width: float


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    text: str


class Column(NamedTuple):
    """A bin of a histogram: the shares of images with the concept and of those without it that fall into it."""

    x: float
    width: float
    shown: float
    hidden: float
    counts: tuple[int, int]
    edges: tuple[float, float]


class Mark(NamedTuple):
    """A value that is pointed out on an axis."""

    at: float
    text: str


class Histogram(NamedTuple):
    """Peaks of a unit, drawn; heights are of shares, those with the concept upwards, those without it downwards."""

    columns: Sequence[Column]
    ticks: Sequence[Tick]
    marks: Sequence[Mark]
    middle: float


class Line(NamedTuple):
    """A line through points, `points` as SVG writes them."""

    name: str
    points: str


class Curves(NamedTuple):
    """What removing more and more units does, drawn: lines, the band of random sets, axes."""

    lines: Sequence[Line]
    band: str
    across: Sequence[Tick]
    upwards: Sequence[Tick]
    untouched: float


class Whisker(NamedTuple):
    """A change with its interval, drawn from a middle line: where it is, from where to where it may be."""

    at: float
    low: float
    high: float


class Cells(NamedTuple):
    """Cells of a layer's map side by side, from a column and a row on."""

    x: int
    y: int
    width: int


def draw_cells(mask: Mapping[str, Any], height: int, width: int) -> list[Cells]:
    """The cells of a map (height, width) that a stroke's mask over the picture touches, row by row."""
    of_picture = Mask(mask["size"][0], mask["size"][1], mask["runs"])
    touched = of_picture.scaled(height, width).pixels()
    found = []
    for y, row in enumerate(touched.tolist()):
        ends = [x for x in range(width + 1) if (x < width and row[x]) != (x > 0 and row[x - 1])]
        found += [Cells(start, y, stop - start) for start, stop in zip(ends[::2], ends[1::2], strict=True)]
    return found


def stack(chart: Sequence[Mapping[str, Any]], most: int) -> list[Segment]:
    """Detectors of a layer by category, in the order they come, as parts of a bar of BAR for `most` detectors."""
    counts: dict[str, int] = {}
    for bar in chart:
        counts[bar["category"]] = counts.get(bar["category"], 0) + bar["units"]
    segments, x = [], 0.0
    for category, count in counts.items():
        width = BAR * count / max(most, 1)
        segments.append(Segment(category, count, x, width))
        x += width
    return segments


def stack_layers(dissected: Mapping[int, Any]) -> dict[int, dict[str, list[Segment]]]:
    """Bars of dissected layers and of their controls beside them, by layer and by the names of the controls."""
    figures = {id: {"": layer.figures, **_controls(layer.figures)} for id, layer in dissected.items()}
    most = max((one["detectors"] for layer in figures.values() for one in layer.values()), default=0)
    return {id: {name: stack(one["chart"], most) for name, one in layer.items()} for id, layer in figures.items()}


def _controls(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The controls that are layers themselves."""
    return {name: control for name, control in (figures.get("controls") or {}).items() if "chart" in control}


def draw_unit(unit: Mapping[str, Any]) -> Histogram | None:
    """Draw the peaks of a unit as its page shows them, with its threshold and where its label's error rates meet."""
    if unit["histogram"] is None or len(unit["histogram"]["edges"]) < 2:
        return None
    label = unit["labels"][0] if unit["labels"] else {}
    marks = {"threshold": unit["threshold"], "equal errors": label.get("equal_error_threshold")}
    return draw_histogram(unit["histogram"], marks)


def draw_histogram(found: Mapping[str, Any], marks: Mapping[str, float | None]) -> Histogram:
    """Draw how a unit's peaks are distributed; `marks` are values by their names."""
    edges, shown, hidden = found["edges"], found["shown"], found["hidden"]
    of_shown, of_hidden = _shares(shown), _shares(hidden)
    scale = (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM) / max(max(of_shown) + max(of_hidden), 1e-9)
    middle = MARGIN_TOP + scale * max(of_shown)
    axis = _axis(edges[0], edges[-1])
    columns = [
        Column(axis(a), axis(b) - axis(a), scale * of_shown[i], scale * of_hidden[i], (shown[i], hidden[i]), (a, b))
        for i, (a, b) in enumerate(pairwise(edges))
    ]
    given = {name: at for name, at in marks.items() if at is not None and edges[0] <= at <= edges[-1]}
    steps = [edges[0] + (edges[-1] - edges[0]) * i / TICKS for i in range(TICKS + 1)]
    ticks = [Tick(axis(value), f"{value:.3g}") for value in steps]
    return Histogram(columns, ticks, [Mark(axis(at), f"{name} {at:.3g}") for name, at in given.items()], middle)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]


def _axis(low: float, high: float) -> Any:
    span = (high - low) or 1.0
    return lambda value: MARGIN_LEFT + (WIDTH - MARGIN_LEFT - MARGIN_RIGHT) * (value - low) / span


def draw_curves(curves: Mapping[str, Any] | None) -> Curves | None:
    """Draw the balanced accuracy that is left by the number of units removed, sizes on a logarithmic axis."""
    if not curves or not curves["most"]:
        return None
    sizes = [point["size"] for point in curves["most"]]
    across = _axis(0.0, math.log2(max(sizes)) if max(sizes) > 1 else 1.0)
    figures = {name: [point["balanced_accuracy"] for point in curves[name]] for name in ("most", "least", "all_but")}
    bands = [point["balanced_accuracy"] for point in curves["random"]]
    untouched = curves["untouched"]["balanced_accuracy"]
    values = [untouched, *(v for line in figures.values() for v in line), *(b[end] for b in bands for end in b)]
    low, high = math.floor(10 * min(values)) / 10, math.ceil(10 * max(values)) / 10
    up = _upwards(low, high)
    places = [across(math.log2(size)) for size in sizes]
    lines = [Line(name, _points(places, map(up, line))) for name, line in figures.items()]
    lines.append(Line("random", _points(places, [up(band["mean"]) for band in bands])))
    edge = [*zip(places, bands, ["high"] * len(bands), strict=True)]
    back = [*zip(places[::-1], bands[::-1], ["low"] * len(bands), strict=True)]
    band = " ".join(f"{x:.1f},{up(found[end]):.1f}" for x, found, end in [*edge, *back])
    steps = [low + i * 0.1 for i in range(round((high - low) / 0.1) + 1)]
    ticks = [Tick(place, str(size)) for place, size in zip(places, sizes, strict=True)]
    return Curves(lines, band, _apart(ticks), [Tick(up(value), f"{value:.1f}") for value in steps], up(untouched))


def _upwards(low: float, high: float) -> Any:
    span = (high - low) or 1.0
    return lambda value: HEIGHT - MARGIN_BOTTOM - (HEIGHT - MARGIN_TOP - MARGIN_BOTTOM) * (value - low) / span


def _points(places: Sequence[float], heights: Any) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(places, heights, strict=True))


def _apart(ticks: Sequence[Tick], distance: float = 22.0) -> list[Tick]:
    """Those of the ticks whose texts have room."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= distance:
            kept.append(tick)
    return kept


def draw_changes(rows: Sequence[Mapping[str, Any]], name: str) -> list[Whisker]:
    """Draw a figure of each row with its interval, side by side on one scale of 0 to 100 whose middle is 0."""
    ends = [row[f"{name}{end}"] for row in rows for end in ("", "_low", "_high")]
    most = max((abs(end) for end in ends if end is not None), default=0.0) or 1.0
    return [_whisker(row, name, most) for row in rows]


def _whisker(row: Mapping[str, Any], name: str, most: float) -> Whisker:
    at, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return Whisker(*(50 + 50 * (at if value is None else value) / most for value in (at, low, high)))
