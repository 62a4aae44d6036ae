"""The search for units by a class: those that damage it most, with what they detect."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.tables import Class, Concept, Layer, Model
from service.pagination import Page, PageRequest, SortKey, cut, paginate
from service.results.effects.affected_queries import describe, join_units, select_affected
from service.results.effects.tables import AblatedClass, LayerAblation, UnitEffect
from service.results.queries import answering
from service.results.search_queries import SORTS, Search, check_name, find_concepts, job_kind
from service.results.tables import LayerDissection, Unit, UnitLabel

KINDS = ("ablation", "dissection", "import")
"""Jobs that such a search may name: for their effects, or for their labels."""


EFFECT_SORTS: Mapping[str, SortKey] = {
    "effect": UnitEffect.rank,
    "accuracy_change": UnitEffect.accuracy_change,
    "unit": UnitEffect.unit,
}
"""What units may be sorted by beside all else, where a class is asked for."""
_KEYS = (UnitEffect.unit, UnitEffect.ablation_id, UnitEffect.class_id)
_LABEL_FILTERS = ("concept", "category", "min_iou")


@dataclass(frozen=True)
class _Scope:
    """Where to search, as the names that were asked for say."""

    classes: Sequence[int]
    effects: sa.ColumnElement[bool]
    """Which effects answer."""
    labels: sa.ColumnElement[bool]
    """Which dissections label the units."""
    dissections: Collection[int]
    """Their ids."""
    labelled: bool
    """Only units that such a dissection saw."""
    concepts: Mapping[int, Concept]


def search_by_class(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The units with an effect on the page's class that fit its other filters, each as Affected.

    Raise Invalid for a name that is unknown. A class that several models have answers with the units of each, and a
    unit that fits the concept's name in several categories is there with each.
    """
    wanted = page.filters
    scope = _find_scope(session, team_id, wanted)
    if not scope.classes:
        return Page([], None)
    found = _find_page(session, scope, page)
    affected = describe(session, team_id, found.data, wanted["class_name"])
    if wanted["concept"] is not None:
        asked = [(scope.concepts[row.concept_id], row.iou) for row in found.data]
        affected = [row._replace(concept=c, iou=iou) for row, (c, iou) in zip(affected, asked, strict=True)]
    return Page(affected, found.next_cursor)


def _find_page(session: Session, scope: _Scope, page: PageRequest) -> Page:
    """Rows of `select_affected`, with concept and IoU where a concept is asked for."""
    descending = page.filters["sort"].startswith("-")
    effects, keys = _search(scope.classes, scope, page.filters)
    if len(scope.classes) > 1 and page.filters["sort"].removeprefix("-") == "effect":
        effects = effects.where(_within_reach(scope, page, descending))
    # keys so far: only the effects of the page are joined with their figures and names
    found = cut(effects, keys, page, descending=descending).subquery()
    marks = [found.c[f"sort_key_{i}"] for i in range(len(keys))]
    same = sa.and_(*(key == mark for key, mark in zip(_KEYS, marks[1:], strict=False)))
    statement = select_affected(scope.labels).join(found, same)
    if _asks_for_pairs(page.filters):
        statement = statement.add_columns(marks[-1].label("concept_id"), found.c.iou)
    elif page.filters["concept"] is not None:
        statement = statement.add_columns(Unit.concept_id, Unit.iou)
    return paginate(session, statement, marks, page, descending=descending)


def _within_reach(scope: _Scope, page: PageRequest, descending: bool) -> sa.ColumnElement[bool]:
    """Whether an effect's rank leaves it a place on the page: one class alone fills a page up to some rank.

    So an index on class and rank ends early for all classes, where a database would sort all of their effects.
    """
    first, keys = _search(scope.classes[:1], scope, page.filters)
    last = cut(first, keys, page, descending=descending).with_only_columns(keys[0]).offset(page.limit).limit(1)
    bound = sa.func.coalesce(last.scalar_subquery(), 0 if descending else 2**31 - 1)
    return UnitEffect.rank >= bound if descending else UnitEffect.rank <= bound


def _search(classes: Sequence[int], scope: _Scope, wanted: Mapping[str, Any]) -> Search:
    """A statement of the effects that fit, of which it selects the pair's IoU at most, and the columns that sort it."""
    effects = sa.select().select_from(UnitEffect).where(UnitEffect.class_id.in_(classes), scope.effects)
    sort = wanted["sort"].removeprefix("-")
    filtered = scope.labelled or wanted["detectors"] or any(wanted[name] is not None for name in _LABEL_FILTERS)
    if filtered or sort not in EFFECT_SORTS:
        effects = join_units(effects, scope.labels, isouter=not filtered)
    if filtered and len(scope.classes) == 1:
        # of the unit once more, so that a database may begin with the few of one model
        effects = effects.where(Unit.dissection_id.in_(scope.dissections))
    sorts: dict[str, SortKey] = {**SORTS, "iou": sa.func.coalesce(Unit.iou, 0.0, type_=sa.Float), **EFFECT_SORTS}
    if not _asks_for_pairs(wanted):
        return _filter(effects, Unit, scope, wanted), [sorts[sort], *_KEYS]
    pairs = _filter(effects.join(UnitLabel, UnitLabel.unit_id == Unit.id), UnitLabel, scope, wanted)
    return pairs.add_columns(UnitLabel.iou), [(sorts | {"iou": UnitLabel.iou})[sort], *_KEYS, UnitLabel.concept_id]


def _asks_for_pairs(wanted: Mapping[str, Any]) -> bool:
    """Whether all stored concepts of a unit count, not its label alone."""
    return wanted["concept"] is not None and not wanted["detectors"]


def _filter(
    effects: sa.Select[*tuple[Any, ...]],
    label: type[Unit] | type[UnitLabel],
    scope: _Scope,
    wanted: Mapping[str, Any],
) -> sa.Select[*tuple[Any, ...]]:
    if scope.concepts:
        effects = effects.where(label.concept_id.in_(scope.concepts))
    if wanted["detectors"]:
        effects = effects.where(Unit.detector)
    return effects if wanted["min_iou"] is None else effects.where(label.iou >= wanted["min_iou"])


def _find_scope(session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any]) -> _Scope:
    kind = job_kind(session, team_id, wanted["job"], KINDS)
    ablation_job, label_job = (wanted["job"], None) if kind == "ablation" else (None, wanted["job"])
    concepts = find_concepts(session, team_id, wanted)
    labels = answering(label_job, wanted["method"])
    found = _find_ablated(session, team_id, wanted, ablation_job, labels)
    pinned = wanted["layer"] is not None or ablation_job is not None
    return _Scope(
        classes=sorted({class_id for class_id, _, _ in found}),
        effects=UnitEffect.ablation_id.in_({id for _, id, _ in found}) if pinned else sa.and_(UnitEffect.current),
        labels=labels,
        dissections={id for _, _, id in found if id is not None},
        labelled=label_job is not None,
        concepts=concepts,
    )


def _find_ablated(
    session: Session,
    team_id: uuid.UUID,
    wanted: Mapping[str, Any],
    job_id: uuid.UUID | None,
    labels: sa.ColumnElement[bool],
) -> Sequence[tuple[int, int, int | None]]:
    """The classes of the name that is asked for, each with an ablation that knows it, and what labels its units.

    Raise Invalid for unknown names.
    """
    models = [Model.team_id == team_id, *([] if wanted["model"] is None else [Model.name == wanted["model"]])]
    layers = [] if wanted["layer"] is None else [Layer.name == wanted["layer"]]
    answers = LayerAblation.current if job_id is None else LayerAblation.job_id == job_id
    statement = (
        sa.select(Class.id, LayerAblation.id, LayerDissection.id)
        .join(Model, Model.id == Class.model_id)
        .join(AblatedClass, AblatedClass.class_id == Class.id)
        .join(LayerAblation, LayerAblation.id == AblatedClass.ablation_id)
        .join(Layer, Layer.id == LayerAblation.layer_id)
        .join(LayerDissection, sa.and_(LayerDissection.layer_id == Layer.id, labels), isouter=True)
        .where(*models, *layers, Class.name == wanted["class_name"], answers)
    )
    found = session.execute(statement).tuples().all()
    if not found:
        check_name(session, sa.select(Model.name).where(Model.team_id == team_id), "model", wanted["model"])
        check_name(session, sa.select(Class.name).join(Model).where(*models), "class", wanted["class_name"])
        check_name(session, sa.select(Layer.name).join(Model).where(*models), "layer", wanted["layer"])
    return found
