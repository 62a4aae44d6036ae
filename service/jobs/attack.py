"""From a request for an attack to one that can be done, and what it costs."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from sqlalchemy.orm import Session

from service.catalog import queries as catalog
from service.catalog.tables import Layer, Model
from service.errors import Invalid
from service.jobs.attack_methods import METHODS, Method, Value
from service.jobs.checks import check_classes, find_dataset, find_layer, find_model, input_sides, make_request
from service.jobs.cost_queries import seconds_per_attack, seconds_per_image
from service.jobs.estimates import Estimate
from service.jobs.queries import find_layer_ablation, find_layer_dissection
from service.jobs.submission import JobRequest

LEAST_LIKELY = "least-likely"
IMAGES_IN_CLASSIFYING_SHARD = 256
IMAGES_IN_SHARD = 32
GRADIENT = 3.0
"""A step forward and back, in forward passes."""
STEPS = 100
"""Assumed of an attack that does not say how many it takes."""


@dataclass(frozen=True)
class CheckedAttack:
    """An attack that can be done: what is to be submitted, and what its cost follows from."""

    request: JobRequest
    model: Model
    images: int
    """Of the dataset."""
    attacked: int
    """Images that are attacked with each target, at most."""

    def estimate(self, session: Session, workers: int) -> Estimate:
        """Reckon what it takes, from what the model's jobs took so far."""
        params, team_id = self.request.params, self.request.team_id
        passes = seconds_per_image(session, team_id, self.model.id) or self.model.forward_seconds
        one = seconds_per_attack(session, team_id, self.model.id, params["method"], params["settings"])
        steps, targets = _steps(params["settings"]), max(1, len(params["target"]))
        seconds = self.images * passes + targets * self.attacked * (one or steps * GRADIENT * passes)
        height, width = input_sides(self.model.input) or (0, 0)
        kept = targets * min(self.attacked, params["keep"])
        classifying = ceil(self.images / IMAGES_IN_CLASSIFYING_SHARD)
        return Estimate(
            shards=2 + classifying + targets * ceil(self.attacked / IMAGES_IN_SHARD),
            forward_passes=self.images + targets * self.attacked * steps,
            scratch_bytes=0,
            artifact_bytes=kept * 3 * height * width * (4 + 3),
            seconds=seconds / workers if workers else None,
            workers=workers,
        )


def _steps(settings: Mapping[str, Value]) -> int:
    turns = int(settings.get("binary_search_steps", 1)) * max(1, int(settings.get("random_starts", 1)))
    return int(settings.get("steps", STEPS)) * turns


def check_attack(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any], available_bytes: int
) -> CheckedAttack:
    """Check an attack against the team's catalog; raise Invalid that points at the fault."""
    params = wanted["params"]
    model = find_model(session, team_id, wanted["model"])
    if model.kind != "classifier":
        raise Invalid(f"{model.name!r} is a {model.kind}; an attack takes a classifier", "/model")
    dataset = find_dataset(session, team_id, wanted["dataset"], "/dataset")
    known = catalog.classes_of(session, model)
    check_classes(dataset, model, known, "/dataset")
    layers = [find_layer(session, model, name, pointer) for name, pointer in _each(params["layer"], "/layer")]
    targets = _check_targets(model, known, params["target"])
    settings = _check_method(params, bool(targets))
    others = [find_model(session, team_id, name, f"/transfer/{place}") for place, name in enumerate(params["transfer"])]
    _check_others(session, others, known)
    canonical = {name: value for name, value in params.items() if name not in ("preset", "ablation")} | {
        "settings": settings,
        "target": targets,
        "max_images": None if (params["max_images"] or 0) >= dataset.images else params["max_images"],
        "layer": [layer.name for layer in layers],
        "ablations": _ablations(session, layers, params["ablation"]),
        "dissections": {layer.name: _text(find_layer_dissection(session, layer.id, None)) for layer in layers},
    }
    inputs = {"model": model.digest, "dataset": dataset.manifest} | {
        f"transfer {other.name}": other.digest for other in others
    }
    request = make_request(team_id, wanted, canonical, inputs, model, dataset)
    most = params["max_images"] or dataset.images
    return CheckedAttack(request, model, dataset.images, min(dataset.images, most))


def _check_targets(model: Model, known: Sequence[str], wanted: str | list[str] | None) -> list[str]:
    """The targets as a list: empty for an attack without one."""
    names = _each(wanted or [], "/target")
    for name, pointer in names:
        if name != LEAST_LIKELY and name not in known:
            raise Invalid(f"{model.name!r} has no class {name!r}{catalog.near(name, known)}", pointer)
    return [name for name, _ in names]


def _each(wanted: str | list[str], pointer: str) -> list[tuple[str, str]]:
    """The names of a field that holds one or several, each with the pointer to it."""
    if isinstance(wanted, str):
        return [(wanted, pointer)]
    return [(name, f"{pointer}/{place}") for place, name in enumerate(wanted)]


def _check_method(params: Mapping[str, Any], targeted: bool) -> dict[str, Value]:
    """All settings of the attack; of one from another package those that are given, which workers check."""
    method = METHODS.get(params["method"])
    if method is None:
        if params["preset"] is not None:
            raise Invalid(f"the presets are known of {', '.join(METHODS)} alone; give settings", "/preset")
        return dict(params["settings"])
    if targeted and not method.targeted:
        raise Invalid(f"{params['method']} has no target: it leaves a class for whichever is nearest", "/target")
    preset = _preset(params["method"], method, params["preset"])
    for name, value in params["settings"].items():
        method.check(params["method"], name, value)
    given = {**preset, **params["settings"]}
    parameters = method.parameters.items()
    return {name: type(one.default)(given.get(name, one.default)) for name, one in parameters}


def _preset(name: str, method: Method, preset: str | None) -> Mapping[str, Value]:
    if preset is None:
        return {}
    if preset not in method.presets:
        known = ", ".join(method.presets) or "none"
        raise Invalid(f"{name} has no preset {preset!r}; its presets: {known}", "/preset")
    return method.presets[preset]


def _check_others(session: Session, others: Sequence[Model], known: Sequence[str]) -> None:
    for place, other in enumerate(others):
        if other.kind != "classifier":
            raise Invalid(f"{other.name!r} is a {other.kind}; only a classifier can be fooled", f"/transfer/{place}")
        if not {*catalog.classes_of(session, other)} & {*known}:
            raise Invalid(f"{other.name!r} shares no class with the attacked model", f"/transfer/{place}")


def _ablations(session: Session, layers: Sequence[Layer], job_id: uuid.UUID | None) -> dict[str, str | None]:
    """The ablation whose importance groups the units of each layer: the one that is named, else the newest."""
    named = {layer.name: find_layer_ablation(session, layer.id, job_id) for layer in layers} if job_id else {}
    if job_id is not None and not any(named.values()):
        raise Invalid(f"no job {job_id} has ablated a layer that is watched", "/ablation")
    newest = {layer.name: find_layer_ablation(session, layer.id, None) for layer in layers}
    return {name: _text(named.get(name) or found) for name, found in newest.items()}


def _text(job_id: uuid.UUID | None) -> str | None:
    return None if job_id is None else str(job_id)
