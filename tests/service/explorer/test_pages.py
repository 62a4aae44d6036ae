"""What each page shows: what the API's calls give."""

import pytest
from flask.testing import FlaskClient

from tests.service.explorer.conftest import Read
from tests.service.explorer.filled import HOSTILE, IMAGE, LAYER, Filled

MODEL = "/models/alpha"
AT = f"{MODEL}/layers/conv%3C1%3E&"


def test_home_shows_the_best_detectors_and_newest_jobs(client: FlaskClient, read: Read, filled: Filled) -> None:
    page = read("/")
    assert f"{HOSTILE} alpha {LAYER} unit 0" in page.text
    assert f"/jobs/{filled.failed}" in page.links
    found = client.get("/v1/units?detectors=true&limit=6").json["data"]
    assert [unit["links"]["picture"] for unit in found] == [image["src"] for image in page.all("img")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(HOSTILE, "/concept?"), ("glass", "material"), ("ALPH", MODEL), ("conv<1> unit 0", "/units/0"), ("0", "/units/0")],
)
def test_search(read: Read, filled: Filled, text: str, expected: str) -> None:
    page = read("/", q=text)
    assert expected in page.text + " ".join(page.links)
    assert "Nothing here has a name" not in page.text


def test_search_that_finds_nothing(read: Read, filled: Filled) -> None:
    assert "Nothing here has a name with “alpha conv 99”" in read("/", q="alpha conv 99").text


def test_model_shows_layers_with_their_controls(read: Read, filled: Filled) -> None:
    text = read(MODEL).text
    assert "in a random basis 3 object 2 object 2 2 object 1" in text
    assert "masks shuffled 1 units are above chance 0.5" in text
    assert "conv2 3 not dissected" in text


def test_layer_is_filtered_sorted_and_paged_as_the_api(client: FlaskClient, read: Read, filled: Filled) -> None:
    query = {"sort": "unit", "limit": 2}
    page = read(AT, **query)
    found = client.get("/v1/units", query_string={**query, "model": "alpha", "layer": LAYER}).json
    assert [f"unit {unit['unit']}" in page.text for unit in found["data"]] == [True, True]
    (following,) = (link for link in page.links if "cursor=" in link)
    assert f"cursor={found['next_cursor']}" in following
    assert "unit 2" in read(following).text
    assert "[0.150, 0.350]" in page.text
    assert "No unit fits" in read(AT, min_iou=0.9).text
    assert "unit 1" not in read(AT, concept=HOSTILE, min_iou=0.2, category="").text


def test_layer_by_damage_to_a_class(read: Read, filled: Filled) -> None:
    assert f"{HOSTILE}: accuracy -0.100" in read(AT, **{"class": HOSTILE}).text


def test_layer_of_an_older_job(read: Read, filled: Filled) -> None:
    page = read(AT, job=filled.older)
    assert "IoU 0.500" in page.text
    assert any(f"/units/0?job={filled.older}" in link for link in page.links)


def test_unit(read: Read, filled: Filled) -> None:
    page = read(f"{AT}/units/0")
    for part in ("IoU 0.250", "threshold 1.5", "peak 4", "auroc", "0.900", "-0.100", "+3", "compared with the newest"):
        assert part.lower() in page.text.lower()
    assert f"/images/{IMAGE}" in page.links


def test_unit_without_a_label(read: Read, filled: Filled) -> None:
    assert "No concept" in read(f"{AT}/units/2").text


def test_unit_as_an_older_job_saw_it(read: Read, filled: Filled) -> None:
    page = read(f"{AT}/units/0", job=filled.older)
    assert "As an older job saw it" in page.text
    assert "IoU 0.500" in page.text


def test_concept_across_layers(read: Read, filled: Filled) -> None:
    text = read("/concept", concept=HOSTILE, category="object").text
    assert f"{LAYER} alpha object 2 2 0.250" in text
    assert read("/concept", concept="nothing", status=422).text.count("nothing") >= 1


def test_class_is_explained_with_curves_and_attacks(read: Read, filled: Filled) -> None:
    page = read("/class", **{"class": HOSTILE})
    assert "most important units" in page.text
    assert [line["class"] for line in page.all("polyline")][:4] == ["most", "least", "all_but", "random"]
    assert "towards it" in page.text
    assert "1 of 2" in page.text


def test_class_without_curves(read: Read, filled: Filled) -> None:
    page = read("/class", **{"class": "forest"})
    assert not page.all("polyline")
    assert "No sets of units were removed" in page.text


def test_class_that_nobody_has(read: Read, filled: Filled) -> None:
    assert "did you mean 'forest'" in read("/class", 404, **{"class": "forrest"}).text


def test_comparison_shows_both_sides(read: Read, filled: Filled) -> None:
    page = read("/compare", a=filled.older, b=filled.dissection)
    assert "quantile 0.5 0.25" in page.text
    assert "changed" in page.text
    assert len(page.all("img")) == 2
    assert "No label is another one" in read("/compare", a=filled.dissection, b=filled.dissection).text
    read("/compare", 422, a=filled.ablation, b=filled.dissection)


def test_attacked_images(read: Read, filled: Filled) -> None:
    page = read("/attacks", job=filled.attack, outcome="succeeded")
    assert f"forest → {HOSTILE}" in page.text
    assert len(page.all("img")) == 1
    text = read(f"/images/{IMAGE}").text
    assert "Units that peak on it" in text
    assert "restored without, in conv1 2 units" in text


def test_unknown_things(read: Read, filled: Filled) -> None:
    for address in (
        "/models/alpah",
        f"{MODEL}/layers/conv3",
        f"{AT}/units/9",
        f"/images/{'0' * 64}",
        "/models/b/jobs/new",
    ):
        assert "Status 404" in read(address, 404).text
    assert "did you mean 'alpha'" in read("/models/alpah", 404).text


def test_wrong_filters_say_what_is_wrong(read: Read, filled: Filled) -> None:
    assert "min_iou" in read("/units", 422, min_iou="much").text
    assert "cursor" in read("/units", 400, cursor="x").text
    assert "Unknown field" in read("/units", 422, colour="red").text
