"""The requests' wire format: what is read, what is refused and where the error points."""

import contextlib

import marshmallow as ma
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.jobs.requests import JobRequestSchema
from tests.service.jobs.test_fingerprints import JSON

BODY = {"kind": "dissection", "model": "vgg", "dataset": "scenes", "layers": ["a"]}
PARAMS = st.fixed_dictionaries(
    {"layers": st.lists(st.sampled_from("abcdef"), min_size=1, unique=True)},
    optional={
        "quantile": st.floats(0, 0.5, exclude_min=True),
        "grid": st.none() | st.integers(4, 512),
        "upsampling": st.sampled_from(["zero", "edge"]),
        "segmentation": st.sampled_from(["masks", "colors", "model:net"])
        | st.lists(st.sampled_from(["masks", "colors", "model:net", "model:Act"]), min_size=1, unique=True),
        "halves": st.booleans(),
        "cutoff": st.floats(0, 1, exclude_max=True),
        "max_images": st.none() | st.integers(1, 10**6),
        "top_images": st.integers(1, 100),
    },
)


def load(**changes):
    return JobRequestSchema().load({**BODY, **changes})


def test_defaults_reproduce_the_paper():
    assert load() == {
        "kind": "dissection",
        "model": "vgg",
        "dataset": "scenes",
        "priority": 0,
        "reuse": True,
        "labels": {},
        "deadline_seconds": None,
        "params": {
            "layers": ["a"],
            "quantile": 0.01,
            "grid": None,
            "upsampling": "zero",
            "segmentation": None,
            "latents": None,
            "cutoff": 0.04,
            "max_images": None,
            "top_images": 5,
            "halves": False,
            "precision": "float32",
            "controls": [],
        },
    }


@given(PARAMS)
def test_reading_what_was_read_changes_nothing(params):
    once = load(**params)
    assert load(**once["params"]) == once


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("layers", []),
        ("layers", "a"),
        ("layers", [""]),
        ("layers", ["a", "b", "a"]),
        ("layers", ["x"] * 300),
        ("quantile", 0),
        ("quantile", 0.51),
        ("quantile", "0.01"),
        ("quantile", True),
        ("grid", 3),
        ("grid", 513),
        ("grid", 5.5),
        ("grid", True),
        ("upsampling", "nearest"),
        ("segmentation", []),
        ("segmentation", "pixels"),
        ("segmentation", ["masks", "masks"]),
        ("segmentation", [{}]),
        ("segmentation", "model:"),
        ("segmentation", "model:a\n"),
        ("segmentation", "model:a b"),
        ("segmentation", ["model:a", "model:a"]),
        ("segmentation", [f"model:{name}" for name in "abcdefg"]),
        ("halves", "yes"),
        ("cutoff", 1),
        ("cutoff", -0.1),
        ("max_images", 0),
        ("max_images", 2**40),
        ("top_images", 0),
        ("top_images", 101),
        ("priority", 101),
        ("reuse", "yes"),
        ("labels", {"a:b": "c"}),
        ("labels", {"a\n": "c"}),
        ("labels", {"a": 1}),
        ("labels", {str(i): "" for i in range(33)}),
        ("deadline_seconds", 0),
        ("model", ""),
        ("model", 1),
        ("colour", "red"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_field(field, value):
    with pytest.raises(ma.ValidationError) as caught:
        load(**{field: value})
    assert list(caught.value.messages) == [field]


def test_a_repeated_layer_is_pointed_at():
    with pytest.raises(ma.ValidationError) as caught:
        load(layers=["a", "b", "a"])
    assert caught.value.messages == {"layers": [{2: ["'a' is there twice; name it once"]}]}


def test_segmentations_come_in_one_order():
    given = ["colors", "model:walls", "masks", "model:Things"]
    assert load(segmentation=given)["params"]["segmentation"] == ["masks", "model:Things", "model:walls", "colors"]


@pytest.mark.parametrize("kind", ["registration", "divination", "", None, 7, ["dissection"], {}])
def test_another_kind_is_refused_with_those_that_exist(kind):
    with pytest.raises(ma.ValidationError) as caught:
        load(kind=kind)
    assert list(caught.value.messages) == ["kind"]
    if isinstance(kind, str):
        assert "dissection" in str(caught.value.messages)


@given(st.dictionaries(st.sampled_from([*BODY, *load()["params"], "labels", "priority", "x"]), JSON))
def test_any_json_is_read_or_refused(changes):
    with contextlib.suppress(ma.ValidationError):
        assert load(**changes)["kind"] == "dissection"
