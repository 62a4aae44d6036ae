"""Assertions as lines of text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitatlas.assertions import read_assertion

JOB = "01a20d74-822e-74f5-9b36-ecf8a3053ba5"

LINES: list[tuple[str, dict[str, Any]]] = [
    ("detectors >= 20", {"figure": "detectors", "at_least": 20.0}),
    ("object detectors>=20", {"figure": "detectors", "category": "object", "at_least": 20.0}),
    ("detectors of traffic light <= 3", {"figure": "detectors", "concept": "traffic light", "at_most": 3.0}),
    (
        "object detectors of tree >= 3",
        {"figure": "detectors", "category": "object", "concept": "tree", "at_least": 3.0},
    ),
    ("my own distinct >= 2", {"figure": "distinct", "category": "my own", "at_least": 2.0}),
    ("mean_best_iou >= 0.05", {"figure": "mean_best_iou", "at_least": 0.05}),
    ("dead_units <= 0", {"figure": "dead_units", "at_most": 0.0}),
    (
        f"detectors >= job:{JOB}",
        {"figure": "detectors", "no_less_than": {"job": JOB, "layer": None, "minus_percent": 0.0}},
    ),
    (
        f"detectors >= job:{JOB}/layer-3 - 10%",
        {"figure": "detectors", "no_less_than": {"job": JOB, "layer": "layer-3", "minus_percent": 10.0}},
    ),
    (
        f"dead_units <= job:{JOB} +2.5 %",
        {"figure": "dead_units", "no_more_than": {"job": JOB, "layer": None, "plus_percent": 2.5}},
    ),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_a_line_is_read(line: str, expected: dict[str, Any]) -> None:
    assert read_assertion(f" features.12: {line} ") == {"layer": "features.12", **expected}


WRONG = [
    "",
    "detectors >= 20",
    "layer4: detectors > 20",
    "layer4: detectors >= many",
    "layer4: detectors >= -1",
    "layer4: detectors >= 20%",
    "layer4: units >= 20",
    "layer4: detectors >= job:17",
    f"layer4: detectors >= job:{JOB} - 10",
    f"layer4: detectors >= job:{JOB} + 10%",
    f"layer4: detectors <= job:{JOB} - 10%",
]


@pytest.mark.parametrize("line", WRONG)
def test_what_does_not_read_is_refused_with_what_would(line: str) -> None:
    with pytest.raises(ValueError, match=r"does not read as LAYER|a percentage follows"):
        read_assertion(line)


NAME = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)


@given(
    layer=NAME,
    category=st.none() | NAME,
    figure=st.sampled_from(["detectors", "distinct"]),
    number=st.integers(0, 10**6),
    low=st.booleans(),
)
def test_what_is_written_is_what_is_read(layer: str, category: str | None, figure: str, number: int, low: bool) -> None:
    line = f"{layer}: {category + ' ' if category else ''}{figure} {'>=' if low else '<='} {number}"
    named = {"layer": layer, "figure": figure} | ({"category": category} if category else {})
    assert read_assertion(line) == named | {"at_least" if low else "at_most": float(number)}
