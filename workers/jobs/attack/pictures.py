"""An attack's figures as pictures; each takes the figures of all targets, as the job's summary has them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from workers.jobs.drawing import FAINT, GREY, HATCH, PALE, Line, blank, label_lines, to_svg

Figures = Sequence[Mapping[str, Any]]


class Style(NamedTuple):
    """How a target is drawn: colours for those who see them, dashes and markers for all."""

    color: str
    dashes: Any
    marker: str


STYLES = [
    Style("#a6192e", "solid", "o"),
    Style("#1f5c99", (0, (4, 1.6)), "s"),
    Style("#1b6e35", (0, (1, 1.2)), "^"),
    Style("#7a4b00", (0, (7, 1.5, 1.2, 1.5)), "D"),
    Style("#6a1b7a", (0, (9, 2)), "v"),
    Style("black", (0, (5, 1.2, 1, 1.2, 1, 1.2)), "P"),
]
MANY = Style(FAINT, "solid", "")
"""Of more targets than there are styles."""
RANDOM = (0, (1, 2.5))
GROUPS = {
    "target": ("4 most important of the target class", "#a6192e", ""),
    "source": ("4 most important of the source class", "white", HATCH),
    "others": ("all other units", PALE, ""),
}
BAR = 0.26
"""Width of a group's bar, where targets are 1 apart."""
MOST_TARGETS = 12
"""Targets whose groups are shown."""
MOST_LAYERS = 12
"""Layers that are shown; of more, the first."""
NAMES = {None: "any other class", "least-likely": "least likely class"}
NORMS = {"l2": "L2 distance", "linf": "largest change of a value"}
NOTHING = "There is nothing to show: no image was fooled"


def draw_accuracy(figures: Figures) -> bytes:
    """Draw the share of images that are still taken for what they are, by how much each may be changed."""
    known = [target for target in figures if target["accuracy"]]
    with blank(7.4, 4.2) as figure:
        panel = figure.subplots()
        farthest = max((target["accuracy"]["budgets"][-1] for target in known), default=0.0) or 1.0
        styles = _styles(figures)
        lines = [_draw_accuracy(panel, target, styles[target["target"]], farthest) for target in known]
        panel.set_xlim(0, farthest)
        panel.set_ylim(-0.03, 1.03)
        label_lines(panel, lines if len(figures) <= len(STYLES) else [])
        panel.set_title("Accuracy under attack")
        norms = {NORMS[target["accuracy"]["norm"]] for target in known} or {"distance"}
        panel.set_xlabel(f"{', '.join(sorted(norms))} that is allowed, pixels from 0 to 1")
        figure.supxlabel(_note(known, figures), fontsize=8, color=GREY)
        return to_svg(figure)


def _draw_accuracy(panel: Axes, target: Mapping[str, Any], style: Style, farthest: float) -> Line:
    curve = target["accuracy"]
    budgets, share = [*curve["budgets"], farthest], [*curve["share"], curve["share"][-1]]
    panel.plot(budgets, share, color=style.color, linestyle=style.dashes, linewidth=1.6)
    return Line(_name(target), style.color, farthest, share[-1])


def draw_groups(figures: Figures) -> bytes:
    """Draw how far the peaks of important and of other units changed, with 99 % intervals, by layer and target.

    Source: Bau et al., PNAS 2020, Fig. 5.
    """
    layers = _by_layer(figures, "groups")
    with blank(max(6.4, 2 + 0.9 * min(MOST_TARGETS, len(figures))), 0.9 + 2.7 * max(1, len(layers))) as figure:
        for panel, (name, found) in zip(_panels(figure, len(layers)), layers.items(), strict=False):
            _draw_layer(panel, found[:MOST_TARGETS])
            first = f", first {MOST_TARGETS} of {len(found)} targets" if len(found) > MOST_TARGETS else ""
            panel.set_title(f"{name}: mean change of peak activation, attacked minus original{first}")
        handles = [Patch(facecolor=c, edgecolor="black", hatch=h, label=n) for n, c, h in GROUPS.values()]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
        figure.supxlabel("" if layers else NOTHING, fontsize=8, color=GREY)
        return to_svg(figure)


def _draw_layer(panel: Axes, found: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> None:
    for place, (_, groups) in enumerate(found):
        for offset, name in enumerate(GROUPS, start=-1):
            if groups[name] is not None:
                _draw_bar(panel, place + offset * (BAR + 0.03), groups[name], name)
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set_xticks(range(len(found)), [_name(target) for target, _ in found], rotation=20 if len(found) > 4 else 0)
    panel.set_xlim(-0.6, max(1, len(found)) - 0.4)


def _draw_bar(panel: Axes, x: float, group: Mapping[str, Any], name: str) -> None:
    _, color, hatch = GROUPS[name]
    panel.bar(x, group["mean"], BAR, facecolor=color, edgecolor="black", hatch=hatch, linewidth=0.8)
    if group["low"] is not None:
        ends = [[group["mean"] - group["low"]], [group["high"] - group["mean"]]]
        panel.errorbar(x, group["mean"], ends, color="black", capsize=3, linewidth=1.2, zorder=3)


def draw_silencing(figures: Figures) -> bytes:
    """Draw how often silencing the units moved most brings the prediction back, beside as many random units."""
    layers, styles = _by_layer(figures, "silencing"), _styles(figures)
    with blank(7.4, 0.6 + 3.0 * max(1, len(layers))) as figure:
        for panel, (name, found) in zip(_panels(figure, len(layers)), layers.items(), strict=False):
            lines = [_draw_silenced(panel, target, silenced, styles[target["target"]]) for target, silenced in found]
            panel.set_ylim(-0.03, 1.03)
            label_lines(panel, lines if len(figures) <= len(STYLES) else [])
            _scale_sizes(panel, found[0][1]["sizes"])
            panel.set_title(f"{name}: share of predictions restored")
        many = _note(next(iter(layers.values()), []), figures)
        note = f"Lines: the n units moved most. Fine dots: n random units. {many}" if layers else many
        figure.supxlabel(note, fontsize=8, color=GREY)
        return to_svg(figure)


def _draw_silenced(panel: Axes, target: Mapping[str, Any], silenced: Mapping[str, Any], style: Style) -> Line:
    sizes, most, random = silenced["sizes"], silenced["most_moved"], silenced["random"]
    panel.plot(sizes, random, color=style.color, linestyle=RANDOM, linewidth=1.0, marker=".", markersize=3)
    panel.plot(sizes, most, color=style.color, linestyle=style.dashes, linewidth=1.6, marker=style.marker, markersize=4)
    return Line(_name(target), style.color, sizes[-1], most[-1])


def _scale_sizes(panel: Axes, sizes: Sequence[int]) -> None:
    panel.set_xscale("log")
    panel.set_xlim(0.9, max(2, *sizes) * 1.1)
    panel.xaxis.set_major_locator(FixedLocator(list(sizes)))
    panel.xaxis.set_major_formatter(ScalarFormatter())
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("n units silenced")


def _by_layer(figures: Figures, what: str) -> dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]]:
    """The targets of each shown layer for which a figure is known, with it."""
    layers: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for target in figures:
        for layer in target["layers"]:
            if layer[what]:
                layers.setdefault(layer["layer"], []).append((target, layer[what]))
    return dict(list(layers.items())[:MOST_LAYERS])


def _panels(figure: Figure, layers: int) -> list[Axes]:
    panels: list[Axes] = figure.subplots(max(1, layers), squeeze=False)[:, 0].tolist()
    return panels


def _styles(figures: Figures) -> dict[str | None, Style]:
    """The style of each target; of too many to be told apart all have the same."""
    styles = STYLES if len(figures) <= len(STYLES) else [MANY] * len(figures)
    return {target["target"]: style for target, style in zip(figures, styles, strict=False)}


def _note(shown: Sequence[Any], figures: Figures) -> str:
    if not shown:
        return NOTHING
    return f"Each line is one of {len(shown)} targets" if len(figures) > len(STYLES) else ""


def _name(target: Mapping[str, Any]) -> str:
    name = target["target"]
    return NAMES.get(name) or str(name)
