"""Models, datasets and concepts as they are written and listed."""

import threading
import uuid
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.queries import make_team
from service.catalog import queries
from service.catalog.tables import Class, Concept, DatasetConcept
from service.database import Sessions, reading
from service.errors import Conflict, Invalid, NotFound
from service.pagination import PageRequest


class Shape(NamedTuple):
    name: str
    units: int
    height: int
    width: int


LAYERS = [Shape("conv1", 64, 32, 30), Shape("conv2", 128, 16, 15)]
NO_FILTER = {"model": None, "q": None}


@pytest.fixture
def teams(sessions: Sessions) -> tuple[uuid.UUID, uuid.UUID]:
    with sessions.begin() as session:
        made = make_team(session, "ours"), make_team(session, "theirs")
        session.flush()
        return made[0].id, made[1].id


def write_model(session: Session, team: uuid.UUID, name: str = "vgg", **change: Any) -> None:
    given: dict[str, Any] = {
        "kind": "classifier",
        "source": "torchvision:vgg16",
        "weights": {"seed": 1},
        "input": {"resize": 64},
        "digest": "ab" * 32,
        "forward_seconds": 0.5,
        "layers": LAYERS,
        "classes": ["beach", "forest", "beach"],
    }
    queries.write_model(session, team, name=name, **given | change)


def write_dataset(session: Session, team: uuid.UUID, name: str, concepts: list[tuple[str, str]]) -> None:
    queries.write_dataset(
        session,
        team,
        name=name,
        format="masks",
        location={"path": name},
        manifest="cd" * 32,
        images=7,
        grid=None,
        classes=["beach"],
        concepts=concepts,
    )


def test_a_model_has_its_layers_in_forward_order_and_its_classes(
    sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]
) -> None:
    with sessions.begin() as session:
        write_model(session, teams[0])
        write_model(session, teams[0], "bare", classes=[], layers=[])
    with reading(sessions) as session:
        found = queries.get_model(session, teams[0], "vgg")
        assert (found.layers, found.classes, found.model.weights) == (2, 3, {"seed": 1})
        layers = queries.layers_of(session, found.model)
        assert [(row.name, row.units, row.height, row.width, row.position) for row in layers] == [
            (*layer, position) for position, layer in enumerate(LAYERS)
        ]
        classes = session.execute(sa.select(Class.index, Class.name).order_by(Class.index)).tuples().all()
        assert classes == [(0, "beach"), (1, "forest"), (2, "beach")]


def test_a_name_is_given_once_in_a_team(sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]) -> None:
    with sessions.begin() as session:
        for team in teams:
            write_model(session, team)
            write_dataset(session, team, "vgg", [])
    with sessions.begin() as session:
        with pytest.raises(Conflict, match="'vgg'"):
            write_model(session, teams[0])
        with pytest.raises(Conflict, match="'vgg'"):
            write_dataset(session, teams[0], "vgg", [])


def test_what_is_not_there_is_named_with_what_is_near(sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]) -> None:
    with sessions.begin() as session:
        write_model(session, teams[0], "squeezenet")
        write_dataset(session, teams[0], "camvid", [])
        write_model(session, teams[1], "squeezenets")
    with reading(sessions) as session:
        with pytest.raises(NotFound, match=r"did you mean 'squeezenet'\?"):
            queries.get_model(session, teams[0], "squeezenets")
        with pytest.raises(NotFound, match=r"did you mean 'camvid'\?"):
            queries.get_dataset(session, teams[0], "canvid")
        with pytest.raises(NotFound) as caught:
            queries.get_dataset(session, teams[1], "camvid")
        assert "mean" not in caught.value.detail


def test_lists_are_sorted_by_name_and_end(sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]) -> None:
    names = ["c", "a", "b"]
    with sessions.begin() as session:
        for name in names:
            write_model(session, teams[0], name)
            write_dataset(session, teams[0], name, [])
        write_model(session, teams[1], "foreign")
    with reading(sessions) as session:
        first = queries.list_models(session, teams[0], PageRequest(limit=2))
        rest = queries.list_models(session, teams[0], PageRequest(limit=2, cursor=first.next_cursor))
        assert [row.model.name for row in [*first.data, *rest.data]] == sorted(names)
        assert [(row.layers, row.classes) for row in first.data] == [(2, 3)] * 2
        assert rest.next_cursor is None
        datasets = queries.list_datasets(session, teams[0], PageRequest())
        assert [row.name for row in datasets.data] == sorted(names)


def test_classes_are_filtered_by_model_and_part_of_the_name(
    sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]
) -> None:
    with sessions.begin() as session:
        write_model(session, teams[0], "a")
        write_model(session, teams[0], "b", classes=["Forest road", "100%"])
        write_model(session, teams[1], "c")

    def found(**filters: str) -> list[tuple[str, int, str]]:
        with reading(sessions) as session:
            page = queries.list_classes(session, teams[0], PageRequest(filters=NO_FILTER | filters))
            return [(row.model, row.index, row.name) for row in page.data]

    assert found(q="forest") == [("a", 1, "forest"), ("b", 0, "Forest road")]
    assert found(q="%") == [("b", 1, "100%")]
    assert found(model="a") == [("a", 0, "beach"), ("a", 1, "forest"), ("a", 2, "beach")]
    with pytest.raises(Invalid, match="no model is named 'c'"):
        found(model="c")


def test_a_dataset_keeps_the_order_of_its_concepts(sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]) -> None:
    concepts = [("object", "tree"), ("material", "wood"), ("object", "bed")]
    with sessions.begin() as session:
        write_dataset(session, teams[0], "scenes", concepts)
        write_dataset(session, teams[0], "plain", [])
    with reading(sessions) as session:
        datasets = [queries.get_dataset(session, teams[0], name) for name in ("scenes", "plain")]
        ordered = session.execute(
            sa.select(Concept.category, Concept.name)
            .join(DatasetConcept, DatasetConcept.concept_id == Concept.id)
            .where(DatasetConcept.dataset_id == datasets[0].id)
            .order_by(DatasetConcept.position)
        )
        assert ordered.tuples().all() == concepts
        counts = queries.concept_counts(session, datasets)
        assert counts == {datasets[0].id: {"material": 1, "object": 2}, datasets[1].id: {}}


def test_concepts_are_made_once_and_found_in_the_order_asked(
    sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]
) -> None:
    concepts = [("object", "tree"), ("part", "tree"), ("object", "bed")]
    with sessions.begin() as session:
        ids = queries.concept_ids(session, teams[0], concepts)
        assert len(set(ids)) == 3
        assert queries.concept_ids(session, teams[0], concepts[::-1]) == ids[::-1]
        assert queries.concept_ids(session, teams[0], [concepts[0], concepts[0]]) == [ids[0]] * 2
        assert queries.concept_ids(session, teams[0], []) == []
        assert not set(queries.concept_ids(session, teams[1], concepts)) & set(ids)


def test_two_who_make_the_same_concepts_at_once_agree(sessions: Sessions, teams: tuple[uuid.UUID, uuid.UUID]) -> None:
    concepts = [("object", f"thing {i}") for i in range(50)]
    start = threading.Barrier(4)
    found: list[dict[tuple[str, str], int]] = []

    def make(mine: list[tuple[str, str]]) -> None:
        start.wait()
        with sessions.begin() as session:
            found.append(dict(zip(mine, queries.concept_ids(session, teams[0], mine), strict=True)))

    orders = [concepts, concepts[::-1], concepts[25:] + concepts[:25], concepts]
    threads = [threading.Thread(target=make, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [found[0]] * 4
