"""What a team asserts of a dissection, judged by the figures of its summary."""

import uuid
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from service.catalog.queries import near
from service.errors import Invalid

Summary = Mapping[str, Any]
"""What `GET /v1/jobs/{id}/summary` tells of a dissection."""

FIGURES = ("detectors", "distinct", "mean_best_iou", "dead_units")
RELATIVE = ("no_less_than", "no_more_than")
BOUNDS = ("at_least", "at_most", *RELATIVE)


def judge(assertions: Sequence[Mapping[str, Any]], own: Summary, others: Mapping[uuid.UUID, Summary]) -> dict[str, Any]:
    """Judge each assertion by the job's own summary and those of the jobs it names, for `VerdictSchema`.

    Raise Invalid that points at the layer, category or concept that a summary knows nothing of.
    """
    judged = [_judge(given, f"/assertions/{place}", own, others) for place, given in enumerate(assertions)]
    return {"passed": all(verdict["passed"] for verdict in judged), "assertions": judged}


def jobs_named(assertions: Sequence[Mapping[str, Any]]) -> dict[uuid.UUID, str]:
    """The jobs that assertions compare with, each with a pointer to where it is named."""
    return {
        given[bound]["job"]: f"/assertions/{place}/{bound}/job"
        for place, given in enumerate(assertions)
        for bound in RELATIVE
        if bound in given
    }


def _judge(given: Mapping[str, Any], pointer: str, own: Summary, others: Mapping[uuid.UUID, Summary]) -> dict[str, Any]:
    bound = next(bound for bound in BOUNDS if bound in given)
    actual = _measure(given, given["layer"], own, pointer, pointer)
    expected, origin = _expect(given, bound, others, pointer)
    low = bound in ("at_least", "no_less_than")
    passed = actual >= expected if low else actual <= expected
    wanted = f"wanted at {'least' if low else 'most'} {_number(expected)}{origin}"
    return {
        **given,
        "passed": passed,
        "actual": float(actual),
        "expected": float(expected),
        "detail": f"{given['layer']} has {_words(given, actual)}, {wanted}",
    }


def _expect(
    given: Mapping[str, Any], bound: str, others: Mapping[uuid.UUID, Summary], pointer: str
) -> tuple[Fraction, str]:
    """The figure that is asked for, and in words where it comes from."""
    if bound not in RELATIVE:
        return Fraction(given[bound]), ""
    other = given[bound]
    layer = other.get("layer") or given["layer"]
    figure = _measure(given, layer, others[other["job"]], f"{pointer}/{bound}", pointer)
    percent = -Fraction(other["minus_percent"]) if bound == "no_less_than" else Fraction(other["plus_percent"])
    share = f", {'minus' if percent < 0 else 'plus'} {_number(abs(percent))} %" if percent else ""
    return figure * (100 + percent) / 100, f" ({layer} of job {other['job']} has {_number(figure)}{share})"


def _measure(given: Mapping[str, Any], layer: str, summary: Summary, layer_at: str, names_at: str) -> Fraction:
    """The figure of a layer, exactly, so that the same figure is never less than itself."""
    found = _find_layer(layer, summary, f"{layer_at}/layer")
    category, concept = given.get("category"), given.get("concept")
    _check_names(category, concept, summary, names_at)
    if given["figure"] == "detectors":
        bars = [
            bar for bar in found["chart"] if category in (None, bar["category"]) and concept in (None, bar["concept"])
        ]
        return Fraction(sum(bar["units"] for bar in bars))
    if given["figure"] == "distinct":
        return Fraction(sum(count for name, count in found["distinct"].items() if category in (None, name)))
    return Fraction(found[given["figure"]])


def _find_layer(name: str, summary: Summary, pointer: str) -> Mapping[str, Any]:
    layers: dict[str, Mapping[str, Any]] = {layer["layer"]: layer for layer in summary["layers"]}
    if name not in layers:
        there = ", ".join(map(repr, layers))
        raise Invalid(f"the job has no layer {name!r}, but {there}{near(name, layers)}", pointer)
    return layers[name]


def _check_names(category: str | None, concept: str | None, summary: Summary, pointer: str) -> None:
    # a name that was not measured would be detected by no unit and pass for a layer without such detectors
    categories = {known["category"] for known in summary["concepts"]}
    if category is not None and category not in categories:
        raise Invalid(f"no category {category!r} was measured{near(category, categories)}", f"{pointer}/category")
    names = {known["name"] for known in summary["concepts"] if category in (None, known["category"])}
    if concept is not None and concept not in names:
        raise Invalid(f"no concept {concept!r} was measured{near(concept, names)}", f"{pointer}/concept")


def _words(given: Mapping[str, Any], actual: Fraction) -> str:
    kind = f"{given['category']} " if given.get("category") else ""
    plural = "" if actual == 1 else "s"
    if given["figure"] == "mean_best_iou":
        return f"a mean best IoU of {_number(actual)}"
    if given["figure"] == "dead_units":
        return f"{_number(actual)} dead unit{plural}"
    if given["figure"] == "distinct":
        return f"detectors of {_number(actual)} distinct {kind}concept{plural}"
    return f"{_number(actual)} {kind}detector{plural}" + (f" of {given['concept']}" if given.get("concept") else "")


def _number(figure: Fraction) -> str:
    return str(figure.numerator) if figure.denominator == 1 else f"{float(figure):.6g}"
