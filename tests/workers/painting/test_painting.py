"""Paintings on a generator whose pictures are known: every figure is told beforehand."""

from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import torch

from service.artifacts.queries import find_artifact
from service.catalog.tables import Model
from tests.workers.jobs.conftest import Driver
from tests.workers.painting.conftest import (
    BLUE,
    CELL,
    GREEN,
    RED,
    SIDE,
    Paint,
    carry_out,
    counts,
    easel,
    picture,
    stroke,
)
from workers.networks.latents import LatentSpec
from workers.networks.tails import resuming
from workers.painting import canvas, levels

PIXELS = SIDE**2
SQUARE = CELL**2
LIT = {"vector": [1.0, -1.0, -1.0, -1.0, -1.0, 1.0]}
"""The upper half is red, the lower half blue."""


def filled(*squares: tuple[int, int, int]) -> np.ndarray:
    """The dark picture with squares (unit, row, column) of full colour."""
    drawn = np.zeros((SIDE, SIDE, 3), np.uint8)
    for unit, row, column in squares:
        drawn[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL, unit] = 255
    return drawn


def test_a_pixel_of_a_stroke_draws_the_square_of_its_cell(driver: Driver, paint: Paint) -> None:
    painting = paint(stroke([RED], (0, 0)))
    assert painting.state == "succeeded", painting.error
    assert np.array_equal(picture(driver, painting.edited), filled((RED, 0, 0)))
    assert np.array_equal(picture(driver, painting.unedited), filled())
    assert counts(painting) == {
        "red": (0, 1, 0, SQUARE - 1),
        "black": (1, 0, PIXELS - 1, PIXELS - SQUARE),
    }
    assert painting.result is not None
    assert painting.result["strokes"] == [{"units": 1, "cells": 1, "of": 16}]
    assert painting.result["grid"] == SIDE
    assert (painting.owner, painting.error) == ("worker", None)


def test_pictures_are_artifacts_of_the_team(driver: Driver, paint: Paint) -> None:
    painting = paint(stroke([RED], (0, 0)))
    with driver.sessions() as session:
        for digest in (painting.edited, painting.unedited):
            artifact = find_artifact(session, driver.team_id, str(digest))
            assert artifact is not None and artifact.media_type == "image/png"
            assert artifact.size == driver.store.path(artifact.digest).stat().st_size


def test_erasing_takes_what_was_there(driver: Driver, paint: Paint) -> None:
    corners = [(3, 0), (4, 4), (15, 15)]  # cells (0, 0), (1, 1) and (3, 3)
    painting = paint(stroke([RED, BLUE], *corners, action="erase"), latent=LIT)
    expected = np.zeros((SIDE, SIDE, 3), np.uint8)
    expected[: SIDE // 2, :, RED] = expected[SIDE // 2 :, :, BLUE] = 255
    for row, column in ((0, 0), (1, 1), (3, 3)):
        expected[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = 0
    assert np.array_equal(picture(driver, painting.edited), expected)
    half = PIXELS // 2
    assert counts(painting) == {
        "black": (0, 3, 0, 3 * (SQUARE - 1)),
        "red": (2, 0, half - 2, half - 2 * SQUARE),
        "blue": (1, 0, half - 1, half - SQUARE),
    }


def test_strokes_lie_over_each_other(driver: Driver, paint: Paint) -> None:
    painting = paint(
        stroke([RED, GREEN], (0, 0), (0, 4)),
        stroke([RED], (1, 1), action="erase"),
        stroke([BLUE], (9, 9)),
    )
    assert np.array_equal(
        picture(driver, painting.edited), filled((GREEN, 0, 0), (RED, 0, 1), (GREEN, 0, 1), (BLUE, 2, 2))
    )
    assert painting.result is not None
    assert [laid["cells"] for laid in painting.result["strokes"]] == [2, 1, 1]
    # the masks' four pixels: two of (0, 0), one each of the others
    assert counts(painting)["green"] == (0, 2, 0, SQUARE - 2)
    assert counts(painting)["yellow"] == (0, 1, 0, SQUARE - 1)
    assert counts(painting)["blue"] == (0, 1, 0, SQUARE - 1)


def test_half_the_strength_is_half_the_way(driver: Driver, paint: Paint) -> None:
    painting = paint(stroke([RED], (0, 0), strength=0.5), stroke([RED], (0, 0), strength=0.5))
    assert picture(driver, painting.edited)[0, 0].tolist() == [191, 0, 0]  # floor(0.75 * 255 + 0.5)


def test_strokes_that_change_nothing_leave_the_picture_as_it_is(paint: Paint) -> None:
    nothing = [stroke([], (0, 0)), stroke([RED]), stroke([RED], (0, 0), strength=0.0), stroke([3], (0, 0))]
    for strokes in ([], *([given] for given in nothing)):
        painting = paint(*strokes, latent=LIT)
        assert painting.edited == painting.unedited
    assert counts(painting) == {
        "red": (1, 1, PIXELS // 2 - 1, PIXELS // 2 - 1),
        "blue": (0, 0, PIXELS // 2, PIXELS // 2),
    }


def test_the_same_document_paints_the_same_to_the_bit(driver: Driver, paint: Paint) -> None:
    first = paint(stroke([RED, 3], (0, 0), strength=0.3), stroke([GREEN], (5, 9)), latent={"seed": 4, "index": 7})
    others = [paint(stroke([BLUE], (2, 2)), latent={"seed": 4, "index": index}) for index in range(3)]
    assert len({painting.unedited for painting in others}) > 1
    again = carry_out(driver, first.document)
    canvas.open_canvas.cache_clear()
    anew = carry_out(driver, first.document)
    for painting in (again, anew):
        assert (painting.edited, painting.unedited, painting.result) == (first.edited, first.unedited, first.result)
        assert painting.document == first.document


def test_a_latent_of_a_seed_is_what_its_values_are(paint: Paint) -> None:
    values = np.random.RandomState(3).standard_normal(6 * 6).astype(np.float32)[5 * 6 :]
    drawn = paint(stroke([RED], (0, 0)), latent={"seed": 3, "index": 5})
    given = paint(stroke([RED], (0, 0)), latent={"vector": values.tolist()})
    assert (drawn.edited, drawn.unedited) == (given.edited, given.unedited)


def test_a_vector_is_not_taken_for_a_seed_and_an_index() -> None:
    assert canvas.Drawn(1, 0) != (1.0, 0.0)


def test_a_further_stroke_costs_what_follows_the_layer(paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = {"front": 0, "back": 0}

    def counted(name: str) -> Any:
        run = getattr(resuming.CutHalves, name)

        def count(self: Any, *given: Any) -> Any:
            ran[name] += 1
            return run(self, *given)

        return count

    paint(stroke([RED], (0, 0)))
    for name in ran:
        monkeypatch.setattr(resuming.CutHalves, name, counted(name))
    paint(stroke([RED], (0, 0)), stroke([GREEN], (7, 7)))
    assert ran == {"front": 0, "back": 1}
    paint(stroke([RED], (0, 0)), latent=LIT)
    assert ran == {"front": 1, "back": 3}  # the picture without strokes, too


def test_units_without_a_dissection_are_drawn_as_their_own_quantile(
    driver: Driver, paint: Paint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(levels, "MOST", 20)
    monkeypatch.setattr(levels, "QUANTILE", 0.6)
    painting = paint(stroke([BLUE, RED], (0, 0), values=None))
    latents = LatentSpec((6,)).draw(1, 0, 20)
    maps = easel()[0](latents)  # (20, 4, 4, 4)
    expected = [np.quantile(maps[:, unit].numpy(), 0.6, method="hazen") for unit in (BLUE, RED)]
    assert painting.document["strokes"][0]["values"] == pytest.approx(expected)
    erased = paint(stroke([BLUE], (0, 0), action="erase"))
    assert erased.document["strokes"][0]["values"] is None


def test_no_more_maps_are_drawn_for_levels_than_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    class Recorded(LatentSpec):
        def draw(self, seed: int, start: int, stop: int) -> torch.Tensor:
            drawn.append(stop - start)
            return super().draw(seed, start, stop)

    class Halves:
        def front(self, inputs: torch.Tensor) -> Any:
            return {"output": torch.ones(len(inputs), 2, 8, 8)}

        def maps(self, kept: Any) -> torch.Tensor:
            return kept["output"]

    class Network:
        latent, device = Recorded((6,)), torch.device("cpu")

    monkeypatch.setattr(levels, "open_layer", lambda *_: Halves())
    for values, count in ((1, levels.FEWEST), (128 * 100, 100), (2**40, levels.MOST)):
        monkeypatch.setattr(levels, "VALUES", values)
        levels.levels.cache_clear()
        drawn.clear()
        assert levels.levels(Network(), "0", 1).tolist() == [1, 1]  # type: ignore[arg-type]
        assert sum(drawn) == count


def test_a_model_that_does_not_load_any_more_fails_the_painting(driver: Driver, paint: Paint) -> None:
    with driver.sessions.begin() as session:
        session.execute(sa.update(Model).values(digest="0" * 64))
    painting = paint(stroke([RED], (0, 0)))
    assert painting.state == "failed" and painting.result is None
    assert painting.error is not None and "register it again" in painting.error["detail"]


def test_what_nobody_expected_fails_the_painting(paint: Paint, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(canvas.Canvas, "paint", broken)
    painting = paint(stroke([RED], (0, 0)))
    assert painting.state == "failed"
    assert painting.error is not None and painting.error["type"] == "/problems/painting-failed"
