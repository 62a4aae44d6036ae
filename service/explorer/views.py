"""Pages of what can be studied and what was found: home, models, layers, units, concepts."""

from typing import Any, cast

from flask import Response

from service.annotations.queries import annotations_of
from service.annotations.replies import describe_annotation
from service.catalog import queries as catalog
from service.catalog.replies import describe_model
from service.collections.queries import list_collections
from service.collections.replies import describe_collection
from service.context import caller, db, team_id
from service.explorer import charts, found, queries
from service.explorer.forms import KINDS
from service.explorer.generator_queries import measured_on
from service.explorer.linking import page_of
from service.explorer.pages import may, pages, render, see_other
from service.explorer.schemas import ConceptQuerySchema, LayerQuerySchema, SearchSchema
from service.jobs import queries as jobs
from service.jobs.replies import describe
from service.pagination import MAX_LIMIT, PageQuery, PageRequest
from service.results.effects.explaining_queries import count_important
from service.results.effects.replies import describe_class, describe_seen
from service.results.effects.unit_queries import see_unit
from service.results.exporting.chart import draw
from service.results.queries import details_of, imported_of
from service.results.replies import describe_concept
from service.results.schemas import ConceptsQuerySchema, UnitQuerySchema, UnitsQuerySchema
from service.results.search_queries import list_concepts as search_concepts

FEW, SOME = 6, 12
"""Units and names that stand for all there are."""


@pages.get("/")
@pages.requires("read")
@pages.arguments(SearchSchema, location="query")
def home(query: dict[str, Any]) -> str | Response:
    """Show what is new, or what a search finds; to whoever follows a link, what that shows."""
    if (share := caller().share) is not None:
        return see_other(page_of(share))
    if query["q"] is not None:
        return render("search.html", q=query["q"], **_search(query["q"]))
    newest = jobs.list_jobs(db(), team_id(), PageRequest(SOME)).data
    models = catalog.list_models(db(), team_id(), PageRequest(SOME)).data
    return render(
        "home.html",
        jobs=describe(db(), newest),
        models=[describe_model(model) for model in models],
        units=found.best(FEW, detectors=True),
    )


def _search(text: str) -> dict[str, Any]:
    named = PageRequest(SOME, filters={"q": text, "model": None, "category": None})
    concepts = [describe_concept(row) for row in search_concepts(db(), team_id(), named).data]
    classes = catalog.list_classes(db(), team_id(), named).data
    counts = count_important(db(), [row.id for row in classes])
    exact = any(concept["name"] == text for concept in concepts)
    units = found.show(queries.find_named_units(db(), team_id(), text, SOME))
    return {
        "concepts": concepts,
        "classes": [describe_class(row, counts.get(row.id)) for row in classes],
        "models": [name for name in catalog.model_names(db(), team_id()) if text.lower() in name.lower()][:SOME],
        "units": units or (found.best(FEW, concept=text) if exact else []),
    }


@pages.get("/models")
@pages.requires("read")
@pages.arguments(PageQuery, location="query")
def list_models(page: PageRequest) -> str:
    """List the team's models."""
    listed = catalog.list_models(db(), team_id(), page)
    models = [describe_model(model) for model in listed.data]
    return render("models.html", models=models, next_cursor=listed.next_cursor)


@pages.get("/models/<name>")
@pages.requires("read")
def show_model(name: str) -> str:
    """Show a model: what its layers detect, what else is known of it, and its jobs."""
    model = catalog.get_model(db(), team_id(), name)
    layers = catalog.layers_of(db(), model.model)
    dissected = queries.dissected_layers(db(), [layer.id for layer in layers])
    newest = jobs.list_jobs(db(), team_id(), PageRequest(SOME, filters={"model": name}))
    return render(
        "model.html",
        model=describe_model(model),
        layers=layers,
        dissected=dissected,
        bars=charts.stack_layers(dissected),
        jobs=describe(db(), newest.data),
        kinds=KINDS[model.model.kind],
    )


@pages.get("/models/<model>/layers/<layer>")
@pages.requires("read")
@pages.arguments(LayerQuerySchema, location="query")
def show_layer(page: PageRequest, model: str, layer: str) -> str:
    """Show a layer: its concepts, and its units as far as they fit the filters."""
    row = queries.get_layer(db(), team_id(), model, layer)
    within = PageRequest(page.limit, page.cursor, {**page.filters, "model": model, "layer": layer})
    dissected = queries.dissected_layers(db(), [row.id], page.filters["job"]).get(row.id)
    return render(
        "layer.html",
        model=model,
        layer=row,
        filters=page.filters,
        dissected=dissected,
        chart=draw(dissected.figures["chart"]) if dissected else None,
        shown=found.find(within),
        kinds=KINDS[catalog.get_model(db(), team_id(), model).model.kind],
    )


@pages.get("/units")
@pages.requires("read")
@pages.arguments(UnitsQuerySchema, location="query")
def list_units(page: PageRequest) -> str:
    """List units of all layers that fit the filters."""
    return render("units.html", filters=page.filters, shown=found.find(page))


@pages.get("/models/<model>/layers/<layer>/units/<int(max=2147483647):unit>")
@pages.requires("read")
@pages.arguments(UnitQuerySchema, location="query")
def show_unit(query: dict[str, Any], model: str, layer: str, unit: int) -> str:
    """Show all that is known of a unit."""
    seen = see_unit(db(), team_id(), model, layer, unit, query["job"])
    dissected = details_of(db(), team_id(), seen.found) if seen.found else None
    described = describe_seen(seen, dissected, imported_of(db(), team_id(), seen))
    row = queries.get_layer(db(), team_id(), model, layer)
    measured = measured_on(db(), row, unit)
    return render(
        "unit.html",
        unit=described,
        layer=row,
        job=query["job"],
        current=seen.found is not None and seen.found.current,
        histogram=charts.draw_unit(described),
        changes=charts.draw_changes(described["effects"], "accuracy_change"),
        shifts=charts.draw_changes(described["attacks"], "mean_peak_change"),
        measured=measured,
        removed=charts.draw_changes([found._asdict() for found in measured], "change"),
        annotations=[describe_annotation(said) for said in annotations_of(db(), team_id(), model, layer, unit)],
        collections=_collections() if may("write") else [],
    )


def _collections() -> list[dict[str, Any]]:
    """The newest collections, to choose from."""
    listed = list_collections(db(), team_id(), PageRequest(MAX_LIMIT))
    return [describe_collection(*row) for row in listed.data]


@pages.get("/concepts")
@pages.requires("read")
@pages.arguments(ConceptsQuerySchema, location="query")
def list_concepts(page: PageRequest) -> str:
    """List the team's concepts with the numbers of their units."""
    listed = search_concepts(db(), team_id(), page)
    concepts = [describe_concept(row) for row in listed.data]
    return render("concepts.html", filters=page.filters, concepts=concepts, next_cursor=listed.next_cursor)


@pages.get("/concept")
@pages.requires("read")
@pages.arguments(ConceptQuerySchema, location="query")
def show_concept(page: PageRequest) -> str:
    """Show a concept: its best units across all models and layers."""
    shown = found.find(page)
    name, category = cast(str, page.filters["concept"]), page.filters["category"]
    places = queries.places_of_concept(db(), team_id(), name, category)
    return render("concept.html", filters=page.filters, places=places, shown=shown)
