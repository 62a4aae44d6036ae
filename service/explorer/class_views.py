"""Pages of what units are for and what attacks do: classes, attacked images."""

from typing import Any

from service.artifacts.views import DIGEST_PARAMETER
from service.catalog import queries as catalog
from service.catalog.schemas import ClassesQuerySchema
from service.context import db, team_id
from service.explorer import charts, found, queries
from service.explorer.linking import shared
from service.explorer.pages import pages, render
from service.explorer.schemas import ClassQuerySchema
from service.pagination import PageRequest
from service.results.attacks.image_queries import see_image
from service.results.attacks.replies import describe_attacked, describe_image
from service.results.attacks.schemas import AttacksQuerySchema
from service.results.attacks.search_queries import search_attacks
from service.results.effects.explaining_queries import count_important, explain
from service.results.effects.replies import describe_class, describe_explanation


@pages.get("/classes")
@pages.requires("read")
@pages.arguments(ClassesQuerySchema, location="query")
def list_classes(page: PageRequest) -> str:
    """List the classes of the team's models, with the numbers of units that matter to them."""
    listed = catalog.list_classes(db(), team_id(), page)
    counts = count_important(db(), [row.id for row in listed.data])
    classes = [describe_class(row, counts.get(row.id)) for row in listed.data]
    return render("classes.html", filters=page.filters, classes=classes, next_cursor=listed.next_cursor)


@pages.get("/class")
@pages.requires("read")
@pages.arguments(ClassQuerySchema, location="query")
def show_class(query: dict[str, Any]) -> str:
    """Explain a class by the units of a layer: the one that is asked for, else the last one that was ablated."""
    name = query["class_name"]
    places = queries.layers_explaining(db(), team_id(), name)
    explained = explain(db(), team_id(), name, query | _choose(query, places))
    return render(
        "class.html",
        explained=describe_explanation(explained),
        places=[] if shared() else places,
        units=found.show_affected(explained.units),
        curves=charts.draw_curves(explained.row.curves),
        removed=explained.row.curves,
    )


def _choose(query: dict[str, Any], places: list[queries.ExplainedIn]) -> dict[str, Any]:
    """Model and layer where the query leaves open which of several is meant."""
    fitting = [place for place in places if query["model"] in (None, place.model)]
    if query["job"] is not None or query["layer"] is not None or not fitting:
        return {}
    return fitting[0]._asdict()


@pages.get("/attacks")
@pages.requires("read")
@pages.arguments(AttacksQuerySchema, location="query")
def list_attacks(page: PageRequest) -> str:
    """List attacked images, those of the newest attack first."""
    listed = search_attacks(db(), team_id(), page)
    images = [describe_attacked(row) for row in listed.data]
    return render("attacks.html", filters=page.filters, images=images, next_cursor=listed.next_cursor)


@pages.route("/images/<digest>", parameters=[DIGEST_PARAMETER])
@pages.requires("read")
def show_image(digest: str) -> str:
    """Show what is known of an image: what attacks did to it, and the units that peak on it."""
    seen = see_image(db(), team_id(), digest)
    return render("image.html", image=describe_image(seen), units=found.show([unit.found for unit in seen.units]))
