"""What units are for as the wire has it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from service.results.effects.affected_queries import Affected, Place
from service.results.effects.queries import EffectResult
from service.results.effects.unit_queries import SeenUnit
from service.results.queries import Dissected, FoundUnit, Named
from service.results.replies import describe_detail, describe_fit, describe_unit, unit_address

_UNIT_FIGURES = ("importance", "accuracy_change", "accuracy_change_low", "accuracy_change_high")


def describe_affected(row: Affected) -> dict[str, Any]:
    """A unit with its effect on the class that was asked for, for `UnitSchema`."""
    described = describe_unit(row, row.found) | describe_fit(row.found, row.concept, row.iou)
    described["links"] |= _links(row, row.place)
    described["links"]["explanation"] = explanation_address(row.class_name, row.model, row.layer)
    return described | {"effect": _describe_effect(row.class_name, row.effect)}


def describe_seen(seen: SeenUnit, dissected: Dissected | None, imported: Sequence[FoundUnit]) -> dict[str, Any]:
    """All that dissections and an ablation found of a unit, for `UnitDetailSchema`."""
    described = describe_detail(seen, dissected, imported)
    if seen.removed is None:
        return {**described, **dict.fromkeys(_UNIT_FIGURES), "effects": []}
    described["links"] |= _links(seen, seen.removed.place)
    figures = {name: getattr(seen.removed.row, name) for name in _UNIT_FIGURES}
    effects = [_describe_effect(*effect) for effect in seen.removed.effects]
    return {**described, **figures, "effects": effects}


def explanation_address(name: str, model: str, layer: str | None = None) -> str:
    """Where a class is explained by the units of a layer."""
    query = {"model": model} | ({} if layer is None else {"layer": layer})
    return f"/v1/classes/{quote(name, safe='')}/explanation?{urlencode(query)}"


def _describe_effect(class_name: str, effect: EffectResult) -> dict[str, Any]:
    return {"class_": class_name, **effect._asdict()}


def _links(named: Named, place: Place) -> dict[str, str]:
    links = {"ablation": f"/v1/jobs/{place.job_id}"}
    return links if place.current else links | {"self": unit_address(named, place.job_id)}
