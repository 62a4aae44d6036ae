"""What a link opens: for each kind of thing the views that show it, and how a request must name it there.

A view that is not named here is closed to links.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Fields = Mapping[str, str | None]
"""What a thing is addressed with; None for what its address leaves open."""
Query = Mapping[str, Sequence[str]]

PAGE = ("limit", "cursor")


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


@dataclass(frozen=True, kw_only=True)
class Door:
    """A view that shows a thing.

    A request must name the thing's fields by parameters of `path` and `query`, and leave out what the thing leaves
    open; those of `within` it may name where the thing leaves them open, those of `free` as it likes, and no others.
    """

    view: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    within: Sequence[str] = ()
    free: Sequence[str] = ()

    def values(self, shown: Fields) -> dict[str, str]:
        """The parameters by which the view is asked for the thing."""
        names = {**self.path, **self.query, **{name: name for name in self.within}}
        return {name: value for name, of in names.items() if (value := shown[of]) is not None}

    def fits(self, shown: Fields, path: Mapping[str, object], query: Query) -> bool:
        """Whether a request names the thing that is shown, and nothing else."""
        given = single(query)
        return (
            given is not None
            and given.keys() <= {*self.query, *self.within, *self.free}
            and all(str(path[name]) == shown[of] for name, of in self.path.items())
            and all(given.get(name) == shown[of] for name, of in self.query.items())
            and all(shown[name] in (None, given.get(name)) for name in self.within)
        )


def single(query: Query) -> dict[str, str] | None:
    """The parameters of a query string, None where one is there twice."""
    if any(len(values) > 1 for values in query.values()):
        return None
    return {name: values[0] for name, values in query.items()}


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its fields that are never open, the others, and its doors, the thing itself first.

    `pages` are those that lead to pages for people.
    """

    needed: Sequence[str]
    open: Sequence[str]
    doors: Sequence[Door]
    pages: Sequence[Door]

    @property
    def fields(self) -> Sequence[str]:
        """All fields."""
        return (*self.needed, *self.open)


_FOUND = (*PAGE, "method", "min_iou", "detectors", "sort")
"""Filters of units that tell nothing of what is not shown."""

KINDS: Mapping[str, Kind] = {
    "unit": Kind(
        ("model", "layer", "unit"),
        ("job",),
        [Door(view="results.get_unit", path=_same("model", "layer", "unit"), query=_same("job"))],
        [Door(view="explorer.show_unit", path=_same("model", "layer", "unit"), query=_same("job"))],
    ),
    "layer": Kind(
        ("model", "layer"),
        ("job",),
        [Door(view="results.list_units", query=_same("model", "layer", "job"), free=_FOUND)],
        [Door(view="explorer.show_layer", path=_same("model", "layer"), query=_same("job"), free=_FOUND)],
    ),
    "job": Kind(
        ("job_id",),
        (),
        [
            Door(view="jobs.get_job", path=_same("job_id"), free=("wait",)),
            Door(view="jobs.list_events", path=_same("job_id"), free=("after", "limit")),
            Door(view="jobs.get_summary", path=_same("job_id")),
            Door(view="results.list_units", query={"job": "job_id"}, free=_FOUND),
            Door(view="attacks.list_attacks", query={"job": "job_id"}, free=(*PAGE, "outcome")),
        ],
        [
            Door(view="explorer.show_job", path=_same("job_id")),
            Door(view="explorer.list_units", query={"job": "job_id"}, free=_FOUND),
            Door(view="explorer.list_attacks", query={"job": "job_id"}, free=(*PAGE, "outcome")),
        ],
    ),
    "class": Kind(
        ("name",),
        ("model", "layer", "job"),
        [
            Door(
                view="effects.explain_class",
                path=_same("name"),
                query=_same("model", "layer", "job"),
                free=("units",),
            )
        ],
        [
            Door(
                view="explorer.show_class",
                query={"class": "name", **_same("model", "layer", "job")},
                free=("units",),
            )
        ],
    ),
    "comparison": Kind(
        ("a", "b"),
        ("layer_a", "layer_b"),
        [
            Door(view="comparing.compare", path=_same("a", "b"), within=("layer_a", "layer_b")),
            Door(
                view="comparing.list_changes",
                path=_same("a", "b"),
                within=("layer_a", "layer_b"),
                free=(*PAGE, "change"),
            ),
        ],
        [
            Door(
                view="explorer.compare",
                query=_same("a", "b"),
                within=("layer_a", "layer_b"),
                free=(*PAGE, "change"),
            )
        ],
    ),
    "painting": Kind(
        ("painting_id",),
        (),
        [Door(view="paintings.get_one", path=_same("painting_id"), free=("inline",))],
        [Door(view="explorer.show_painting", path=_same("painting_id"))],
    ),
    "collection": Kind(
        ("collection_id",),
        (),
        [Door(view="collections.get_one", path=_same("collection_id"))],
        [Door(view="explorer.show_collection", path=_same("collection_id"))],
    ),
}

ALWAYS = ("access.get_session",)
"""Views that tell anybody about themselves."""
ENTRANCE = Door(view="explorer.home")
"""Where a link begins: it leads on to the page of its thing."""


def opens(kind: str, shown: Fields, view: str, path: Mapping[str, object], query: Query) -> bool:
    """Whether a link to a thing opens what a request asks for."""
    doors = (*KINDS[kind].doors, *KINDS[kind].pages, ENTRANCE)
    return view in ALWAYS or any(door.view == view and door.fits(shown, path, query) for door in doors)
