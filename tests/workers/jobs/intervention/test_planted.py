"""Every figure of interventions on a generator whose units draw known squares, against numpy."""

import hashlib

import numpy as np
import pytest

from tests.workers.jobs.intervention.brute_force import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    change,
    colors,
    maps_of,
    pictures,
    pixels,
)
from workers.analysis.ablation.importance import random_sets
from workers.analysis.interventions.effects import relative_changes
from workers.analysis.interventions.realism import realism
from workers.jobs.intervention.measuring import Measuring
from workers.probes.colors import COLORS

SEED, FIRST, COUNT = 2, 5, 40
LATENTS = {"seed": SEED, "first": FIRST, "count": COUNT}
RANKING = {"seed": SEED, "first": 100, "count": 30}
UNTOUCHED = maps_of(SEED, FIRST, COUNT)
BEFORE = pixels(UNTOUCHED)


@pytest.fixture
def removed(drawing, read):
    drawing.done(drawing.queue_model("colors", "planted:colors", input={"resize": [8, 8]}))
    ranking = {"latents": RANKING, "share": 0.6}
    realism = {"model": "colors", "layer": "1"}
    given = {"latents": LATENTS, "sizes": [1, 2], "random": 3, "ranking": ranking, "realism": realism, "keep": 4}
    job = drawing.intervene("drawer", "0", units=[1, 0, 2, 5], target="red", **given)
    assert drawing.stages(job)[:2] == ["prepare", "rank"]
    return job, *read(drawing, job).values()


def test_removal_is_known_to_the_pixel(removed):
    job, found = removed
    [layer] = job.summary["layers"]
    assert (layer["cut"], found.row.pictures, found.target) == (True, COUNT, "red")
    orders = {"given": [1, 0, 2, 5], "effect": [0, 1, 2, 5]}
    for order, units in orders.items():
        for size in (1, 2):
            check_set(found, order, size, pixels(change(UNTOUCHED, units[:size])))
    check_units(found)
    check_search(layer)
    check_told(layer)
    check_pictures(found)


def check_set(found, order, size, after):
    rows = {name: found.changes[order, size, name] for name in ("red", "green", "blue", "black")}
    assert {name for o, s, name in found.changes if (o, s) == (order, size)} == rows.keys()
    assert found.order[: 1 + found.order.index((order, size, "red"))][-1][2] == "red"
    expected = relative_changes(BEFORE, after)
    drawn = [pixels(change(UNTOUCHED, units)).sum(0) for units in random_sets(range(6), [1, 2], 3)[size - 1]]
    for name, row in rows.items():
        color = COLORS.index(name)
        assert (row.pixels_before, row.pixels_after) == (BEFORE[:, color].sum(), after[:, color].sum())
        assert row.pictures == (BEFORE[:, color] > 0).sum()
        assert row.change == (row.pixels_after - row.pixels_before) / row.pixels_before
        assert row.change_low == pytest.approx(expected.low[color])
        assert row.change_high == pytest.approx(expected.high[color])
        random = [(after[color] - row.pixels_before) / row.pixels_before for after in drawn]
        assert row.random_change == pytest.approx(np.mean(random))
        assert (row.random_low, row.random_high) == pytest.approx(tuple(np.quantile(random, [0.05, 0.95])))


def check_units(found):
    """Each alone: units 2 and 5 draw nothing red; the red square of unit 1 has a quarter of the pixels."""
    ranking = maps_of(SEED, 100, 30)
    whole = pixels(ranking)[:, RED].sum()
    for unit, place, rank in [(1, 1, 2), (0, 2, 1), (2, 3, 3), (5, 4, 4)]:
        row = found.units[unit]
        alone = pixels(change(UNTOUCHED, [unit]))[:, RED].sum()
        assert (row.place, row.rank, row.iou) == (place, rank, None)
        assert row.change == (alone - BEFORE[:, RED].sum()) / BEFORE[:, RED].sum()
        assert row.ranking_change == (pixels(change(ranking, [unit]))[:, RED].sum() - whole) / whole
    assert found.units[2].change == found.units[5].change == 0
    assert found.units[2].change_low == 0


def check_search(layer):
    """Orders 1 0 2 5 and 0 1 2 5; the square of unit 0 is enough for 60 %."""
    assert layer["agreement"]["spearman"] == pytest.approx(0.8)
    shared = [{"size": 1, "units": 0, "chance": 0.25}, {"size": 2, "units": 2, "chance": 1.0}]
    assert layer["agreement"]["shared"] == shared
    ranking = maps_of(SEED, 100, 30)
    left = pixels(change(ranking, [0]))[:, RED].sum() / pixels(ranking)[:, RED].sum()
    assert left < 0.4
    searched = {"share": 0.6, "reached": True, "units": [0], "removed": [pytest.approx(1 - left)]}
    assert layer["search"] == searched
    [greedy] = [told for told in layer["sets"] if told["order"] == "greedy"]
    assert (greedy["size"], greedy["units"]) == (1, [0])


def check_told(layer):
    """What stood behind, and the realism by the shares of colours that a classifier sees."""
    [both] = [told for told in layer["sets"] if (told["order"], told["size"]) == ("given", 2)]
    after = change(UNTOUCHED, [1, 0])
    lost = colors(UNTOUCHED) == RED
    behind = np.bincount(colors(after)[lost], minlength=11)
    counts = {other["concept"]: other["pixels"] for other in both["replaced_by"]}
    assert counts == {"blue": behind[BLUE], "black": behind[BLACK]}
    yellow, white, dead, always = np.zeros((4, COUNT))
    always += 1
    seen = [
        np.stack([p[:, RED], p[:, GREEN], p[:, BLUE], yellow, white, p[:, BLACK], dead, always * 64], 1) / 64
        for p in (BEFORE, pixels(after))
    ]
    expected = realism(*seen)
    assert both["realism"]["floor"] == pytest.approx(expected.floor, rel=1e-4)
    assert both["realism"]["distance"] == pytest.approx(expected.distance, rel=1e-4)
    assert (both["realism"]["features"], both["realism"]["pictures"]) == (8, COUNT)


def check_pictures(found):
    """The first that show red, before and after the two units are removed."""
    shown = np.flatnonzero(BEFORE[:, RED])[:4]
    after = change(UNTOUCHED, [1, 0])
    for row, pair, place in zip(found.edited, found.pairs, shown, strict=True):
        assert row.name == f"seed 2 latent {FIRST + place:06d}"
        assert (row.order, row.size, row.row, row.column) == ("given", 2, None, None)
        assert (row.pixels_before, row.pixels_after) == (BEFORE[place, RED], 0)
        assert (pair[0] == pictures(UNTOUCHED)[place]).all()
        assert (pair[1] == pictures(after)[place]).all()
        assert len(row.digest) == len(hashlib.sha256().hexdigest())


def test_insertion_at_each_cell_works_where_nothing_else_is(drawing, read):
    given = {"action": "insert", "value": 1.0, "where": "each-cell", "latents": LATENTS, "keep": 3}
    job = drawing.intervene("drawer", "0", units=[2], target="green", **given)
    [found] = read(drawing, job).values()
    effects = np.zeros((COUNT, 4, 4), np.int64)
    after = np.zeros((COUNT, 11), np.int64)
    for r in range(4):
        for c in range(4):
            area = np.zeros((4, 4), bool)
            area[r, c] = True
            drawn = pixels(change(UNTOUCHED, [2], 1.0, area))
            effects[:, r, c] = drawn[:, GREEN] - BEFORE[:, GREEN]
            after += drawn
    check_contexts(found, effects)
    [row] = [found.changes["given", 1, "green"]]
    assert (row.pixels_before, row.pixels_after) == (16 * BEFORE[:, GREEN].sum(), after[:, GREEN].sum())
    assert row.random_change is None
    [cells] = job.summary["layers"][0]["cells"]
    assert np.array(cells["pixels"]) == pytest.approx(effects.mean(0))
    assert np.array(cells["standard_errors"]) == pytest.approx(effects.std(0, ddof=1) / np.sqrt(COUNT))
    assert cells["target_pixels"] == BEFORE[:, GREEN].mean()
    assert found.units == {}
    for place, row in enumerate(found.edited):
        assert (row.row, row.column) == np.unravel_index(effects[place].argmax(), (4, 4))
        assert row.pixels_after - row.pixels_before == effects[place].max()


def check_contexts(found, effects):
    """A cell brings its 4 pixels where all is black, and none where it is green; over red it is not green."""
    centres = colors(UNTOUCHED)[:, 1::2, 1::2]
    present = np.unique(centres)
    assert found.contexts.keys() == {COLORS[color] for color in present}
    for color in present:
        row, mine = found.contexts[COLORS[color]], effects[centres == color]
        assert (row.samples, row.pictures) == (len(mine), (centres == color).any((1, 2)).sum())
        assert row.sufficient == (len(mine) >= 1000)
        assert row.pixels == pytest.approx(mine.mean())
        assert row.change == pytest.approx(mine.mean() / BEFORE[:, GREEN].mean())
    assert found.contexts["black"].pixels == 4
    assert found.contexts["black"].standard_error == 0
    assert found.contexts["green"].pixels == found.contexts["red"].pixels == 0


def test_insertion_in_a_mask_at_each_units_own_quantile(drawing, read):
    mask = {"size": [16, 16], "runs": [8 * 16, 8 * 16]}
    value, where = {"quantile": 0.95}, {"mask": mask}
    given = {"action": "insert", "value": value, "where": where, "latents": LATENTS, "random": 2, "sizes": [2]}
    job = drawing.intervene("drawer", "0", units=[2, 1], **given)
    assert drawing.stages(job) == ["prepare", "collect", "level", "measure", "report"]
    [found] = read(drawing, job).values()
    levels = np.quantile(UNTOUCHED.transpose(1, 0, 2, 3).reshape(6, -1), 0.95, axis=1, method="hazen")
    area = np.zeros((4, 4), bool)
    area[2:] = True
    after = pixels(change(UNTOUCHED, [2, 1], levels[[2, 1]], area)).sum(0)
    assert (found.target, found.units) == (None, {})
    shown = {name: row.pixels_after for (_, _, name), row in found.changes.items()}
    assert shown == {COLORS[color]: after[color] for color in np.flatnonzero(after + BEFORE.sum(0))}
    sets = random_sets(range(6), [2], 2)[0]
    drawn = [pixels(change(UNTOUCHED, units, levels[units], area))[:, BLACK].sum() for units in sets]
    whole = BEFORE[:, BLACK].sum()
    assert found.changes["given", 2, "black"].random_change == pytest.approx(np.mean(drawn) / whole - 1)
    [told] = job.summary["layers"][0]["sets"]
    features = [
        pictures(maps).reshape(COUNT, 64, 3).transpose(0, 2, 1).reshape(COUNT, -1) / 255
        for maps in (UNTOUCHED, change(UNTOUCHED, [2, 1], levels[[2, 1]], area))
    ]
    assert told["realism"]["distance"] == pytest.approx(realism(*features).distance, rel=1e-4)
    assert told["target"] is None


def test_figures_depend_on_the_job_alone(drawing, read, monkeypatch):
    """Whoever works at it, however its latents are cut up, and although a shard breaks off after it has written."""
    given = {"units": [0, 1], "target": "red", "latents": LATENTS, "sizes": [1], "ranking": {"latents": RANKING}}
    first = drawing.intervene("drawer", "0", **given)
    monkeypatch.setattr("workers.jobs.intervention.plan.latents_in_shard", lambda _: 7)
    monkeypatch.setattr("workers.jobs.intervention.plan.LATENTS_IN_SHARD", 11)
    run, broken = Measuring.run, []

    def break_once(shard):
        found = run(shard)
        if not broken:
            broken.append(found)
            raise OSError("the disk is gone")
        return found

    monkeypatch.setattr(Measuring, "run", break_once)
    second = drawing.intervene("drawer", "0", workers=3, reuse=False, **given)
    assert broken and second.id != first.id
    assert second.summary == first.summary


def test_what_a_network_drew_is_drawn_and_laid_out(drawing):
    job = drawing.intervene(
        "drawer", "0", units=[2, 0], target="green", latents={"seed": 2, "count": 8}, where="each-cell", random=1
    )
    stored = job.summary["pictures"]
    assert stored.keys() == {"curves", "cells", "sheet"}
    curves, cells = (drawing.store.path(stored[name]).read_text() for name in ("curves", "cells"))
    assert "change of the pixels of green" in curves and "random" in curves
    assert "by what is there" in cells and "black (" in cells
