"""What an attack finds does not depend on who computes it, in which pieces, how often, or on which database."""

import pytest

from service.results.attacks.tables import Attack as AttackRow
from service.results.attacks.tables import AttackedImage, UnitShift
from tests.workers.jobs.attack.conftest import CW, prepare
from workers.jobs.attack import plan
from workers.jobs.attack.kind import Attack

PARAMS = {"layer": ["2", "5"], "settings": CW, "target": ["ant", "least-likely"], "keep": 6}
RANDOM = {"method": "pgd-l2", "settings": {"epsilon": 1.0, "step_size": 0.3, "steps": 4, "random_starts": 2}}


@pytest.fixture
def ready(driver_on_each, undrawn):
    return prepare(driver_on_each)


def values(row):
    return {c.name: getattr(row, c.name) for c in row.__table__.columns if c.name not in ("attack_id", "id", "job_id")}


def assert_same(one, other):
    """Bit for bit: distances, peaks and the digests of the stored images."""
    assert one.keys() == other.keys()
    for target, found in one.items():
        theirs = other[target]
        assert values(found.attack) == values(theirs.attack)
        assert [values(row) for row in found.images] == [values(row) for row in theirs.images]
        assert found.shifts.keys() == theirs.shifts.keys()
        assert all(values(row) == values(theirs.shifts[key]) for key, row in found.shifts.items())


class Flaky:
    """An attack whose every shard does its work and then fails, once."""

    name, version, inner = "attack", 1, Attack()
    plan, merge = inner.plan, inner.merge

    def run(self, context):
        result = self.inner.run(context)
        if context.attempt == 1:
            raise RuntimeError("the first attempt is lost")
        return result


def test_figures_are_the_same_with_three_workers_other_shards_and_lost_attempts(ready, read, monkeypatch):
    alone = ready.attack("model", "animals", **PARAMS)
    random = ready.attack("model", "animals", **RANDOM)
    assert ready.stages(alone) == ["prepare", "classify", "attack", "report"]
    monkeypatch.setattr(plan, "IMAGES_IN_CLASSIFYING_SHARD", 5)
    monkeypatch.setattr(plan, "IMAGES_IN_SHARD", 3)
    monkeypatch.setitem(ready.process.kinds, "attack", Flaky())
    again = ready.attack("model", "animals", workers=3, reuse=False, **PARAMS)
    assert again.summary == alone.summary
    assert_same(read(ready, alone), read(ready, again))
    again = ready.attack("model", "animals", workers=3, reuse=False, **RANDOM)
    assert_same(read(ready, random), read(ready, again))


def test_a_failed_attack_leaves_no_row_and_goes_on_from_what_it_has(zoo, monkeypatch):
    class Broken(Flaky):
        def run(self, context):
            if context.stage == "report":
                raise RuntimeError("no report")
            return self.inner.run(context)

    monkeypatch.setitem(zoo.process.kinds, "attack", Broken())
    job_id = zoo.queue_attack("model", "animals", **PARAMS)
    zoo.failure(job_id)
    assert zoo.count(AttackRow) == zoo.count(AttackedImage) == zoo.count(UnitShift) == 0
    monkeypatch.setitem(zoo.process.kinds, "attack", Attack())
    zoo.retry(job_id)
    assert [target["target"] for target in zoo.done(job_id).summary["targets"]] == PARAMS["target"]
