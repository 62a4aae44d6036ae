"""An ablation's figures as pictures."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from workers.jobs.drawing import FAINT, GREY, HATCH, PALE, Line, blank, label_lines, to_svg

CHANCE = 0.5
"""Balanced accuracy of whoever does not look."""
MOST_SHOWN = 12
"""Sizes beyond which a picture shows some of them, evenly spread over their logarithms."""
NOTHING = "No set of units was removed"


class Style(NamedTuple):
    """How one order of removing units is drawn: colours for those who see them, dashes and markers for all."""

    label: str
    color: str
    dashes: Any
    marker: str


STYLES = {
    "most": Style("n most important", "#a6192e", "solid", "o"),
    "random": Style("n random", GREY, (0, (7, 1.5, 1.2, 1.5)), "x"),
    "least": Style("n least important", "#1b6e35", (0, (1, 1.2)), "^"),
    "all_but": Style("all but the n most", "#1f5c99", (0, (4, 1.6)), "s"),
}


def draw_curves(curves: Mapping[str, Any], units: int) -> bytes:
    """Draw what removing sets of units does, by their size: to the class that they matter for, and to all classes.

    Takes `curves` of an ablation's summary; thin lines are those with the threshold chosen anew. Source: Bau et al.,
    PNAS 2020, Fig. 2d.
    """
    with blank(10.4, 4.4) as figure:
        own, every = figure.subplots(1, 2)
        _draw_panel(own, curves, "balanced_accuracy", thin="rechosen_balanced_accuracy")
        own.set_title("Balanced accuracy of the class, mean over classes")
        _draw_panel(every, curves, "all_class_accuracy")
        every.set_title("Accuracy over all classes")
        for panel in (own, every):
            _scale_sizes(panel, _sizes(curves), units)
        figure.supxlabel(_note(curves), fontsize=8, color=GREY)
        return to_svg(figure)


def _note(curves: Mapping[str, Any]) -> str:
    if not _sizes(curves):
        return NOTHING
    meaning = f"{STYLES['all_but'].label}: the others are removed. Band: 90 % of the random sets"
    return f"{meaning}. Thin lines: the threshold chosen anew on the ranking images"


def _sizes(curves: Mapping[str, Any]) -> list[int]:
    return list(curves["sizes"])


def _draw_panel(panel: Axes, curves: Mapping[str, Any], figure: str, thin: str | None = None) -> None:
    lines = []
    for order, style in STYLES.items():
        points = curves[order]
        sizes = [point["size"] for point in points]
        if not sizes:
            continue
        values = _draw_line(panel, sizes, points, figure, style)
        if thin is not None:
            panel.plot(sizes, _values(points, thin), color=style.color, linestyle=style.dashes, linewidth=0.7)
        lines.append(Line(style.label, style.color, sizes[-1], values[-1]))
    lines += _draw_levels(panel, curves["untouched"], figure, thin)
    label_lines(panel, lines)


def _draw_line(
    panel: Axes, sizes: Sequence[int], points: Sequence[Mapping[str, Any]], figure: str, style: Style
) -> list[float]:
    values = _values(points, figure)
    panel.plot(
        sizes,
        values,
        color=style.color,
        linestyle=style.dashes,
        linewidth=1.8,
        marker=style.marker,
        markersize=4.5,
        markevery=_every(sizes),
    )
    if isinstance(points[0][figure], Mapping):
        low, high = ([point[figure][end] for point in points] for end in ("low", "high"))
        panel.fill_between(sizes, low, high, facecolor=PALE, edgecolor=FAINT, hatch=HATCH, linewidth=0.4)
    return values


def _draw_levels(panel: Axes, untouched: Mapping[str, Any], figure: str, thin: str | None) -> list[Line]:
    """Draw what needs no set of units: the untouched network and, for one class against the rest, chance."""
    levels = [("untouched", untouched[figure], 1.2)]
    if thin is not None:
        panel.axhline(untouched[thin], color="black", linewidth=0.5)
        levels.append(("chance", CHANCE, 0.8))
    for name, level, width in levels:
        panel.axhline(level, color="black", linewidth=width, linestyle=(0, (1, 3)) if name == "chance" else "solid")
    return [Line(name, "black", np.inf, level) for name, level, _ in levels]


def _values(points: Sequence[Mapping[str, Any]], figure: str) -> list[float]:
    """A figure of each point; of the random sets its mean."""
    found = [point[figure] for point in points]
    return [value["mean"] if isinstance(value, Mapping) else value for value in found]


def _every(sizes: Sequence[int]) -> list[int]:
    """Places of the points that have a marker: no more than can be told apart."""
    wanted = np.geomspace(sizes[0], sizes[-1], MOST_SHOWN)
    nearest = {int(np.abs(np.asarray(sizes) - size).argmin()) for size in wanted}
    return list(range(len(sizes))) if len(sizes) <= MOST_SHOWN else sorted(nearest)


def _scale_sizes(panel: Axes, sizes: Sequence[int], units: int) -> None:
    panel.set_xscale("log")
    panel.set_xlim(0.85, max(2, sizes[-1] if sizes else units) * 1.12)
    shown = [sizes[place] for place in _every(sizes)] if sizes else [1, units]
    panel.xaxis.set_major_locator(FixedLocator(shown))
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel(f"n, of {units} units")


def draw_distribution(curves: Mapping[str, Any]) -> bytes:
    """Draw how the change of balanced accuracy is distributed over classes, at each size, beside random units.

    Takes `curves` of an ablation's summary, whose points hold quantiles of the changes.
    """
    with blank(8.6, 4.2) as figure:
        panel = figure.subplots()
        shown = _every(_sizes(curves)) if _sizes(curves) else []
        for offset, order, face in ((-0.19, "most", "white"), (0.19, "random", PALE)):
            for position, place in enumerate(shown):
                _draw_box(panel, position + offset, curves[order][place]["spread"], STYLES[order], face)
        panel.axhline(0, color="black", linewidth=0.8)
        _name_boxes(panel, [_sizes(curves)[place] for place in shown])
        note = "Box: middle half of the classes, with their median. Whiskers: 5 to 95 %. Dots: extremes. Diamond: mean"
        figure.supxlabel(note if shown else NOTHING, fontsize=8, color=GREY)
        return to_svg(figure)


def _draw_box(panel: Axes, x: float, spread: Mapping[str, float], style: Style, face: str) -> None:
    hatch = HATCH if style is STYLES["random"] else ""
    low, high = spread["p25"], spread["p75"]
    panel.vlines(x, spread["p05"], spread["p95"], color=style.color, linewidth=1)
    panel.bar(x, high - low, 0.3, low, facecolor=face, edgecolor=style.color, hatch=hatch, zorder=2)
    panel.hlines(spread["median"], x - 0.15, x + 0.15, color=style.color, linewidth=2, zorder=3)
    panel.plot([x, x], [spread["low"], spread["high"]], linestyle="none", marker=".", markersize=4, color=style.color)
    panel.plot(x, spread["mean"], marker="D", markersize=4, color=style.color, markerfacecolor="white", zorder=4)


def _name_boxes(panel: Axes, sizes: Sequence[int]) -> None:
    panel.set_title("Change of a class's balanced accuracy")
    panel.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    panel.set_xlabel("n units removed")
    most, random = STYLES["most"], STYLES["random"]
    handles = [
        Patch(facecolor="white", edgecolor=most.color, label="the n most important to the class"),
        Patch(facecolor=PALE, edgecolor=random.color, hatch=HATCH, label="n random ones"),
    ]
    panel.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderpad=0)


def draw_importance(
    by_importance: Sequence[Mapping[str, Any]],
    counts: Sequence[int],
    ious: Sequence[float] | None,
    correlation: Mapping[str, Any],
) -> bytes:
    """Draw the best IoU of units against the number of classes that they matter for.

    Parameters
    ----------
    by_importance
        For each number of classes `importance`, how many `units` have it, and their `mean_iou`.
    counts, ious
        Of each unit; without IoUs the number of units takes their place.
    correlation
        With `pearson`, {"r", "p_value"}, and `spearman`, {"rho", "p_value"}, either of which may be None.

    Source: Bau et al., PNAS 2020, Fig. 2e.
    """
    with blank(6.6, 4.4) as figure:
        panel = figure.subplots()
        if ious is None:
            _draw_counts(panel, counts)
        else:
            _draw_ious(panel, by_importance, counts, ious)
            panel.set_title(f"IoU of units by importance ({_describe(correlation)})")
        panel.set_xlim(-0.6, max(counts, default=0) + 0.6)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.set_xlabel("classes that have the unit among their 4 most damaging")
        return to_svg(figure)


def _draw_counts(panel: Axes, counts: Sequence[int]) -> None:
    importance, units = np.unique(counts, return_counts=True)
    panel.bar(importance, units, 0.8, facecolor=PALE, edgecolor="black", hatch=HATCH)
    panel.set_title("Units by importance")
    panel.set_ylabel("units")


def _draw_ious(
    panel: Axes, by_importance: Sequence[Mapping[str, Any]], counts: Sequence[int], ious: Sequence[float]
) -> None:
    halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.4}
    panel.plot(counts, ious, linestyle="none", marker=".", markersize=3, color=FAINT, zorder=1)
    known = [group for group in by_importance if group["mean_iou"] is not None]
    areas = [16 * group["units"] ** 0.5 for group in known]
    x, y = [group["importance"] for group in known], [group["mean_iou"] for group in known]
    panel.plot(x, y, color="black", linewidth=0.6, zorder=2)
    panel.scatter(x, y, areas, facecolor="white", edgecolor="black", linewidth=1.2, zorder=3)
    for group, area in zip(known, areas, strict=True):
        at = (group["importance"], group["mean_iou"])
        above = (0, area**0.5 / 2 + 2)
        panel.annotate(str(group["units"]), at, above, textcoords="offset points", ha="center", fontsize=7, bbox=halo)
    panel.set_ylim(bottom=0)
    panel.set_ylabel("best IoU: dots units, rings means (with units)")


def _describe(correlation: Mapping[str, Any]) -> str:
    pearson, spearman = correlation["pearson"], correlation["spearman"]
    parts = [f"r = {pearson['r']:.2f}, {_chance(pearson['p_value'])}"] if pearson else []
    parts += [f"rho = {spearman['rho']:.2f}, {_chance(spearman['p_value'])}"] if spearman else []
    return "; ".join(parts) or "no correlation: one of them does not vary"


def _chance(p_value: float) -> str:
    return f"p = {p_value:.3f}" if p_value >= 0.001 else "p < 0.001"
