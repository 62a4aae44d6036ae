"""Answers as a notebook shows them: their figures and pictures are there, and no text of theirs is markup."""

import base64
import copy
import pickle
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tests.unitatlas.test_ablation import JOB
from unitatlas import Client, Concept, Explanation, Job, Painting, PixelChange, Unit, UnitDetails
from unitatlas.transport import Transport

EVIL = '<script>alert("1")</script>&'
LABEL = {"category": "object", "concept": EVIL, "iou": 0.25}
UNIT = {"model": EVIL, "layer": EVIL, "unit": 3, "threshold": 1.0, "label": LABEL | {"detector": True}, "links": {}}


class Read(HTMLParser):
    """The texts of a document, its pictures and links; every element is closed."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.attributes: dict[str, list[str | None]] = {}
        self.open: list[str] = []
        self.feed(document)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "img":
            self.open.append(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(answer: Any) -> Read:
    return Read(answer._repr_html_())


def pictures(shown: Read) -> list[Image.Image]:
    sources = [source or "" for source in shown.attributes.get("src", [])]
    assert all(source.startswith("data:image/") for source in sources)
    return [Image.open(BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources]


def test_units_show_labels_and_pictures(client: Client, dissected: Job) -> None:
    unit = next(dissected.units())
    shown = read(unit)
    assert unit.label is not None
    assert {unit.label.concept, f"{unit.label.iou:.4g}"} <= {*shown.texts}
    (picture,) = pictures(shown)
    assert picture.width > picture.height
    details = client.unit("net", unit.layer, unit.unit, job=dissected.id)
    best = details.labels[0].raw
    shown = read(details)
    assert f"{best['iou_low']:.4g} to {best['iou_high']:.4g}" in shown.texts
    assert shown.texts.count("-") >= len([label for label in details.labels if label.raw["iou_low"] is None])
    assert [shown.size for shown in pictures(shown)] == [picture.size]


def test_a_unit_far_from_its_service_shows_itself_without_a_picture(client: Client, dissected: Job) -> None:
    unit = next(dissected.units())
    assert copy.deepcopy(unit) == unit
    stored = pickle.loads(pickle.dumps(unit))
    assert stored == unit
    assert pictures(read(stored)) == []
    lost = Unit.reader(client._transport)(unit.raw | {"links": {"picture": f"/v1/artifacts/{'0' * 64}"}})
    assert pictures(read(lost)) == []


def test_a_job_links_to_its_page(client: Client, dissected: Job) -> None:
    shown = read(dissected)
    assert shown.attributes["href"] == [f"{client.url}/jobs/{dissected.id}"]
    done = str(dissected.progress["done"])
    assert (shown.attributes["value"], shown.attributes["max"]) == ([done], [done])
    assert "dissection" in shown.texts


def test_a_concept_shows_its_figures(client: Client, dissected: Job) -> None:
    concept = next(client.concepts())
    assert read(concept).texts[-4:] == [concept.name, concept.category, str(concept.units), str(concept.detectors)]


def test_a_change_shows_its_interval() -> None:
    row = {
        **dict.fromkeys(("model", "layer", "job", "where", "category"), "x"),
        "action": "remove",
        "order": "iou",
        "target": None,
        "concept": EVIL,
        "links": {},
        "size": 2,
        "pictures": 4,
        "pixels_before": 8,
        "pixels_after": 4,
        "change": -0.5,
        "change_low": -0.75,
        "change_high": -0.25,
        "random": {"change": 0.125, "change_low": 0.0, "change_high": 0.25},
    }
    texts = read(PixelChange.from_json(row)).texts
    assert texts[-5:] == ["remove, the first 2 units by iou", EVIL, "-0.5", "-0.75 to -0.25", "0.125"]
    assert (
        read(PixelChange.from_json(row | {"change": None, "change_low": None, "random": None})).texts[-3:] == ["-"] * 3
    )


def _painting() -> Painting:
    change = {"category": "object", "name": EVIL, "inside": {"before": 9, "after": 0}}
    given = {
        "id": "1",
        "model": EVIL,
        "state": "done",
        "document": {},
        "warnings": [],
        "created_at": "now",
        "finished_at": None,
        "links": {},
        "result": {"concepts": [change | {"outside": {"before": 4, "after": 5}}]},
    }
    return Painting.from_json(given)


def _explanation() -> Explanation:
    figures = dict.fromkeys(("balanced_accuracy", "all_class_accuracy", "auroc"), -0.25)
    removed = figures | {"change": -0.5, "change_low": -0.625, "change_high": -0.375}
    removed |= {"rechosen_balanced_accuracy": 0.5, "rechosen_change": 0.0}
    removal = {"size": 4, "most": removed, "least": removed, "all_but": removed, "nature": "none", "verdict": EVIL}
    given = {
        "model": EVIL,
        "layer": EVIL,
        "class": EVIL,
        "images": 1,
        "untouched": {},
        "important_units": 1,
        "units": [UNIT],
        "concepts": [],
        "nature": None,
        "verdict": EVIL,
        "links": {},
        "removing": {"4": removal | {"random": {"change": {"mean": -0.0625, "low": -0.1, "high": 0.0}}}},
        "attacks": {"as_target": None, "as_source": []},
    }
    return Explanation.from_json(given)


def test_an_explanation_and_a_painting_show_their_figures() -> None:
    assert read(_explanation()).texts[-4:] == ["4", "-0.5", "-0.625 to -0.375", "-0.0625"]
    assert read(_painting()).texts[-4:] == [EVIL, "object", "9 to 0", "4 to 5"]


def _details() -> UnitDetails:
    ranked = LABEL | {"rank": 1, "intersection": 1, "union": 4}
    given = UNIT | {"active": 1, "peak": 1.0, "labels": [ranked], "top_images": [], "history": []}
    return UnitDetails.from_json(given)


@pytest.mark.parametrize(
    "answer",
    [
        Unit.from_json(UNIT),
        _details(),
        Concept.from_json({"category": EVIL, "name": EVIL, "units": 1, "detectors": 0}),
        Job(Transport("http://there", None), JOB | {"model": EVIL, "state": EVIL, "error": {"detail": EVIL}}),
        _explanation(),
        _painting(),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_no_text_becomes_markup(answer: Any) -> None:
    shown = read(answer)
    assert "script" not in shown.tags
    assert EVIL in "".join(shown.texts)
