"""What removing sets of units did to a class: moved its score, or took away what tells its images apart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

SIZES = (4, 20)
"""How many units the paper removes when it looks at one class."""
NONE, SHIFT, LOSS, BOTH = "none", "shift", "loss", "both"
NATURES = (NONE, SHIFT, LOSS, BOTH)
SHIFTED, LOST = 1 / 4, 3 / 4
"""Share of a drop that a threshold chosen anew leaves: below the first all is a shift, above the second all is lost."""
ORDERS = ("most", "least", "all_but")


class Verdict(NamedTuple):
    """What became of a class, as a word and in words."""

    nature: str
    sentence: str


def removals(curves: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Each of SIZES with the figures of the size nearest to it, of equally near ones the smaller; {} without curves."""
    sizes = [point["size"] for point in curves["most"]] if curves else []
    if not curves or not sizes:
        return {}
    return {str(wanted): _removal(curves, min(sizes, key=lambda size: (abs(size - wanted), size))) for wanted in SIZES}


def _removal(curves: Mapping[str, Any], size: int) -> dict[str, Any]:
    points = {order: _at(curves[order], size) for order in (*ORDERS, "random")}
    untouched = curves["untouched"]["rechosen_balanced_accuracy"]
    for order in ORDERS:
        points[order]["rechosen_change"] = points[order]["rechosen_balanced_accuracy"] - untouched
    verdict = judge(curves["untouched"], points["most"])
    return {"size": size, **points, "nature": verdict.nature, "verdict": verdict.sentence}


def _at(points: Sequence[Mapping[str, Any]], size: int) -> dict[str, Any]:
    return dict(next(point for point in points if point["size"] == size))


def judge(untouched: Mapping[str, float], most: Mapping[str, Any]) -> Verdict:
    """What removing a class's most important units did to it, argmax and threshold chosen anew side by side."""
    removed = f"Removing its {most['size']} most important unit{'' if most['size'] == 1 else 's'}"
    if most["change_high"] is None or most["change_high"] >= 0:
        return Verdict(NONE, f"{removed} does not lower its balanced accuracy, as far as these images can tell.")
    before, after = untouched["rechosen_balanced_accuracy"], most["rechosen_balanced_accuracy"]
    nature = _nature(untouched["balanced_accuracy"] - most["balanced_accuracy"], before - after)
    dropped = (
        f"lowers its balanced accuracy from {untouched['balanced_accuracy']:.3f} to {most['balanced_accuracy']:.3f}"
    )
    rechosen = f"with the threshold chosen anew, from {before:.3f} to {after:.3f}"
    return Verdict(nature, f"{removed} {dropped}; {rechosen}: {_MEANINGS[nature]}.")


_MEANINGS = {
    SHIFT: "its score has shifted, as a rule so that it is called less often, and its images can still be told apart",
    LOSS: "its images can no longer be told apart as well, whatever the threshold",
    BOTH: "its score has shifted, and its images are told apart less well",
}


def _nature(argmax: float, rechosen: float) -> str:
    if rechosen < SHIFTED * argmax:
        return SHIFT
    return LOSS if rechosen > LOST * argmax else BOTH


class LabelledChange(NamedTuple):
    """A unit's label, and what removing the unit does to the class."""

    category: str
    concept: str
    detector: bool
    accuracy_change: float


def gather(units: Iterable[LabelledChange]) -> list[dict[str, Any]]:
    """The concepts of a class's units, those of the largest damage together first."""
    by_concept: dict[tuple[str, str], list[LabelledChange]] = {}
    for unit in units:
        by_concept.setdefault((unit.category, unit.concept), []).append(unit)
    gathered = [
        {
            "category": category,
            "concept": concept,
            "units": len(those),
            "detectors": sum(unit.detector for unit in those),
            "accuracy_change": math.fsum(unit.accuracy_change for unit in those),
        }
        for (category, concept), those in by_concept.items()
    ]
    return sorted(gathered, key=lambda row: (row["accuracy_change"], row["category"], row["concept"]))
