"""Verdicts against brute force over the units that summaries were made of."""

import random
import uuid
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Invalid
from service.results.comparing.assertions import jobs_named, judge
from tests.service.results.comparing import compared
from tests.service.results.planted import CONCEPTS, IOUS, Known

OTHER = uuid.UUID(int=2)


def units(chance: random.Random, layer: str) -> list[Known]:
    """Units of which some have no label."""
    found = []
    for index in range(chance.randint(1, 30)):
        labels = [(chance.choice(CONCEPTS), 0, chance.choice(IOUS) * chance.random())] if chance.random() < 0.8 else []
        found.append(Known(index, "m", layer, index, OTHER, True, 1.0, labels))
    return found


def figure(units: list[Known], given: dict[str, Any]) -> Fraction:
    """The figure by looking at every unit."""
    wanted = [
        unit
        for unit in units
        if unit.detector
        and given.get("category") in (None, unit.labels[0][0][0])
        and given.get("concept") in (None, unit.labels[0][0][1])
    ]
    return {
        "detectors": Fraction(len(wanted)),
        "distinct": Fraction(len({unit.labels[0][0] for unit in wanted})),
        "dead_units": Fraction(sum(not unit.labels for unit in units)),
        "mean_best_iou": Fraction(compared.summarize({"x": units})["layers"][0]["mean_best_iou"]),
    }[given["figure"]]


def layers(seed: int) -> compared.Layers:
    chance = random.Random(seed)
    return {layer: units(chance, layer) for layer in ("conv1", "conv2")}


SUBJECTS = st.one_of(
    st.fixed_dictionaries({"figure": st.sampled_from(["dead_units", "mean_best_iou"])}),
    st.fixed_dictionaries(
        {"figure": st.just("distinct")}, optional={"category": st.sampled_from([None, "object", "part"])}
    ),
    st.fixed_dictionaries(
        {"figure": st.just("detectors")},
        optional={"category": st.sampled_from([None, "object"]), "concept": st.sampled_from([None, "tree", "sky"])},
    ),
)
LAYER = st.sampled_from(["conv1", "conv2"])
ABSOLUTE = st.one_of(st.integers(0, 20).map(float), st.floats(0, 0.3))
PERCENT = st.one_of(st.sampled_from([0.0, 10.0, 25.0, 50.0, 100.0]), st.floats(0, 100))


@given(
    subject=SUBJECTS,
    layer=LAYER,
    bound=st.sampled_from(["at_least", "at_most", "no_less_than", "no_more_than"]),
    number=ABSOLUTE,
    percent=PERCENT,
    other_layer=st.sampled_from([None, "conv1", "conv2"]),
    seeds=st.tuples(st.integers(0, 50), st.integers(0, 50)),
)
def test_a_verdict_is_what_brute_force_says(
    subject: dict[str, Any],
    layer: str,
    bound: str,
    number: float,
    percent: float,
    other_layer: str | None,
    seeds: tuple[int, int],
) -> None:
    own, other = map(layers, seeds)
    share = "minus_percent" if bound == "no_less_than" else "plus_percent"
    limit = number if bound.startswith("at") else {"job": OTHER, "layer": other_layer, share: percent}
    verdict = judge(
        [{**subject, "layer": layer, bound: limit}], compared.summarize(own), {OTHER: compared.summarize(other)}
    )
    actual, reference = figure(own[layer], subject), figure(other[other_layer or layer], subject)
    expected = {
        "at_least": Fraction(number),
        "at_most": Fraction(number),
        "no_less_than": reference - reference * Fraction(percent) / 100,
        "no_more_than": reference + reference * Fraction(percent) / 100,
    }[bound]
    passed = actual >= expected if bound in ("at_least", "no_less_than") else actual <= expected
    (judged,) = verdict["assertions"]
    assert verdict["passed"] == judged["passed"] == passed
    assert (judged["actual"], judged["expected"]) == (float(actual), float(expected))
    assert judged["detail"].startswith(f"{layer} has ")


@given(subject=SUBJECTS, layer=LAYER, seed=st.integers(0, 1000))
def test_no_figure_is_less_or_more_than_itself(subject: dict[str, Any], layer: str, seed: int) -> None:
    summary = compared.summarize(layers(seed))
    bounds = [("no_less_than", "minus_percent"), ("no_more_than", "plus_percent")]
    asserted = [{**subject, "layer": layer, bound: {"job": OTHER, share: 0.0}} for bound, share in bounds]
    assert judge(asserted, summary, {OTHER: summary})["passed"]


def test_ten_percent_of_a_count_is_exact() -> None:
    def counted(detectors: int) -> compared.Layers:
        return {
            "conv1": [Known(0, "m", "conv1", i, OTHER, True, 1.0, [(CONCEPTS[0], 0, 0.5)]) for i in range(detectors)]
        }

    asserted = [{"figure": "detectors", "layer": "conv1", "no_less_than": {"job": OTHER, "minus_percent": 10.0}}]
    for reference in range(10, 300, 10):
        least = reference * 9 // 10
        for detectors, passed in ((least, True), (least - 1, False)):
            own, other = compared.summarize(counted(detectors)), compared.summarize(counted(reference))
            assert judge(asserted, own, {OTHER: other})["passed"] is passed


WORDS = [
    ({"figure": "detectors", "category": "object", "at_least": 20.0}, "3 object detectors, wanted at least 20"),
    ({"figure": "detectors", "concept": "tree", "at_least": 3.0}, "2 detectors of tree, wanted at least 3"),
    ({"figure": "distinct", "at_most": 1.0}, "detectors of 2 distinct concepts, wanted at most 1"),
    (
        {"figure": "distinct", "category": "object", "at_most": 1.0},
        "detectors of 2 distinct object concepts, wanted at most 1",
    ),
    ({"figure": "mean_best_iou", "at_least": 0.5}, "a mean best IoU of 0.375, wanted at least 0.5"),
    ({"figure": "dead_units", "at_most": 0.0}, "1 dead unit, wanted at most 0"),
]


@pytest.mark.parametrize(("given", "words"), WORDS)
def test_what_falls_short_is_said_in_words(given: dict[str, Any], words: str) -> None:
    tree, sky = ("object", "tree"), ("object", "sky")
    labels: list[Any] = [[(tree, 0, 0.5)], [(tree, 0, 0.5)], [(sky, 0, 0.5)], []]
    found = [Known(0, "m", "layer4", i, OTHER, True, 1.0, label) for i, label in enumerate(labels)]
    verdict = judge([{"layer": "layer4", **given}], compared.summarize({"layer4": found}), {})
    assert [judged["detail"] for judged in verdict["assertions"]] == [f"layer4 has {words}"]
    assert verdict["passed"] is False


def test_all_must_pass() -> None:
    held = {"figure": "detectors", "layer": "conv1", "at_least": 0.0}
    short = {"figure": "detectors", "layer": "conv1", "at_least": 1000.0}
    summary = compared.summarize(layers(1))
    assert judge([held, held], summary, {})["passed"]
    verdict = judge([held, short, held], summary, {})
    assert not verdict["passed"]
    assert [judged["passed"] for judged in verdict["assertions"]] == [True, False, True]


def test_names_that_the_other_job_does_not_know_are_pointed_out() -> None:
    own, other = compared.summarize(layers(1)), compared.summarize({"conv2": layers(1)["conv2"]})
    given = {"figure": "detectors", "layer": "conv1", "no_less_than": {"job": OTHER, "minus_percent": 0.0}}
    with pytest.raises(Invalid, match="no layer 'conv1', but 'conv2'") as caught:
        judge([given], own, {OTHER: other})
    assert caught.value.errors[0]["pointer"] == "/assertions/0/no_less_than/layer"
    lacking = {**own, "concepts": [{"category": "part", "name": "tree"}]}
    with pytest.raises(Invalid, match="no category 'object'") as caught:
        judge([{**given, "category": "object"}], own, {OTHER: lacking})
    assert caught.value.errors[0]["pointer"] == "/assertions/0/category"


def test_the_jobs_that_are_named() -> None:
    first, second = uuid.UUID(int=1), uuid.UUID(int=3)
    given = [{"at_least": 1}, {"no_less_than": {"job": first}}, {"no_more_than": {"job": second}}]
    assert jobs_named(given) == {
        first: "/assertions/1/no_less_than/job",
        second: "/assertions/2/no_more_than/job",
    }
