"""Writing a dissection, and what is read of single units."""

import random
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.catalog.queries import concept_ids, find_model
from service.database import Sessions, reading
from service.errors import NotFound
from service.results import queries
from service.results.queries import LabelResult, UnitResult
from service.results.tables import LayerDissection, Unit, UnitLabel
from tests.service.results import planted


def unit(index: int, *labels: LabelResult) -> UnitResult:
    return UnitResult(index=index, threshold=1.0, active=3, peak=2.0, labels=labels, picture=planted.PICTURE)


def write(session: Session, units: list[UnitResult], layer: str = "conv1") -> uuid.UUID:
    """A dissection of one layer of the model `alpha`, which is made where it is not there."""
    team = planted.plant_team(session, "ours")
    model = find_model(session, team, "alpha") or planted.plant_model(session, team, "alpha")
    job = planted.plant_job(session, team, model)
    planted.dissect(session, job, [layer], {layer: units})
    return job.id


def ids(session: Session) -> dict[tuple[str, str], int]:
    team = planted.plant_team(session, "ours")
    return dict(zip(planted.CONCEPTS, concept_ids(session, team, planted.CONCEPTS), strict=True))


def test_label_and_detector_follow_from_the_best_label(sessions: Sessions) -> None:
    with sessions.begin() as session:
        tree, sky = ids(session)["object", "tree"], ids(session)["object", "sky"]
        best, other = LabelResult(tree, 1, 0.05, 5, 100), LabelResult(sky, 2, 0.045, 9, 200)
        at_cutoff = LabelResult(sky, 1, planted.CUTOFF, 4, 100)
        only_kept_for_its_concept = LabelResult(sky, 12, 0.02, 2, 100)
        write(session, [unit(0, other, best), unit(1, at_cutoff), unit(2), unit(3, only_kept_for_its_concept)])
    with reading(sessions) as session:
        rows = session.execute(sa.select(Unit.concept_id, Unit.iou, Unit.detector).order_by(Unit.index)).tuples().all()
    assert rows == [(tree, 0.05, True), (sky, planted.CUTOFF, False), (None, 0.0, False), (None, 0.0, False)]


def test_a_newer_dissection_answers_for_its_layers_only(sessions: Sessions) -> None:
    with sessions.begin() as session:
        label = LabelResult(ids(session)["object", "tree"], 1, 0.5, 1, 2)
        old = write(session, [unit(0, label)], "conv1")
        other = write(session, [unit(0, label)], "conv2")
    with sessions.begin() as session:
        new = write(session, [unit(0, label)], "conv1")
    with reading(sessions) as session:
        expected = {old: False, other: True, new: True}
        job_and_current = sa.select(LayerDissection.job_id, LayerDissection.current)
        assert dict(session.execute(job_and_current).tuples().all()) == expected
        for table in (Unit, UnitLabel):
            job_and_current = sa.select(LayerDissection.job_id, table.current)
            joined = job_and_current.join(table, table.dissection_id == LayerDissection.id)
            assert dict(session.execute(joined).tuples().all()) == expected


def test_a_dissection_that_is_rolled_back_leaves_the_older_one_in_place(sessions: Sessions) -> None:
    with sessions.begin() as session:
        first = write(session, [unit(0)])
    with pytest.raises(RuntimeError), sessions.begin() as session:
        write(session, [unit(0)])
        raise RuntimeError
    with reading(sessions) as session:
        assert session.execute(sa.select(LayerDissection.job_id, LayerDissection.current)).tuples().all() == [
            (first, True)
        ]


def test_a_unit_is_read_as_the_newest_or_a_named_dissection_saw_it(sessions: Sessions) -> None:
    with sessions.begin() as session:
        tree, glass = ids(session)["object", "tree"], ids(session)["material", "glass"]
        old = write(session, [unit(0, LabelResult(tree, 1, 0.25, 25, 100))])
        new = write(session, [unit(0, LabelResult(tree, 2, 0.3, 30, 100), LabelResult(glass, 1, 0.5, 50, 100))])
        team = planted.plant_team(session, "ours")
    with reading(sessions) as session:
        now = queries.get_unit(session, team, "alpha", "conv1", 0)
        then = queries.get_unit(session, team, "alpha", "conv1", 0, old)
        assert (now.job_id, now.category, now.concept, now.iou, now.detector) == (new, "material", "glass", 0.5, True)
        assert (then.job_id, then.category, then.concept, then.iou, then.current) == (
            old,
            "object",
            "tree",
            0.25,
            False,
        )
        assert [label[:6] for label in queries.labels_of(session, now.id)] == [
            ("material", "glass", 1, 0.5, 50, 100),
            ("object", "tree", 2, 0.3, 30, 100),
        ]
        assert queries.history_of(session, team, then) == [now, then]


def test_no_unit_of_another_team_layer_or_job_is_read(sessions: Sessions) -> None:
    with sessions.begin() as session:
        write(session, [unit(0)])
        ours, theirs = planted.plant_team(session, "ours"), planted.plant_team(session, "theirs")
    with reading(sessions) as session:
        for team, layer, index, job in (
            (theirs, "conv1", 0, None),
            (ours, "conv2", 0, None),
            (ours, "conv1", 1, None),
            (ours, "conv1", 0, uuid.UUID(int=1)),
        ):
            with pytest.raises(NotFound):
                queries.get_unit(session, team, "alpha", layer, index, job)


def test_thousands_of_units_are_written_as_they_are(sessions: Sessions) -> None:
    chance = random.Random(0)
    with sessions.begin() as session:
        concepts = list(ids(session).values())
        units = [planted.random_unit(chance, index, concepts) for index in range(3000)]
        chance.shuffle(units)
        write(session, units)
    with reading(sessions) as session:
        labels = session.execute(
            sa.select(Unit.index, UnitLabel.concept_id, UnitLabel.rank, UnitLabel.iou)
            .join(Unit, Unit.id == UnitLabel.unit_id)
            .order_by(Unit.index, UnitLabel.rank)
        )
        expected = [
            (unit.index, label.concept_id, label.rank, label.iou)
            for unit in sorted(units, key=lambda unit: unit.index)
            for label in unit.labels
        ]
        assert labels.tuples().all() == expected
