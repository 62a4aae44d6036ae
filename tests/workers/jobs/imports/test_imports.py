"""Results of other tools from their files into the database, beside ours, on both databases."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from service.artifacts.queries import record_artifacts
from service.catalog.queries import write_model
from service.catalog.tables import Concept, Layer
from service.database import reading
from service.jobs.imports import check_import
from service.jobs.requests import JobRequestSchema
from service.jobs.submission import submit
from service.results.queries import get_unit, imported_of, labels_of
from service.results.schemas import UnitsQuerySchema
from service.results.search_queries import search_units
from service.results.tables import IMPORTED_METHODS, LayerDissection, Unit, UnitLabel
from service.settings import Settings
from tests.workers.jobs.conftest import Driver
from tests.workers.jobs.imports import tables
from workers.jobs.imports.kind import READERS
from workers.networks.layers import LayerInfo

FOUND = {
    2: {"color": ("red-c", 900, 100, 20), "object": ("tree", 100, 60, 40), "scene": ("ski_resort-s", 500, 80, 10)},
    0: {"scene": ("beach-s", 200, 100, 60)},
    1: {},
}
RATIOS = {2: 40 / 120, 0: 60 / 240}


@pytest.fixture
def driver(settings: Settings) -> Iterator[Driver]:
    driver = Driver(settings)
    with driver.sessions.begin() as session:
        layers = [LayerInfo("conv1", 3, 8, 8), LayerInfo("conv2", 2, 4, 4)]
        given = {"kind": "classifier", "source": "planted", "weights": {}, "input": {}, "digest": "ab" * 32}
        more = {"forward_seconds": 0.1, "layers": layers, "classes": []}
        write_model(session, driver.team_id, name="net", **given, **more)
    yield driver
    driver.engine.dispose()


def queue(driver: Driver, format: str, data: bytes, **params: Any) -> UUID:
    digest = driver.store.put(data)
    body = {"kind": "import", "model": "net", "format": format, "artifact": digest, **params}
    with driver.sessions.begin() as session:
        record_artifacts(session, driver.team_id, [(digest, len(data), "text/csv")])
        request = check_import(session, driver.team_id, JobRequestSchema().load(body), 2**40).request
        return submit(session, request, Settings()).job.id


def search(driver: Driver, **wanted: Any) -> list[tuple[str, str, int, str | None, float | None]]:
    with reading(driver.sessions) as session:
        found = search_units(session, driver.team_id, UnitsQuerySchema().load(wanted)).data
    return [(m.found.method, m.found.layer, m.found.unit, m.found.concept, m.found.similarity) for m in found]


def test_every_format_has_a_reader() -> None:
    assert tuple(READERS) == IMPORTED_METHODS


@pytest.mark.parametrize(("format", "whole"), [("netdissect", int), ("netdissect-lite", float)])
def test_results_of_netdissect_become_labels_of_their_method(driver: Driver, format: str, whole: type) -> None:
    job = driver.done(queue(driver, format, tables.netdissect(FOUND, whole), layer="conv1", cutoff=0.3))
    assert job.summary == {
        "format": format,
        "layers": [{"layer": "conv1", "units": 3, "labelled": 2, "detectors": 1}],
    }
    with reading(driver.sessions) as session:
        best = get_unit(session, driver.team_id, "net", "conv1", 2, job.id)
        labels = [(label.category, label.concept, label.rank) for label in labels_of(session, best.id)]
        counts = [(label.intersection, label.union) for label in labels_of(session, best.id)]
        beach = get_unit(session, driver.team_id, "net", "conv1", 0, job.id)
        nothing = get_unit(session, driver.team_id, "net", "conv1", 1, job.id)
    # the suffixes of colours and scenes are the data set's, whose concepts have none here
    assert labels == [("object", "tree", 1), ("color", "red", 2), ("scene", "ski_resort", 3)]
    assert counts == [(40, 120), (20, 980), (10, 570)]
    assert (best.method, best.iou, best.detector, best.threshold) == (format, pytest.approx(RATIOS[2]), True, None)
    assert (beach.concept, beach.iou, beach.detector) == ("beach", pytest.approx(RATIOS[0]), False)
    assert (nothing.concept, nothing.iou, nothing.detector) == (None, 0.0, False)


def test_descriptions_of_clip_dissect_come_with_their_similarity(driver: Driver) -> None:
    rows = [("conv2", 0, "dotted", 0.25), ("conv2", 1, "tree", -1.5), ("conv1", 2, "tree", 0.125)]
    job = driver.done(queue(driver, "clip-dissect", tables.clip_dissect(rows)))
    assert job.summary["layers"] == [
        {"layer": "conv2", "units": 2, "labelled": 2, "detectors": 0},
        {"layer": "conv1", "units": 1, "labelled": 1, "detectors": 0},
    ]
    expected = [("clip-dissect", *row) for row in sorted(rows, key=lambda row: -row[3])]
    assert search(driver, method="clip-dissect", sort="-similarity") == expected
    trees = [row for row in expected if row[3] == "tree"]
    assert search(driver, method="any", concept="tree", sort="-similarity") == trees
    with reading(driver.sessions) as session:
        assert session.scalars(sa.select(Concept.category).distinct()).all() == ["description"]


def test_imports_answer_only_who_asks_for_them(driver: Driver) -> None:
    driver.done(queue(driver, "netdissect", tables.netdissect(FOUND), layer="conv1"))
    driver.done(queue(driver, "clip-dissect", tables.clip_dissect([("conv1", 2, "tree", 0.5)])))
    assert search(driver) == search(driver, model="net") == search(driver, concept="tree") == []
    assert search(driver, method="netdissect", detectors="true") == [
        ("netdissect", "conv1", 2, "tree", None),
        ("netdissect", "conv1", 0, "beach", None),
    ]
    assert search(driver, method="netdissect", min_iou="0.3") == [("netdissect", "conv1", 2, "tree", None)]
    assert search(driver, method="any", concept="tree") == [
        ("netdissect", "conv1", 2, "tree", None),
        ("clip-dissect", "conv1", 2, "tree", 0.5),
    ]
    assert search(driver, method="any", concept="tree", detectors="true") == [("netdissect", "conv1", 2, "tree", None)]
    assert len(search(driver, method="any", sort="threshold")) == 4
    assert search(driver, method="netdissect-lite") == []
    with driver.sessions() as session:
        flags = [*session.scalars(sa.select(Unit.current)), *session.scalars(sa.select(UnitLabel.current))]
    assert flags and not any(flags), "the index of the fast search holds our own labels only"


def test_the_newest_import_of_each_method_answers(driver: Driver) -> None:
    first = queue(driver, "netdissect", tables.netdissect(FOUND), layer="conv1")
    driver.run()
    driver.done(queue(driver, "netdissect-lite", tables.netdissect(FOUND), layer="conv1"))
    driver.done(queue(driver, "netdissect", tables.netdissect({0: {"part": ("leg", 10, 10, 5)}}), layer="conv1"))
    assert search(driver, method="netdissect") == [("netdissect", "conv1", 0, "leg", None)]
    assert len(search(driver, method="any")) == 4
    assert len(search(driver, job=str(first))) == 3
    with reading(driver.sessions) as session:
        unit = get_unit(session, driver.team_id, "net", "conv1", 0, first)
        others = imported_of(session, driver.team_id, unit)
        assert [(other.method, other.concept) for other in others] == [
            ("netdissect", "leg"),
            ("netdissect-lite", "beach"),
        ]


GOOD = tables.netdissect(FOUND).decode()
CLIP = tables.clip_dissect([("conv1", 0, "dotted", 0.25), ("conv1", 1, "tree", 0.5)]).decode()
FAULTS = [
    ("netdissect", GOOD.replace("object-iou", "object-IoU"), "line 1 lacks the column object-iou"),
    ("netdissect", re.sub("(?m)^unit,", "units,", GOOD), "line 1 lacks the column unit"),
    ("netdissect", "unit,category,label,score\n1,object,tree,0.5\n", "line 1 lacks the column object-label"),
    ("netdissect", re.sub("(?m)^3,", "4,", GOOD), "line 2: the layer 'conv1' has 3 units, so not 4"),
    ("netdissect", re.sub("(?m)^3,", "0,", GOOD), "line 2: the unit 0 is none"),
    ("netdissect", re.sub("(?m)^1,", "3,", GOOD), "line 3: the unit 3 of 'conv1' is there twice"),
    ("netdissect", re.sub("(?m)^3,object,tree,[^,]*", "3,object,tree,high", GOOD), "line 2: the score 'high' is no"),
    ("netdissect", re.sub("(?m)^3,object,tree,[^,]*", "3,object,tree,nan", GOOD), "line 2: the score 'nan' is no"),
    ("netdissect", re.sub("(?m)^3,object,tree,[^,]*", "3,object,tree,1.5", GOOD), "line 2: the score 1.5 is not from"),
    ("netdissect", GOOD.replace("3,object", "3,thing"), "line 2: the category 'thing' is none of color, object"),
    ("netdissect", GOOD.replace("900,100,20", "900,100,501"), "line 2: the color-intersect 501 is more"),
    ("netdissect", GOOD.replace("900,100,20", "900,-1,20"), "line 2: the color-activation '-1' is no whole number"),
    ("netdissect", GOOD.splitlines()[0], "no rows"),
    ("netdissect", "\x89PNG", "line 1 lacks the column unit"),
    ("netdissect", "", "line 1 lacks the column unit"),
    ("clip-dissect", CLIP.replace("conv1,1", "conv3,1"), "line 3: the model has no layer 'conv3'.*did you mean"),
    ("clip-dissect", CLIP.replace("conv1,1", "conv1,3"), "line 3: the layer 'conv1' has 3 units, so not 3"),
    ("clip-dissect", CLIP.replace("conv1,1", "conv1,0"), "line 3: the unit 0 of 'conv1' is there twice"),
    ("clip-dissect", CLIP.replace("tree", ""), "line 3: the description is empty"),
    ("clip-dissect", CLIP.replace("0.5", "0.5,1"), "line 3: 5 cells for the 4 columns"),
    ("clip-dissect", GOOD, "line 1 lacks the column layer, description, similarity"),
]


def test_a_bad_file_fails_with_its_line_and_writes_nothing(driver: Driver, subtests: pytest.Subtests) -> None:
    for format, text, detail in FAULTS:
        with subtests.test(detail):
            layer = {"layer": "conv1"} if format == "netdissect" else {}
            error = driver.failure(queue(driver, format, text.encode(), **layer))
            assert (error["status"], error["errors"][0]["pointer"]) == (422, "/artifact")
            assert re.search(detail, error["detail"])
            assert driver.count(LayerDissection) == driver.count(Unit) == driver.count(UnitLabel) == 0
            assert driver.count(Concept) == 0
    assert driver.count(Layer) == 2
