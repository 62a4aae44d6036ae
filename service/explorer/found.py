"""Units as pages show them: what the API's calls say of them, with the intervals of their labels."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from service.collections.queries import Collected
from service.context import db, team_id
from service.explorer import queries
from service.pagination import PageRequest
from service.results.effects.affected_queries import Affected
from service.results.effects.replies import describe_affected
from service.results.effects.search_queries import search_by_class
from service.results.queries import FoundUnit
from service.results.replies import describe_match, describe_unit
from service.results.schemas import UnitsQuerySchema
from service.results.search_queries import search_units


class Shown(NamedTuple):
    """Some units for a page, and the cursor of those that follow."""

    units: Sequence[Mapping[str, Any]]
    next_cursor: str | None


def find(page: PageRequest) -> Shown:
    """The units that the page's filters ask for, as `GET /v1/units` finds them."""
    if page.filters["class_name"] is not None:
        affected = search_by_class(db(), team_id(), page)
        return Shown(show_affected(affected.data), affected.next_cursor)
    found = search_units(db(), team_id(), page)
    return Shown(_with_intervals([(match.found, describe_match(match)) for match in found.data]), found.next_cursor)


def best(limit: int, **filters: Any) -> Sequence[Mapping[str, Any]]:
    """The first units that some filters find, which are written as in an address."""
    page: PageRequest = UnitsQuerySchema().load({"limit": limit, **filters})
    return find(page).units


def show(units: Sequence[FoundUnit]) -> Sequence[Mapping[str, Any]]:
    """These units."""
    return _with_intervals([(unit, describe_unit(unit, unit)) for unit in units])


def show_collected(units: Sequence[Collected]) -> Sequence[Mapping[str, Any]]:
    """Units of a collection with what is noted of them."""
    return _with_intervals([(unit.found, describe_unit(unit, unit.found) | {"note": unit.note}) for unit in units])


def show_affected(rows: Sequence[Affected]) -> Sequence[Mapping[str, Any]]:
    """Units with their effects on a class."""
    return _with_intervals([(row.found, describe_affected(row)) for row in rows])


def _with_intervals(pairs: Sequence[tuple[FoundUnit | None, dict[str, Any]]]) -> list[Mapping[str, Any]]:
    intervals = queries.intervals_of(db(), [found.id for found, _ in pairs if found is not None])
    return [described | _seen(found, intervals) for found, described in pairs]


def _seen(found: FoundUnit | None, intervals: Mapping[int, queries.Interval]) -> dict[str, Any]:
    """The label's interval, and the job that an older dissection's unit is to be looked at by."""
    if found is None:
        return {"interval": None, "pinned": None}
    pinned: uuid.UUID | None = None if found.current else found.job_id
    return {"interval": intervals.get(found.id), "pinned": pinned}
