"""The figures do not depend on who computes them, in which pieces, how often, or on which database."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import sqlalchemy as sa
import torch

from service.artifacts.tables import ArtifactOwner
from service.jobs.tables import Shard
from service.results.tables import LayerDissection, Unit
from tests.workers.jobs import worlds
from workers.jobs.dissection import forward, passing, plan
from workers.jobs.dissection.kind import Dissection
from workers.jobs.dissection.scratch import Part

LAYERS = ["0", "4", "7"]
IMAGES = 40
CONTROLS = ["permutation", "rotation", "untrained"]
BLOCKS = (
    2 + 4 + 5
)  # of 5 units of the three layers; the layers themselves are measured and scored, two controls measured


@pytest.fixture
def ready(driver_on_each):
    worlds.noise(IMAGES).write(driver_on_each.settings.import_dir / "world")
    driver_on_each.queue_dataset("world")
    driver_on_each.queue_model("model", "planted:vgg", input={"resize": [32, 32]})
    driver_on_each.run(3)
    return driver_on_each


def dissect(ready, workers=1):
    params = {"grid": 12, "segmentation": ["masks", "colors"], "controls": CONTROLS}
    job = ready.dissect("model", "world", LAYERS, workers, reuse=False, **params)
    return job, ready.found(job)


def assert_same(some, others):
    assert some.keys() == others.keys()
    for layer, found in some.items():
        for field in dataclasses.fields(found):
            np.testing.assert_equal(getattr(others[layer], field.name), getattr(found, field.name), field.name)


class Flaky:
    """A dissection whose every shard does its work and then fails, once."""

    name, version, inner = "dissection", 1, Dissection()
    plan, merge = inner.plan, inner.merge

    def run(self, context):
        result = self.inner.run(context)
        if context.attempt == 1:
            raise RuntimeError("the first attempt is lost")
        return result


def small_shards(monkeypatch):
    monkeypatch.setattr(plan, "PILOT_IMAGES", 11)
    monkeypatch.setattr(plan, "IMAGES_IN_SHARD", 7)
    monkeypatch.setattr(plan, "UNITS_IN_SHARD", 5)


def test_shard_sizes_workers_and_repeated_attempts_change_nothing(ready, monkeypatch, caplog):
    job, expected = dissect(ready)
    assert ready.stages(job) == ["prepare", "collect", "measure", "score"]

    _, with_three = dissect(ready, workers=3)
    assert_same(expected, with_three)

    small_shards(monkeypatch)
    job, in_pieces = dissect(ready, workers=3)
    assert_same(expected, in_pieces)
    with ready.sessions() as session:
        counts = session.execute(
            sa.select(Shard.stage_position, sa.func.count())
            .where(Shard.job_id == job.id)
            .group_by(Shard.stage_position)
            .order_by(Shard.stage_position)
        )
        # 29 images after the pilot in sevens; 8, 16 and 24 units in fives
        assert [count for _, count in counts] == [1, 5, 3 * BLOCKS, BLOCKS]

    ready.process.kinds["dissection"] = Flaky()
    job, tried_twice = dissect(ready, workers=3)
    assert_same(expected, tried_twice)
    with ready.sessions() as session:
        attempts = Counter(session.scalars(sa.select(Shard.attempt).where(Shard.job_id == job.id)))
    assert attempts == {2: 1 + 5 + 4 * BLOCKS}


@pytest.mark.parametrize("cause", ["memory", "running out of it"])
def test_other_batches_change_no_more_than_rounding(ready, monkeypatch, cause):
    _, expected = dissect(ready)
    if cause == "memory":
        monkeypatch.setattr(forward, "largest_batch", lambda network, memory: 3)
    else:
        monkeypatch.setattr(forward, "as_input", no_more_than(3))
    _, found = dissect(ready)
    for layer in LAYERS:
        np.testing.assert_allclose(found[layer].thresholds, expected[layer].thresholds, rtol=1e-5, atol=1e-7)
        assert found[layer].labels == expected[layer].labels
        np.testing.assert_allclose(found[layer].iou, expected[layer].iou, rtol=0, atol=1e-3)
        for pair in found[layer].scores.keys() & expected[layer].scores.keys():
            ours, theirs = found[layer].scores[pair], expected[layer].scores[pair]
            assert ours["auroc"] == pytest.approx(theirs["auroc"], abs=0.01)
            assert ours["iou_low"] == pytest.approx(theirs["iou_low"], abs=0.01)


def no_more_than(images):
    """A device that has no memory for larger batches."""

    def give(pixels, device, precision):
        if len(pixels) > images:
            raise torch.OutOfMemoryError("out of memory")
        return pixels.to(device)

    return give


def test_a_device_without_memory_for_one_image_is_told(ready, monkeypatch):
    monkeypatch.setattr(forward, "as_input", no_more_than(0))
    problem = ready.failure(ready.queue_dissection("model", "world", LAYERS, grid=12))
    assert "not suffice for a single image" in problem["detail"]


def test_what_does_not_fit_the_memory_goes_to_the_scratch_space_and_changes_nothing(ready, monkeypatch):
    _, expected = dissect(ready)
    batch = forward.largest_batch
    monkeypatch.setattr(forward, "largest_batch", lambda network, memory: batch(network, 2**30))
    ready.process = dataclasses.replace(
        ready.process, settings=dataclasses.replace(ready.process.settings, memory_bytes=0)
    )
    small_shards(monkeypatch)
    spilled: Counter[str] = Counter()
    write = Part.write_candidates
    monkeypatch.setattr(
        Part, "write_candidates", lambda self, *found: (spilled.update([self.directory.name]), write(self, *found))[1]
    )
    monkeypatch.setattr(plan, "IMAGES_IN_SHARD", 29)  # two batches in the one shard of `collect`
    _, found = dissect(ready)
    assert_same(expected, found)
    assert spilled["collect-0-1"] == 2 * 3 * len(LAYERS)


def test_bounds_that_prove_too_high_cost_another_pass_and_change_nothing(ready, monkeypatch):
    _, expected = dissect(ready)
    small_shards(monkeypatch)

    def too_high(samples, quantile):
        """Above all of the pilot for every other unit, far too low for the rest."""
        bounds = samples.max((0, 2)) + 1
        bounds[::2] = -np.inf
        return bounds.astype(np.float32)

    monkeypatch.setattr(passing, "pilot_bounds", too_high)
    job, found = dissect(ready, workers=3)
    assert ready.stages(job) == ["prepare", "collect", "measure", "recollect", "measure", "score"]
    assert_same(expected, found)


def test_nothing_is_there_twice_and_the_newest_answers(ready):
    first, _ = dissect(ready)
    second, _ = dissect(ready)
    with ready.sessions() as session:
        rows = session.execute(sa.select(LayerDissection.job_id, LayerDissection.current)).tuples().all()
        assert Counter(rows) == {(first.id, False): 3, (second.id, True): 3}
        assert Counter(session.scalars(sa.select(Unit.current))) == {False: 8 + 16 + 24, True: 8 + 16 + 24}
        owners = list(session.scalars(sa.select(ArtifactOwner.digest)))
    assert len(owners) == len(set(owners))


def test_a_failed_job_leaves_no_rows_and_a_retry_goes_on_where_it_stopped(ready, monkeypatch):
    _, expected = dissect(ready)
    before = ready.count(Unit)
    with monkeypatch.context() as patched:
        patched.setattr(passing.Pass, "collect", lambda self: 1 / 0)
        params = {"grid": 12, "segmentation": ["masks", "colors"], "controls": CONTROLS}
        job_id = ready.queue_dissection("model", "world", LAYERS, reuse=False, **params)
        problem = ready.failure(job_id)
    assert problem["type"] == "/problems/shard-failed"
    assert ready.count(Unit) == before
    ready.retry(job_id)
    job = ready.done(job_id)
    assert ready.stages(job) == ["prepare", "collect", "measure", "score"]
    assert_same(expected, ready.found(job))
