"""Forms that ask for work: their fields, and how what was filled in becomes the body of `POST /v1/jobs`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from werkzeug.datastructures import MultiDict

from service.explorer.generator_queries import FittedConcept
from service.explorer.pages import pages
from service.jobs.attack_methods import METHODS
from service.jobs.latents import DISSECTED, EVALUATING
from service.jobs.requests import JobRequestSchema
from service.jobs.requests.dissection import CONTROLS
from service.jobs.requests.intervention import TOP
from service.jobs.segmentation import COLORS, MASKS, SEGMENTER
from service.results.interventions.tables import EACH_CELL, EVERYWHERE, INSERT, REMOVE

Option = tuple[str, str]
"""What is sent, and what is read."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a form; one with `options` takes one of them, or several, and any other a number."""

    name: str
    """Of a member of the body, or of a member of such a member: `settings.steps`."""
    title: str
    options: Sequence[Option] | None = None
    several: bool = False
    chosen: Sequence[str] = ()
    """What is chosen, or written, before anybody was here."""
    parsed: bool = False
    """Whether what is sent of an option is JSON."""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model's kind, and what the fields choose from."""

    kind: str
    layers: Sequence[str]
    classes: Sequence[str]
    datasets: Sequence[str]
    segmenters: Sequence[str]
    concepts: Sequence[FittedConcept] = ()
    """Of a generator those that its units are known to fit."""
    dissected: Sequence[str] = ()
    """Its layers of which that is known."""


def fields_of(kind: str, subject: Subject) -> Sequence[Field]:
    """The fields of the form for a kind of job."""
    if subject.kind == "generator":
        return _FIELDS_OF_GENERATORS[kind](subject)
    dataset = Field(name="dataset", title="Dataset", options=_plain(subject.datasets))
    return [dataset, *_FIELDS[kind](subject)]


def _plain(names: Sequence[str]) -> list[Option]:
    return [(name, name) for name in names]


def _max_images(hint: str) -> Field:
    return Field(name="max_images", title="Images at most", hint=hint)


def _of_dissection(subject: Subject) -> Sequence[Field]:
    ways = [MASKS, COLORS, *(SEGMENTER + name for name in subject.segmenters)]
    layers = _plain(subject.layers)
    return [
        Field(name="layers", title="Layers", options=layers, several=True, chosen=subject.layers[-1:]),
        Field(name="segmentation", title="Segmentation", options=_plain(ways), several=True, chosen=[MASKS]),
        _max_images("evenly strided; empty for all"),
        Field(name="quantile", title="Share above the threshold", hint="0.01 unless you say otherwise"),
        Field(name="top_images", title="Images shown of each unit", hint="5 unless you say otherwise"),
        Field(name="controls", title="Controls", options=_plain(CONTROLS), several=True),
    ]


def _of_ablation(subject: Subject) -> Sequence[Field]:
    halves = ("", "half of the same images")
    modes = [("zero", "0"), ("mean", "its mean over the ranking images")]
    measures = [("balanced_accuracy", "the balanced accuracy left"), ("log_probability", "the log-probability")]
    return [
        Field(name="ranking_dataset", title="Units are ranked on", options=[halves, *_plain(subject.datasets)]),
        Field(name="layer", title="Layer", options=_plain(subject.layers), chosen=subject.layers[-1:]),
        _max_images("of each dataset, evenly strided; empty for all"),
        Field(name="mode", title="A silenced unit's map becomes", options=modes),
        Field(name="rank_by", title="Units are ranked by", options=measures),
    ]


def _of_attack(subject: Subject) -> Sequence[Field]:
    goals = [("", "any other class"), ("least-likely", "the least likely class"), *_plain(subject.classes)]
    layers = _plain(subject.layers)
    images = [("eligible", "those that count"), ("all", "all")]
    return [
        Field(name="layer", title="Layers watched", options=layers, several=True, chosen=subject.layers[-1:]),
        Field(name="method", title="Method", options=_plain(list(METHODS))),
        Field(name="target", title="Target", options=goals),
        Field(name="images", title="Images", options=images),
        _max_images("the first so many; empty for all"),
        Field(name="keep", title="Images kept with their pictures", hint="20 unless you say otherwise"),
        Field(name="settings.steps", title="Steps", hint="of a method that takes some; empty for its own"),
    ]


def _latents(default: Mapping[str, int], what: str) -> Sequence[Field]:
    count, seed = str(default["count"]), str(default["seed"])
    return [
        Field(name="latents.seed", title=f"Seed of the latents {what}", chosen=[seed]),
        Field(name="latents.first", title="First latent", hint="0 unless you say otherwise"),
        Field(name="latents.count", title="Latents", chosen=[count], hint="each is a picture"),
    ]


def _drawn(subject: Subject) -> Sequence[Option]:
    """What pictures that are drawn can be searched for."""
    return _plain([*(SEGMENTER + name for name in subject.segmenters), COLORS])


def _of_generator(subject: Subject) -> Sequence[Field]:
    ways = _drawn(subject)
    return [
        Field(name="layers", title="Layers", options=_plain(subject.layers), several=True, chosen=subject.layers[-1:]),
        Field(name="segmentation", title="Segmentation", options=ways, several=True, chosen=[ways[0][0]]),
        *_latents(DISSECTED, "dissected on"),
        Field(name="quantile", title="Share above the threshold", hint="0.01 unless you say otherwise"),
        Field(name="top_images", title="Pictures shown of each unit", hint="5 unless you say otherwise"),
        Field(name="controls", title="Controls", options=_plain(CONTROLS), several=True),
    ]


def _of_intervention(subject: Subject) -> Sequence[Field]:
    concepts = [
        (json.dumps({"category": c.category, "name": c.name}), f"{c.name} ({c.category})") for c in subject.concepts
    ]
    layers, wheres = _plain(subject.layers), [(EVERYWHERE, "everywhere"), (EACH_CELL, "in each cell in turn")]
    actions = [(REMOVE, "removed: they become 0"), (INSERT, "inserted: they become a high level of their own")]
    return [
        Field(name="layer", title="Layers", options=layers, several=True, chosen=subject.dissected[-1:]),
        Field(name="units.concept", title="The best units of", options=concepts, parsed=True),
        Field(name="units.top", title="How many of them", hint=f"{TOP} unless you say otherwise"),
        Field(name="action", title="They are", options=actions),
        Field(name="where", title="Where", options=wheres),
        *_latents(EVALUATING, "measured on"),
        Field(
            name="segmentation",
            title="Segmentation, else that of the dissection",
            options=_drawn(subject),
            several=True,
        ),
        Field(name="random", title="Random sets of each size", hint="5 unless you say otherwise, in each cell none"),
        Field(
            name="ranking", title="Ranked by their own effect, too", options=[("", "no"), ("{}", "yes")], parsed=True
        ),
        Field(name="keep", title="Pictures kept before and after", hint="20 unless you say otherwise"),
    ]


_FIELDS = {"dissection": _of_dissection, "ablation": _of_ablation, "attack": _of_attack}
_FIELDS_OF_GENERATORS = {"dissection": _of_generator, "intervention": _of_intervention}
KINDS = {"classifier": tuple(_FIELDS), "generator": tuple(_FIELDS_OF_GENERATORS), "segmenter": ()}
"""Of jobs that a form can ask for, by kind of model."""


def body_of(kind: str, model: str, fields: Sequence[Field], given: MultiDict[str, str]) -> dict[str, Any]:
    """What was filled in as the body of a request; what was left empty is left to the defaults."""
    body: dict[str, Any] = {"kind": kind, "model": model}
    for field in fields:
        if values := [value for value in given.getlist(field.name) if value]:
            *parents, name = field.name.split(".")
            place = body.setdefault(parents[0], {}) if parents else body
            place[name] = _value(field, values)
    return body


def _value(field: Field, values: Sequence[str]) -> Any:
    if field.options is not None and not field.parsed:
        return list(values) if field.several else values[0]
    try:
        return json.loads(values[0])
    except ValueError:
        return values[0]  # the request's schema says what is wrong with it


def read_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as `POST /v1/jobs` reads it; raise Invalid that points at what is wrong."""
    try:
        loaded: dict[str, Any] = JobRequestSchema().load(body)
    except ma.ValidationError as error:
        pages.ARGUMENTS_PARSER.handle_error(ma.ValidationError({"json": error.messages}))
    return loaded
