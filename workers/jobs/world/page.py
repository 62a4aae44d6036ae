"""The figures of the built-in world as tables."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import fmean
from typing import Any

from workers.analysis.ablation.importance import Correlation
from workers.jobs.world.dissecting import Dissection
from workers.jobs.world.removing import KEPT, SIZES, Outcome, Range, Removals

PAGE = Path("docs/world.md")
Figures = Callable[[Mapping[str, float], Outcome, Outcome], Sequence[str]]
KINDS = (*(f"{size} units" for size in SIZES), f"all but {KEPT}")
CATEGORIES = ("object", "part", "material", "color")
PAPER = {
    "4 units": [("ski resort", "0.814 to 0.640", "-0.174", "0.533 to 0.532")],
    "20 units": [
        ("ski resort", "0.814 to 0.535", "-0.279", "0.533 to 0.526"),
        ("365 classes", "to 0.530", "", ""),
    ],
    "all but 20": [
        ("ski resort", "0.814 to 0.777", "-0.037", "0.533 to 0.021"),
        ("365 classes", "", "-0.036", ""),
    ],
}
"""Bau et al., PNAS 2020: VGG-16's conv5_3, 512 units, Places365; accuracy, its change, all-class accuracy."""
MOVED_IN_PAPER = {"target": (24.5, 23.8, 43.5, -1.0), "source": (-53.2, -21.0, -19.8, -28.1)}
"""Changes of peaks of the units important to bedroom and to ski resort, in one image (Fig. 5b)."""
UNITS = {"target": "4 of the target", "source": "4 of the source", "others": "all others"}


@dataclass(frozen=True)
class Measurement:
    """The figures of one seed."""

    seed: int
    accuracy: float
    trained: Dissection
    untrained: Dissection
    rotated: list[Dissection]
    removals: Removals
    correlation: Correlation
    """Of the units' importance with their best IoU."""
    by_importance: list[dict[str, Any]]


@dataclass(frozen=True)
class Attempt:
    """What an attack with one target did; `groups` and `most_moved` as `workers.jobs.attack.figures` has them."""

    target: str
    images: int
    fooled: int
    mean_l2: float
    groups: Mapping[str, Any]
    most_moved: Mapping[str, Any]


def fill_in(begin: str, end: str, lines: Iterable[str]) -> None:
    """Write lines into the page, between two marks."""
    head, _, rest = PAGE.read_text().partition(begin)
    PAGE.write_text("\n".join([head + begin, *lines, end + rest.partition(end)[2]]))


def lines(measured: Sequence[Measurement]) -> Iterator[str]:
    """What units detect; what removing them does, under the argmax and at another threshold; which ones matter."""
    yield from _table(
        ("seed", "validation accuracy", "network", "objects", "parts", "materials", "colours", "mean best IoU"),
        (row for m in measured for row in _dissected(m)),
    )
    yield from _table(
        ("removed", "seed", "accuracy", "change (95 %)", "random (90 %)", "other classes", "all-class", "random"),
        _beside_paper(_removed(measured, _under_argmax)),
    )
    yield from _table(
        ("removed", "seed", "accuracy", "change (95 %)", "random (90 %)", "AUROC", "change", "random"),
        _removed(measured, _at_another_threshold),
    )
    yield from _table(
        ("seed", "Pearson's r", "p", "Spearman's rho", "p", "mean IoU by importance (units)"), map(_important, measured)
    )
    yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(head)} |", "|---" * len(head) + "|")
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _dissected(m: Measurement) -> Iterator[Sequence[str]]:
    yield str(m.seed), f"{m.accuracy:.3f}", "trained", *_found(m.trained)
    yield "", "", "untrained", *_found(m.untrained)
    for draw, rotated in enumerate(m.rotated):
        yield "", "", f"rotation {draw}", *_found(rotated)


def _found(found: Dissection) -> Sequence[str]:
    return *(str(found.distinct.get(category, 0)) for category in CATEGORIES), f"{found.ious.mean():.4f}"


def _removed(measured: Sequence[Measurement], figures: Figures) -> Iterator[Sequence[str]]:
    """For each kind of removal a row for each seed."""
    for place, name in enumerate(KINDS):
        for m in measured:
            of = m.removals
            pair = [*of.most, of.kept][place], [*of.random, of.kept_random][place]
            yield name, str(m.seed), *figures(of.untouched, *pair)


def _beside_paper(rows: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """After each kind of removal what the paper has of it."""
    for name, group in groupby(rows, key=itemgetter(0)):
        yield from group
        for of, accuracy, change, all_class in PAPER.get(name, []):
            yield name, f"paper, {of}", accuracy, change, "", "", all_class, ""


def _under_argmax(untouched: Mapping[str, float], chosen: Outcome, random: Outcome) -> Sequence[str]:
    return (
        _from_to(untouched["balanced_accuracy"], chosen.change.value),
        _range(chosen.change),
        _range(random.change),
        f"{chosen.others:+.3f}",
        _from_to(untouched["all_class"], chosen.all_class - untouched["all_class"]),
        f"{random.all_class:.3f}",
    )


def _at_another_threshold(untouched: Mapping[str, float], chosen: Outcome, random: Outcome) -> Sequence[str]:
    return (
        _from_to(untouched["rechosen"], chosen.rechosen.value),
        _range(chosen.rechosen),
        _range(random.rechosen),
        _from_to(untouched["auroc"], chosen.auroc),
        f"{chosen.auroc:+.3f}",
        f"{random.auroc:+.3f}",
    )


def _from_to(before: float, change: float) -> str:
    return f"{before:.3f} to {before + change:.3f}"


def _range(found: Range) -> str:
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _important(m: Measurement) -> Sequence[str]:
    of = m.correlation
    figures = (of.pearson, of.pearson_p, of.spearman, of.spearman_p)
    means = (f"{row['importance']}: {row['mean_iou']:.3f} ({row['units']})" for row in m.by_importance)
    return str(m.seed), *("none" if figure is None else f"{figure:.4f}" for figure in figures), ", ".join(means)


def attack_lines(attempts: Sequence[Attempt]) -> Iterator[str]:
    """How often attacks succeeded and whom they moved most; how far peaks of important and of other units moved."""
    yield from _table(
        ("target", "fooled", "mean L2", "important among the 10 moved most (99 %)", "by chance"),
        map(_attacked, attempts),
    )
    yield from _table(
        ("target", "units", "change of the peak (99 %)", "up or down (99 %)"),
        [*(row for attempt in attempts for row in _moved(attempt)), *_moved_in_paper()],
    )
    yield ""


def _attacked(of: Attempt) -> Sequence[str]:
    most = of.most_moved
    share = f"{most['mean']:.3f} ({most['low']:.3f} to {most['high']:.3f})"
    return of.target, f"{of.fooled} of {of.images}", f"{of.mean_l2:.3f}", share, f"{most['chance']:.3f}"


def _moved(of: Attempt) -> Iterator[Sequence[str]]:
    for name, group in of.groups.items():
        change, far = ([group[f"{kind}{end}"] for end in ("mean", "low", "high")] for kind in ("", "absolute_"))
        yield of.target, UNITS[name], _range(Range(*change)), "{:.3f} ({:.3f} to {:.3f})".format(*far)


def _moved_in_paper() -> Iterator[Sequence[str]]:
    for name, changes in MOVED_IN_PAPER.items():
        yield "paper, one image", UNITS[name], f"{fmean(changes):+.1f}", f"{fmean(map(abs, changes)):.1f}"
