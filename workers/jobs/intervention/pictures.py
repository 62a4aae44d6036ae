"""An intervention's figures as pictures; each takes the figures of all layers, as the job's summary has them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter
from numpy.typing import NDArray

from service.results.interventions.tables import BY_EFFECT, BY_IOU, GIVEN, GREEDY, REMOVE
from workers.analysis.pictures import strip
from workers.jobs.drawing import FAINT, GREY, PALE, Line, blank, label_lines, to_svg

Figures = Sequence[Mapping[str, Any]]


class Style(NamedTuple):
    """How an order is drawn: colours for those who see them, dashes and markers for all."""

    label: str
    color: str
    dashes: Any
    marker: str


STYLES = {
    GIVEN: Style("as listed", "#a6192e", "solid", "o"),
    BY_IOU: Style("by IoU", "#a6192e", "solid", "o"),
    BY_EFFECT: Style("by effect", "#1f5c99", (0, (4, 1.6)), "s"),
    GREEDY: Style("greedy", "#1b6e35", (0, (1, 1.2)), "^"),
}
OTHERS = 4
"""Other concepts whose change is drawn beside the target's."""
MOST_CHANGE = 1.0
"""Of another concept that is drawn: rare ones grow many times over, and would leave the target no room."""
MOST_LAYERS = 12
"""Layers that are shown; of more, the first."""
MOST_CONTEXTS = 12
SMALLEST = 96
"""Pixels of the shorter side of a picture on the sheet, at least."""
COLUMNS = 4
"""Pairs side by side on the sheet."""
GAP = 8


def draw_curves(figures: Figures, params: Mapping[str, Any]) -> bytes:
    """Draw how the target's pixels change with the number of units, with 99 % intervals, beside random sets.

    The thin lines are the other concepts of which most pixels changed, by the first order, of those that at most
    doubled. Source: Bau et al., PNAS 2020, Fig. 4.
    """
    shown = figures[:MOST_LAYERS]
    with blank(7.4, 0.7 + 3.2 * len(shown)) as figure:
        panels: list[Axes] = figure.subplots(len(shown), squeeze=False)[:, 0].tolist()
        for panel, layer in zip(panels, shown, strict=True):
            lines = _draw_orders(panel, layer) + _draw_others(panel, layer, params["order"])
            sizes = sorted({found["size"] for found in layer["sets"]})
            _scale_sizes(panel, sizes, "removed" if params["action"] == REMOVE else "inserted")
            label_lines(panel, lines)
            what = params["target"]["name"] if params["target"] else "each concept"
            panel.set_title(f"{layer['layer']}: change of the pixels of {what}, %")
        figure.supxlabel("Band: random sets of units, the middle 90 % of them", fontsize=8, color=GREY)
        return to_svg(figure)


def _draw_orders(panel: Axes, layer: Mapping[str, Any]) -> list[Line]:
    """The target's change by each order, and by random sets."""
    panel.axhline(0, color="black", linewidth=0.6)
    lines = []
    for order, style in STYLES.items():
        points = [found for found in layer["sets"] if found["order"] == order and _known(found["target"])]
        if points:
            _draw_order(panel, points, style)
            last = points[-1]
            lines.append(Line(style.label, style.color, last["size"], 100 * last["target"]["change"]))
    band = {f["size"]: f["target"]["random"] for f in layer["sets"] if _known(f["target"]) and f["target"]["random"]}
    if band:
        sizes = sorted(band)
        low, high = ([100 * band[size][end] for size in sizes] for end in ("change_low", "change_high"))
        panel.fill_between(sizes, low, high, color=PALE, linewidth=0)
        means = [100 * band[size]["change"] for size in sizes]
        panel.plot(sizes, means, color=GREY, linestyle=(0, (1, 2.5)), marker=".", markersize=3)
        lines.append(Line("random", GREY, sizes[-1], means[-1]))
    return lines


def _known(target: Mapping[str, Any] | None) -> bool:
    return target is not None and target["change"] is not None


def _draw_order(panel: Axes, points: Sequence[Mapping[str, Any]], style: Style) -> None:
    sizes, changes = [point["size"] for point in points], [100 * point["target"]["change"] for point in points]
    panel.plot(sizes, changes, color=style.color, linestyle=style.dashes, marker=style.marker, markersize=4)
    for size, change, point in zip(sizes, changes, points, strict=True):
        low, high = point["target"]["change_low"], point["target"]["change_high"]
        if low is not None:
            ends = [[change - 100 * low], [100 * high - change]]
            panel.errorbar(size, change, np.maximum(ends, 0), color=style.color, capsize=2, linewidth=0.9)


def _draw_others(panel: Axes, layer: Mapping[str, Any], order: str) -> list[Line]:
    """The other concepts of which most pixels changed by the order's largest set."""
    points = [found for found in layer["sets"] if found["order"] == order]
    drawable = [other for other in points[-1]["others"] if _known(other) and other["change"] <= MOST_CHANGE]
    lines = []
    for other in drawable[:OTHERS]:
        curve = [(p["size"], 100 * o["change"]) for p in points for o in p["others"] if _same(o, other) and _known(o)]
        panel.plot(*zip(*curve, strict=True), color=FAINT, linewidth=0.9)
        lines.append(Line(other["concept"], GREY, *curve[-1]))
    return lines


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return bool((a["category"], a["concept"]) == (b["category"], b["concept"]))


def _scale_sizes(panel: Axes, sizes: Sequence[int], done: str) -> None:
    panel.set_xscale("log")
    panel.set_xlim(0.9 * sizes[0], max(2, sizes[-1]) * 1.1)
    panel.xaxis.set_major_locator(FixedLocator(list(sizes)))
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel(f"n units {done}")


def draw_cells(figures: Figures, params: Mapping[str, Any]) -> bytes:
    """Draw where changing units at one cell worked: at which cells, and by what the cell showed before.

    Source: Bau et al., PNAS 2020, on inserting doors.
    """
    shown = [layer for layer in figures if layer["cells"]][:MOST_LAYERS]
    with blank(8.2, 0.7 + 3.4 * len(shown)) as figure:
        for (cells, contexts), layer in zip(figure.subplots(len(shown), 2, squeeze=False), shown, strict=True):
            found = layer["cells"][-1]
            _draw_map(cells, found)
            cells.set_title(f"{layer['layer']}: pixels of {params['target']['name']} that one cell brings")
            _draw_contexts(contexts, found)
        figure.supxlabel("Bars: mean and standard error; pale where samples are too few", fontsize=8, color=GREY)
        return to_svg(figure)


def _draw_map(panel: Axes, found: Mapping[str, Any]) -> None:
    values = np.array(found["pixels"])
    limit = max(1e-9, float(np.abs(values).max()))
    image = panel.imshow(values, cmap="RdGy_r", vmin=-limit, vmax=limit)
    panel.figure.colorbar(image, ax=panel, shrink=0.8)
    panel.set_xticks([])
    panel.set_yticks([])


def _draw_contexts(panel: Axes, found: Mapping[str, Any]) -> None:
    most = sorted(found["contexts"], key=lambda row: -row["samples"])[:MOST_CONTEXTS]
    rows = sorted(most, key=lambda row: row["pixels"])
    for place, row in enumerate(rows):
        color = "#a6192e" if row["sufficient"] else PALE
        panel.barh(place, row["pixels"], color=color, edgecolor="black", linewidth=0.6, xerr=row["standard_error"])
    panel.axvline(0, color="black", linewidth=0.6)
    panel.set_yticks(range(len(rows)), [f"{row['concept']} ({row['samples']})" for row in rows], fontsize=7)
    panel.set_title("by what is there, cells in brackets")


def sheet(pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Lay out pictures (H, W, 3) before and after, a pair beside a pair, on white."""
    shown = [strip([_enlarged(picture) for picture in pair]) for pair in pairs]
    empty = np.full_like(shown[0], 255)
    rows = [shown[start : start + COLUMNS] for start in range(0, len(shown), COLUMNS)]
    laid = [_spaced([*row, *[empty] * (min(COLUMNS, len(shown)) - len(row))], axis=1) for row in rows]
    return _spaced(laid, axis=0)


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(1, round(SMALLEST / min(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _spaced(pictures: Sequence[NDArray[np.uint8]], axis: int) -> NDArray[np.uint8]:
    widths = [(0, 0), (0, 0), (0, 0)]
    widths[axis] = (0, GAP)
    padded = [np.pad(picture, widths, constant_values=255) for picture in pictures[:-1]]
    return np.concatenate([*padded, pictures[-1]], axis=axis)
