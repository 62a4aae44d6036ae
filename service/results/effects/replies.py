"""What units are for as the wire has it."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from service.results.attacks.replies import describe_class_attacks, describe_shift
from service.results.effects.affected_queries import Affected, Place
from service.results.effects.explaining_queries import Explained, Importance
from service.results.effects.explanation import SIZES, LabelledChange, gather, removals
from service.results.effects.queries import EffectResult
from service.results.effects.unit_queries import SeenUnit
from service.results.queries import Dissected, FoundUnit, Named
from service.results.replies import describe_detail, describe_fit, describe_unit, unit_address

NOT_REMOVED = "No sets of units were removed for this class; an ablation removes them for the `classes` that it names."
_UNTOUCHED = ("recall", "true_negative_rate", "balanced_accuracy", "auroc")
_UNTOUCHED_OF_CURVES = ("all_class_accuracy", "rechosen_balanced_accuracy")
_UNIT_FIGURES = ("importance", "accuracy_change", "accuracy_change_low", "accuracy_change_high")


def describe_affected(row: Affected) -> dict[str, Any]:
    """A unit with its effect on the class that was asked for, for `UnitSchema`."""
    described = describe_unit(row, row.found) | describe_fit(row.found, row.concept, row.iou)
    described["links"] |= _links(row, row.place)
    described["links"]["explanation"] = explanation_address(row.class_name, row.model, row.layer)
    shift = {} if row.shift is None else {"shift": describe_shift(row.shift)}
    return described | {"effect": _describe_effect(row.class_name, row.effect)} | shift


def describe_seen(seen: SeenUnit, dissected: Dissected | None, imported: Sequence[FoundUnit]) -> dict[str, Any]:
    """All that dissections, an ablation and attacks found of a unit, for `UnitDetailSchema`."""
    described = describe_detail(seen, dissected, imported) | {"attacks": list(map(describe_shift, seen.shifts))}
    if seen.removed is None:
        return {**described, **dict.fromkeys(_UNIT_FIGURES), "effects": []}
    described["links"] |= _links(seen, seen.removed.place)
    figures = {name: getattr(seen.removed.row, name) for name in _UNIT_FIGURES}
    effects = [_describe_effect(*effect) for effect in seen.removed.effects]
    return {**described, **figures, "effects": effects}


def describe_class(row: Any, importance: Importance | None) -> dict[str, Any]:
    """A class with the number of units that matter to it, for `ClassSchema`."""
    links = {"units": f"/v1/units?{urlencode({'class': row.name, 'model': row.model})}"}
    if importance is not None:
        links["explanation"] = explanation_address(row.name, row.model, importance.layer)
    named = {"model": row.model, "index": row.index, "name": row.name}
    return {**named, "important_units": importance and importance.units, "links": links}


def describe_explanation(explained: Explained) -> dict[str, Any]:
    """A class explained by units, for `ExplanationSchema`."""
    row, place = explained.row, explained.place
    removing = removals(row.curves)
    last = removing.get(str(SIZES[-1]), {"nature": None, "verdict": NOT_REMOVED})
    before = {name: row.curves["untouched"][name] if row.curves else None for name in _UNTOUCHED_OF_CURVES}
    return {
        "model": place.model,
        "layer": place.layer,
        "class_name": explained.class_name,
        "images": row.images,
        "untouched": {**{name: getattr(row, name) for name in _UNTOUCHED}, **before},
        "important_units": row.important_units,
        "units": [describe_affected(unit) for unit in explained.units],
        "concepts": gather(_labelled_changes(explained.units)),
        "removing": removing,
        "nature": last["nature"],
        "verdict": last["verdict"],
        "attacks": describe_class_attacks(explained.attacks, explained.class_name),
        "links": _explanation_links(explained),
    }


def _labelled_changes(units: Sequence[Affected]) -> Iterator[LabelledChange]:
    for unit in units:
        if unit.found is not None and unit.found.category is not None and unit.found.concept is not None:
            label = unit.found.category, unit.found.concept, unit.found.detector
            yield LabelledChange(*label, unit.effect.accuracy_change)


def _explanation_links(explained: Explained) -> dict[str, str]:
    name, place = explained.class_name, explained.place
    pinned = {} if place.current else {"job": str(place.job_id)}
    search = urlencode({"class": name, "model": place.model, "layer": place.layer} | pinned)
    address = explanation_address(name, place.model, place.layer)
    return {
        "self": address if place.current else f"{address}&{urlencode(pinned)}",
        "units": f"/v1/units?{search}",
        "ablation": f"/v1/jobs/{place.job_id}",
    }


def explanation_address(name: str, model: str, layer: str) -> str:
    """Where a class is explained by the units of a layer."""
    return f"/v1/classes/{quote(name, safe='')}/explanation?{urlencode({'model': model, 'layer': layer})}"


def _describe_effect(class_name: str, effect: EffectResult) -> dict[str, Any]:
    return {"class_name": class_name, **effect._asdict()}


def _links(named: Named, place: Place) -> dict[str, str]:
    links = {"ablation": f"/v1/jobs/{place.job_id}"}
    return links if place.current else links | {"self": unit_address(named, place.job_id)}
