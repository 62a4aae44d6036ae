"""The figures of an ablation do not depend on who computes them, in which pieces, how often, or on which database."""

import dataclasses

import numpy as np
import pytest

from service.results.effects.tables import LayerAblation, UnitEffect
from tests.workers.jobs import worlds
from tests.workers.jobs.ablation.conftest import CLASSES, EVALUATED
from workers.jobs.ablation import passing, plan
from workers.jobs.ablation.kind import Ablation

PARAMS = {"sizes": [1, 4, 7]}


@pytest.fixture
def ready(driver_on_each):
    worlds.write_classes(driver_on_each.settings.import_dir / "evaluated", EVALUATED, seed=2)
    driver_on_each.queue_dataset("evaluated", format="folder")
    driver_on_each.queue_model("model", "planted:classifier", input={"resize": [24, 24]}, classes=CLASSES)
    driver_on_each.run(2)
    return driver_on_each


def values(row):
    return {
        c.name: getattr(row, c.name) for c in row.__table__.columns if c.name not in ("id", "ablation_id", "job_id")
    }


def assert_same(one, other):
    for field in ("classes", "units", "effects"):
        mine, theirs = getattr(one, field), getattr(other, field)
        assert mine.keys() == theirs.keys()
        for key, row in mine.items():
            assert {**values(row), "current": None} == {**values(theirs[key]), "current": None}, key
    np.testing.assert_equal(one.matrices, other.matrices)


class Flaky:
    """An ablation whose every shard does its work and then fails, once."""

    name, version, inner = "ablation", 1, Ablation()
    plan, merge = inner.plan, inner.merge

    def run(self, context):
        result = self.inner.run(context)
        if context.attempt == 1:
            raise RuntimeError("the first attempt is lost")
        return result


def test_figures_are_the_same_with_three_workers_other_shards_and_lost_attempts(ready, read, monkeypatch):
    alone = ready.ablate("model", "evaluated", "5", **PARAMS)
    whole = read(ready, alone)
    for module, name, value in [
        (plan, "IMAGES_IN_SHARD", 5),
        (plan, "UNITS_IN_SHARD", 5),
        (plan, "PAIRS_IN_SHARD", 200),
        (passing, "MOST_IMAGES", 3),
    ]:
        monkeypatch.setattr(module, name, value)
    monkeypatch.setitem(ready.process.kinds, "ablation", Flaky())
    again = ready.ablate("model", "evaluated", "5", workers=3, reuse=False, **PARAMS)
    assert_near(read(ready, again), whole)
    assert ready.stages(again) == ["prepare", "collect", "sweep", "rank", "remove", "report"]
    assert again.summary["curves"].keys() == alone.summary["curves"].keys()


def assert_near(one, other):
    """Other pieces are other batches, which round differently."""
    for key, row in one.effects.items():
        mine, theirs = values(row), values(other.effects[key])
        for name, value in mine.items():
            expected = theirs[name]
            if isinstance(value, float) and isinstance(expected, float):
                assert value == pytest.approx(expected, abs=1e-5), (key, name)
            elif name != "current":
                assert value == expected, (key, name)
    for name, row in one.classes.items():
        assert row.curves["most"] == [pytest.approx(point, abs=1e-9) for point in other.classes[name].curves["most"]]


def test_the_same_pieces_give_the_same_bits(ready, read):
    one = ready.ablate("model", "evaluated", "5", **PARAMS)
    other = ready.ablate("model", "evaluated", "5", workers=3, reuse=False, **PARAMS)
    assert_same(read(ready, one), read(ready, other))
    assert one.summary == other.summary


def test_the_newest_ablation_answers_for_its_layer(ready):
    for _ in range(2):
        job = ready.ablate("model", "evaluated", "5", reuse=False, **PARAMS)
    with ready.sessions() as session:
        current = session.query(LayerAblation).filter_by(current=True).one()
        assert current.job_id == job.id
        rows = session.query(UnitEffect).filter_by(current=True).all()
        assert {row.ablation_id for row in rows} == {current.id}


def test_a_failed_ablation_leaves_no_row_and_goes_on_from_what_it_has(ready, monkeypatch):
    class Broken(Flaky):
        def run(self, context):
            if context.stage == "report":
                raise RuntimeError("no report")
            return self.inner.run(context)

    monkeypatch.setitem(ready.process.kinds, "ablation", Broken())
    job_id = ready.queue_ablation("model", "evaluated", "5", **PARAMS)
    ready.failure(job_id)
    assert ready.count(LayerAblation) == ready.count(UnitEffect) == 0
    monkeypatch.setitem(ready.process.kinds, "ablation", Ablation())
    ready.retry(job_id)
    assert ready.done(job_id).summary["units"] == list(range(12))
    assert dataclasses.is_dataclass(plan.Removal)
