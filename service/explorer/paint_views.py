"""Pages of painting: drawing on a generator's pictures, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import flask
from flask import Response

from service.catalog import queries as catalog
from service.catalog.tables import Layer, Model
from service.context import db, team_id
from service.errors import Invalid, NotFound
from service.explorer import charts, queries
from service.explorer.generator_queries import concepts_of_layers
from service.explorer.pages import pages, render, see_other
from service.explorer.schemas import PaintQuerySchema
from service.pagination import PageRequest
from service.painting.asking import ask
from service.painting.queries import PaintingRow, get_painting, list_paintings
from service.painting.replies import describe
from service.painting.schemas import PaintingRequestSchema, PaintingsQuerySchema

SOME = 12
"""Paintings that stand for all that there are of a model."""


@pages.get("/models/<name>/paint")
@pages.requires("read")
@pages.arguments(PaintQuerySchema, location="query")
def paint(query: dict[str, Any], name: str) -> str:
    """Draw on a picture of a generator, from a latent or from a painting on."""
    model = _generator(name)
    painting = None if query["painting"] is None else _painting(query["painting"], name)
    wanted = query if painting is None else painting["document"]
    layers = catalog.layers_of(db(), model)
    layer = _layer(layers, wanted["layer"])
    return render(
        "paint.html",
        model=model,
        layers=layers,
        layer=layer,
        latent=query["latent"] if painting is None else wanted["latent"],
        concepts=concepts_of_layers(db(), layer),
        painting=painting,
        cells=_cells(painting, model, layer),
        paintings=_newest(name),
    )


def _generator(name: str) -> Model:
    model = catalog.get_model(db(), team_id(), name).model
    if model.kind != "generator":
        raise Invalid(f"{name!r} is a {model.kind}; pictures are painted by a generator", "path:name")
    return model


def _painting(painting_id: UUID, model: str) -> dict[str, Any]:
    row = get_painting(db(), team_id(), painting_id)
    if row.model != model:
        raise NotFound(f"the painting {painting_id} is by {row.model!r}")
    return describe(row)


def _layer(layers: Sequence[Layer], name: str | None) -> Layer:
    """The layer of this name; where none is named the one that detects most concepts, or stands in the middle."""
    if name is None:
        found = queries.dissected_layers(db(), [layer.id for layer in layers])
        detectors = {id: dissected.figures["detectors"] for id, dissected in found.items()}
        return max(layers, key=lambda layer: (detectors.get(layer.id, -1), -abs(2 * layer.position - len(layers))))
    fitting = [layer for layer in layers if layer.name == name]
    if not fitting:
        raise NotFound(f"there is no layer {name!r}{catalog.near(name, [layer.name for layer in layers])}")
    return fitting[0]


def _cells(painting: Mapping[str, Any] | None, model: Model, layer: Layer) -> Sequence[Sequence[charts.Cells]]:
    """The cells that each stroke touches."""
    strokes = [] if painting is None else painting["document"]["strokes"]
    return [charts.draw_cells(stroke["mask"], layer.height, layer.width) for stroke in strokes]


def _newest(model: str | None) -> list[dict[str, Any]]:
    """The newest paintings that have strokes."""
    found = list_paintings(db(), team_id(), PageRequest(SOME, filters={"model": model}))
    return [painting for row in found.data if (painting := describe(row))["document"]["strokes"]]


@pages.get("/paintings")
@pages.requires("read")
@pages.arguments(PaintingsQuerySchema, location="query")
def list_all_paintings(page: PageRequest) -> str:
    """List the team's paintings, newest first."""
    found = list_paintings(db(), team_id(), page)
    paintings = [describe(row) for row in found.data]
    return render("paintings.html", filters=page.filters, paintings=paintings, next_cursor=found.next_cursor)


@pages.get("/paintings/<uuid:painting_id>")
@pages.requires("read")
def show_painting(painting_id: UUID) -> str:
    """Show a painting: its strokes, and what they did."""
    row = get_painting(db(), team_id(), painting_id)
    model = catalog.get_model(db(), team_id(), row.model).model
    layer = _layer(catalog.layers_of(db(), model), row.painting.document["layer"])
    painting = describe(row)
    return render("painting.html", painting=painting, layer=layer, cells=_cells(painting, model, layer))


@pages.post("/paintings/<uuid:painting_id>/repeat")
@pages.requires("run")
def repeat_painting(painting_id: UUID) -> Response:
    """Paint the same once more."""
    row = get_painting(db(), team_id(), painting_id)
    wanted = PaintingRequestSchema().load(row.painting.document)
    return _to_painting(ask(_generator(row.model), wanted))


def _to_painting(row: PaintingRow) -> Response:
    return see_other(flask.url_for(".show_painting", painting_id=row.painting.id))
