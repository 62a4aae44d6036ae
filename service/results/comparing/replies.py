"""Two dissections side by side, as the wire has them."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from service.jobs.tables import Job
from service.results.comparing.pairs import Pair
from service.results.comparing.queries import Changes, Comparison, ConceptFigures, ConceptName, LabelThen, UnitChange

Concepts = Mapping[int, Mapping[ConceptName, ConceptFigures]]
FIGURES = ("layer", "units", "dead_units", "detectors", "mean_best_iou", "distinct")


def describe_diff(
    compared: Comparison, names: Mapping[UUID, str], concepts: Concepts, changes: Mapping[int, Changes]
) -> dict[str, Any]:
    """Two dissections side by side, for `DiffSchema`; `names` are those of their models and datasets."""
    a, b, paired = compared
    return {
        "a": a.id,
        "b": b.id,
        "differences": _differences(_asked(a, names), _asked(b, names)),
        "layers": [_describe_pair(a, b, pair, concepts, changes) for pair in paired.pairs],
        "only_in_a": paired.only_in_a,
        "only_in_b": paired.only_in_b,
    }


def describe_change(row: UnitChange, layers: Mapping[int, str]) -> dict[str, Any]:
    """A unit whose label is another one in b, for `UnitChangeSchema`."""
    return {
        "layer": layers[row.dissection_id],
        "unit": row.unit,
        "change": row.change,
        "a": _describe_label(row.a),
        "b": _describe_label(row.b),
        "iou_difference": row.b.iou - row.a.iou,
    }


def _asked(job: Job, names: Mapping[UUID, str]) -> dict[str, Any]:
    model, dataset = (names[id] if id else None for id in (job.model_id, job.dataset_id))
    return {"model": model, "dataset": dataset, **job.params}


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = [{"name": name, "a": a.get(name), "b": b.get(name)} for name in {**a, **b}]
    return [row for row in rows if row["a"] != row["b"]]


def _describe_pair(a: Job, b: Job, pair: Pair, concepts: Concepts, changes: Mapping[int, Changes]) -> dict[str, Any]:
    rows = _compare_concepts(concepts.get(pair.a.dissection_id, {}), concepts.get(pair.b.dissection_id, {}))
    detected = {side: {(row["category"], row["concept"]) for row in rows if row[side]["detectors"]} for side in "ab"}
    layers = {"layer_a": pair.a.name, "layer_b": pair.b.name}
    address = f"/v1/jobs/{a.id}/diff/{b.id}/units?{urlencode(layers)}"
    return {
        "a": _figures(a, pair.a.name),
        "b": _figures(b, pair.b.name),
        "concepts_gained": _name(detected["b"] - detected["a"]),
        "concepts_lost": _name(detected["a"] - detected["b"]),
        "concepts": rows,
        "by_unit": changes[pair.a.dissection_id]._asdict() if pair.by_unit else None,
        "links": {"units": address} if pair.by_unit else {},
    }


def _figures(job: Job, layer: str) -> dict[str, Any]:
    assert job.summary is not None
    found = next(found for found in job.summary["layers"] if found["layer"] == layer)
    return {name: found[name] for name in FIGURES}


def _compare_concepts(
    a: Mapping[ConceptName, ConceptFigures], b: Mapping[ConceptName, ConceptFigures]
) -> list[dict[str, Any]]:
    none = ConceptFigures()
    sides = {name: (a.get(name, none), b.get(name, none)) for name in sorted({*a, *b})}
    return [
        {"category": name[0], "concept": name[1], "a": in_a._asdict(), "b": in_b._asdict()}
        for name, (in_a, in_b) in sides.items()
        if in_a.units or in_b.units
    ]


def _name(concepts: set[ConceptName]) -> list[dict[str, str]]:
    return [{"category": category, "concept": concept} for category, concept in sorted(concepts)]


def _describe_label(label: LabelThen) -> dict[str, Any] | None:
    return None if label.concept is None else label._asdict()
