"""A generator whose pictures are known: the units of its layer draw red, green and blue, each cell a square."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from PIL import Image
from torch import Tensor, nn

from service.catalog.tables import Model
from service.painting import queries
from service.painting.resolving import Resolver
from service.painting.schemas import PaintingRequestSchema
from service.painting.tables import Painting
from service.settings import Settings
from tests.workers.jobs.conftest import Driver
from workers.jobs import subjects
from workers.networks.sources import SOURCES
from workers.painting import canvas, levels
from workers.runner.painting import run_painting

SIDE, CELL = 16, 4
DARK = {"vector": [-1.0] * 6}
RED, GREEN, BLUE = range(3)


class Spread(nn.Module):
    """Value k of a latent (n, 6) that is positive sets unit k % 3 in the upper (k < 3) or lower half: (n, 4, 4, 4).

    A fourth unit draws nothing.
    """

    def forward(self, latents: Tensor) -> Tensor:
        on = (latents > 0).float().view(-1, 2, 3)
        maps = on.repeat_interleave(2, 1).transpose(1, 2)[..., None].expand(-1, -1, -1, 4)  # (n, 3, 4, 4)
        return torch.cat([maps, maps[:, :1]], 1)


class Colours(nn.Module):
    def forward(self, maps: Tensor) -> Tensor:
        return maps[:, :3] * 2 - 1


def easel() -> nn.Sequential:
    """Pictures (n, 3, 16, 16) from -1 to 1; each cell of layer 0 is a square of 4 x 4 pixels."""
    return nn.Sequential(Spread(), nn.Upsample(scale_factor=CELL), Colours())


@dataclass
class Easel:
    name: str
    kind: str = "generator"
    input: dict[str, Any] = field(default_factory=lambda: {"latent": [6], "range": [-1.0, 1.0]})
    classes: tuple[()] = ()
    concepts: tuple[()] = ()

    def build(self, size: object, state: object) -> nn.Module:
        return easel()


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    for kept in (subjects._network, canvas.open_canvas, canvas.open_layer, levels.levels):
        kept.cache_clear()


@pytest.fixture(autouse=True)
def easel_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "easel", lambda name, pretrained: Easel(name))


@pytest.fixture
def driver(sqlite_settings: Settings) -> Iterator[Driver]:
    """A team with the generator `easel`, its layer `0` not dissected."""
    driver = Driver(sqlite_settings)
    driver.done(driver.queue_model("easel", "easel", kind="generator"))
    yield driver
    driver.engine.dispose()


Paint = Callable[..., Painting]


@pytest.fixture
def paint(driver: Driver) -> Paint:
    """Ask for a painting on the dark picture and have it done."""

    def paint(*strokes: dict[str, Any], **given: Any) -> Painting:
        return carry_out(driver, {"latent": DARK, "layer": "0", "strokes": list(strokes), **given})

    return paint


def carry_out(driver: Driver, body: dict[str, Any]) -> Painting:
    with driver.sessions.begin() as session:
        model = session.scalars(sa.select(Model).where(Model.name == "easel")).one()
        resolved = Resolver(session, driver.team_id, model, PaintingRequestSchema().load(body)).resolve()
        row = queries.add_painting(session, driver.team_id, model, resolved.document, resolved.warnings, 60.0)
    run_painting(driver.process, row.id, "worker")
    with driver.sessions() as session:
        return session.get_one(Painting, row.id)


def mask(*pixels: tuple[int, int]) -> dict[str, Any]:
    """The mask of some pixels (row, column)."""
    places = sorted(SIDE * row + column for row, column in pixels)
    ends = [*(place + step for place in places for step in (0, 1)), SIDE**2]
    return {"size": [SIDE, SIDE], "runs": np.diff(ends, prepend=0).tolist()}


def stroke(units: Sequence[int], *pixels: tuple[int, int], **given: Any) -> dict[str, Any]:
    """A stroke that draws units at 1 where it touches these pixels."""
    drawn = {"action": "draw", "values": [1.0] * len(units)} if given.get("action") != "erase" else {}
    return {"units": list(units), "mask": mask(*pixels), **drawn, **given}


def picture(driver: Driver, digest: str | None) -> np.ndarray:
    assert digest is not None
    return np.asarray(Image.open(BytesIO(driver.store.path(digest).read_bytes())))


def counts(painting: Painting) -> dict[str, tuple[int, int, int, int]]:
    """By concept its pixels inside before and after, outside before and after."""
    assert painting.result is not None
    return {
        change["name"]: tuple(change[where][when] for where in ("inside", "outside") for when in ("before", "after"))
        for change in painting.result["concepts"]
    }
