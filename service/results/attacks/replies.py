"""Attacked images, and what attacks did to units, as the wire has them."""

from typing import Any
from urllib.parse import urlencode

from service.results.attacks.class_queries import ClassAttack, ClassAttacks
from service.results.attacks.image_queries import SeenImage, TopUnit
from service.results.attacks.search_queries import AttackRow
from service.results.attacks.shift_queries import Shift
from service.results.replies import describe_unit

_FIGURES = ("position", "image", "digest", "outcome", "l2", "linf", "restored_by", "transfers")
_ARTIFACTS = ("original", "adversarial", "picture")


def describe_attacked(found: AttackRow) -> dict[str, Any]:
    """What an attack did to an image, for `AttackedImageSchema`."""
    return {
        "model": found.attack.model,
        "job": found.attack.job_id,
        "method": found.attack.method,
        "true": found.true,
        "source": found.source,
        "target": found.target,
        "result": found.result,
        **{name: getattr(found.row, name) for name in _FIGURES},
        "links": _links(found),
    }


def _links(found: AttackRow) -> dict[str, str]:
    kept = {name: getattr(found.row, name) for name in _ARTIFACTS}
    links = {"job": f"/v1/jobs/{found.attack.job_id}", "image": f"/v1/images/{found.row.digest}"}
    return links | {name: f"/v1/artifacts/{digest}" for name, digest in kept.items() if digest is not None}


def describe_image(seen: SeenImage) -> dict[str, Any]:
    """What is known of an image, for `ImageSchema`."""
    return {
        "digest": seen.digest,
        "names": seen.names,
        "predictions": [{"model": model, "class_name": name} for model, name in seen.predictions.items()],
        "attacks": [describe_attacked(row) for row in seen.attacks],
        "top_units": [_describe_top_unit(unit) for unit in seen.units],
    }


def _describe_top_unit(unit: TopUnit) -> dict[str, Any]:
    return {**describe_unit(unit.found, unit.found), "rank": unit.rank, "peak": unit.peak}


def describe_shift(shift: Shift) -> dict[str, Any]:
    """How an attack moved a unit, for `ShiftSchema`."""
    return {**shift._asdict(), "attack": shift.job_id}


def describe_class_attacks(found: ClassAttacks, class_name: str) -> dict[str, Any]:
    """Attacks as a class saw them, for `ClassAttacksSchema`."""
    towards = found.as_target and _describe_class_attack(found.as_target, {"target": class_name})
    sources = [_describe_class_attack(attack, {"source": class_name}) for attack in found.as_source]
    return {"as_target": towards, "as_source": sources}


def _describe_class_attack(attack: ClassAttack, role: dict[str, str]) -> dict[str, Any]:
    success, job = attack.success, {"job": str(attack.job_id)}
    return {
        "job": attack.job_id,
        "method": attack.method,
        "target": attack.target,
        **success._asdict(),
        "success_rate": success.succeeded / success.images,
        "groups": attack.figures.get("groups"),
        "most_moved": attack.figures.get("most_moved"),
        "units": [move._asdict() for move in attack.moves],
        "links": {"job": f"/v1/jobs/{attack.job_id}", "images": f"/v1/attacks?{urlencode(job | role)}"},
    }
