"""A DCGAN of faces, painted on with units that its dissection found, against the whole network with a hook."""

from io import BytesIO

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from PIL import Image

from service.catalog.tables import Model
from service.painting import queries
from service.painting.resolving import Resolver
from service.painting.schemas import PaintingRequestSchema
from service.painting.tables import Painting
from tests.workers.jobs.conftest import Driver
from workers.networks.network import load
from workers.runner.painting import run_painting

GIVEN = {"latent": [100, 1, 1], "range": [-1, 1]}
LAYER, SIDE, CELLS = "main.8", 64, 16
LATENT = {"seed": 1, "index": 3}
TOP = {"size": [4, 1], "runs": [0, 1, 3]}
"""The uppermost quarter of the picture."""

pytestmark = pytest.mark.real


def paint(driver: Driver, *strokes: dict) -> Painting:
    body = {"latent": LATENT, "layer": LAYER, "strokes": list(strokes), "segmentation": "colors"}
    with driver.sessions.begin() as session:
        model = session.scalars(sa.select(Model).where(Model.name == "faces")).one()
        resolved = Resolver(session, driver.team_id, model, PaintingRequestSchema().load(body)).resolve()
        row = queries.add_painting(session, driver.team_id, model, resolved.document, resolved.warnings, 300.0)
    run_painting(driver.process, row.id, "worker")
    with driver.sessions() as session:
        painting = session.get_one(Painting, row.id)
    assert painting.state == "succeeded", painting.error
    return painting


def test_black_is_painted_over_a_face(sqlite_settings, samples):
    driver = Driver(sqlite_settings)
    weights = {"artifact": driver.store.put(samples / "nets" / "dcgan_faces64.pt2")}
    driver.done(driver.queue_model("faces", "exported", kind="generator", weights=weights, input=GIVEN))
    driver.dissect("faces", None, [LAYER], latents={"seed": 2, "count": 40}, segmentation="colors")
    stroke = {"concept": {"category": "color", "name": "black"}, "top": 20, "mask": TOP}
    drawn = paint(driver, stroke | {"action": "draw", "strength": 0.8})
    erased = paint(driver, stroke | {"action": "erase"})
    module = load("exported", weights, GIVEN, [], driver.store, torch.device("cpu"), kind="generator").module
    latent = np.random.RandomState(1).standard_normal(400).astype(np.float32)[300:].reshape(1, 100, 1, 1)

    for painting, strength in ((drawn, 0.8), (erased, 1.0)):
        (laid,) = painting.document["strokes"]
        values = torch.tensor(laid["values"] or [0.0] * 20)[:, None, None]

        def edit(_module, _inputs, output, units=laid["units"], values=values, strength=strength):
            output = output.clone()
            upper = output[:, units, : CELLS // 4]
            output[:, units, : CELLS // 4] = upper * (1 - strength) + values * strength
            return output

        with torch.no_grad():
            hook = module.get_submodule(LAYER).register_forward_hook(edit)
            expected = module(torch.from_numpy(latent))[0].permute(1, 2, 0).numpy() * 127.5 + 127.5
            hook.remove()
        found = np.asarray(Image.open(BytesIO(driver.store.path(painting.edited).read_bytes())))
        assert np.abs(found - expected.clip(0, 255)).max() < 0.75  # a pixel is a whole number
        assert painting.result["strokes"] == [{"units": 20, "cells": CELLS**2 // 4, "of": CELLS**2}]
    before, after = (
        np.asarray(Image.open(BytesIO(driver.store.path(digest).read_bytes())))
        for digest in (drawn.unedited, drawn.edited)
    )
    assert (before[:12] != after[:12]).any()
    assert np.array_equal(before[24:], after[24:])  # out of the convolutions' reach
    driver.engine.dispose()
