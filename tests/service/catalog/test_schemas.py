"""What of a registration is refused before anything else is asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from service.catalog.schemas import DatasetRequestSchema, ModelRequestSchema

MODEL = {"name": "vgg-16_a.b", "source": "torchvision:vgg16"}
TREE = {"category": "object", "name": "tree"}
DATASET = {"name": "scenes", "format": "scenes", "location": {"builtin": "scenes-validation"}}
INPUT = {"resize": 256, "crop": [224, 224], "channels": "bgr", "scale": 1.0, "mean": [104, 117, 123], "std": [1, 1, 1]}


def test_what_is_left_out_of_a_model_is_filled_in() -> None:
    filled = {"kind": "classifier", "weights": {}, "input": {}, "classes": None, "concepts": None}
    assert ModelRequestSchema().load(MODEL) == MODEL | filled


def test_a_whole_registration_passes() -> None:
    whole = MODEL | {"kind": "classifier", "weights": {"artifact": "ab" * 32}, "input": INPUT, "classes": ["a", "a"]}
    assert ModelRequestSchema().load(whole) == whole | {"concepts": None}
    dataset = DATASET | {"grid": 16, "scenes": True}
    assert DatasetRequestSchema().load(dataset) == dataset
    assert DatasetRequestSchema().load(DATASET) == DATASET | {"grid": None, "scenes": False}


def test_a_segmenter_passes_with_and_without_concepts() -> None:
    segmenter = MODEL | {"kind": "segmenter"}
    concepts = [None, TREE, TREE | {"category": "part"}, None]
    assert ModelRequestSchema().load(segmenter | {"concepts": concepts})["concepts"] == concepts
    assert ModelRequestSchema().load(segmenter)["concepts"] is None


@pytest.mark.parametrize("latent", [[100], [100, 1, 1]])
def test_a_generator_passes_with_its_latents(latent: list[int]) -> None:
    generator = MODEL | {"kind": "generator", "input": {"latent": latent, "range": [0.0, 255.0]}}
    assert ModelRequestSchema().load(generator)["input"] == generator["input"]
    assert ModelRequestSchema().load(MODEL | {"kind": "generator"})["input"] == {}


def test_a_concept_that_two_outputs_stand_for_is_told_by_its_place() -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRequestSchema().load(MODEL | {"kind": "segmenter", "concepts": [TREE, None, TREE]})
    assert caught.value.messages_dict == {"concepts": {2: ["output 0 stands for 'tree' already"]}}


@pytest.mark.parametrize("source", ["exported", "timm:vit_tiny_patch16_224", "other-package:Net-1.5"])
def test_any_source_passes_for_the_workers_to_find(source: str) -> None:
    assert ModelRequestSchema().load(MODEL | {"source": source})["source"] == source


def test_an_input_may_switch_off_what_the_source_does() -> None:
    assert ModelRequestSchema().load(MODEL | {"input": {"resize": None}})["input"] == {"resize": None}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"name": ".."}, "name"),
        ({"name": "a" * 129}, "name"),
        ({"name": "é"}, "name"),
        ({"name": None}, "name"),
        ({"kind": "painter"}, "kind"),
        ({"input": {"latent": [100]}}, "input"),
        ({"input": {"range": [0, 1]}}, "input"),
        ({"kind": "generator", "classes": ["a"]}, "classes"),
        ({"kind": "generator", "concepts": [TREE]}, "concepts"),
        ({"kind": "generator", "input": {"crop": 64}}, "input"),
        ({"kind": "generator", "input": {"size": [64, 64]}}, "input"),
        ({"kind": "generator", "input": {"latent": []}}, "input"),
        ({"kind": "generator", "input": {"latent": [100, 1]}}, "input"),
        ({"kind": "generator", "input": {"latent": [100, 2, 2]}}, "input"),
        ({"kind": "generator", "input": {"latent": [0]}}, "input"),
        ({"kind": "generator", "input": {"latent": [2**20]}}, "input"),
        ({"kind": "generator", "input": {"latent": [True]}}, "input"),
        ({"kind": "generator", "input": {"range": [1, -1]}}, "input"),
        ({"kind": "generator", "input": {"range": [0, 0]}}, "input"),
        ({"kind": "generator", "input": {"range": [0]}}, "input"),
        ({"source": ""}, "source"),
        ({"source": ":vgg16"}, "source"),
        ({"source": "torchvision:../vgg16"}, "source"),
        ({"source": "torchvision:vgg16:vgg16"}, "source"),
        ({"source": "t" * 65}, "source"),
        ({"source": "torchvision:" + "v" * 129}, "source"),
        ({"source": "torchvision:"}, "source"),
        ({"source": "torchvision:vgg16\n"}, "source"),
        ({"weights": {"seed": 1, "artifact": "ab" * 32}}, "weights"),
        ({"weights": {"seed": -1}}, "weights"),
        ({"weights": {"seed": True}}, "weights"),
        ({"weights": {"artifact": "AB" * 32}}, "weights"),
        ({"weights": {"url": "x"}}, "weights"),
        ({"weights": "none"}, "weights"),
        ({"input": {"resize": 0}}, "input"),
        ({"input": {"resize": 10**6}}, "input"),
        ({"input": {"resize": [224]}}, "input"),
        ({"input": {"crop": [224, 224, 3]}}, "input"),
        ({"input": {"crop": [[1, 2], 3]}}, "input"),
        ({"input": {"crop": True}}, "input"),
        ({"input": {"channels": "gray"}}, "input"),
        ({"input": {"scale": 0}}, "input"),
        ({"input": {"scale": "1"}}, "input"),
        ({"input": {"mean": [1, 2]}}, "input"),
        ({"input": {"std": [1, 1, 0]}}, "input"),
        ({"input": {"size": 1}}, "input"),
        ({"classes": []}, "classes"),
        ({"classes": [""]}, "classes"),
        ({"classes": "cat"}, "classes"),
        ({"classes": ["cat"], "kind": "segmenter"}, "classes"),
        ({"concepts": [TREE]}, "concepts"),
        *[
            ({"concepts": concepts, "kind": "segmenter"}, "concepts")
            for concepts in (
                [],
                [None],
                [TREE, None, TREE],
                ["tree"],
                [["object", "tree"]],
                [{"name": "tree"}],
                [TREE | {"color": "green"}],
                [TREE | {"category": ""}],
                [TREE | {"category": "c" * 65}],
                [TREE | {"name": "n" * 257}],
                [TREE | {"name": "tr\0ee"}],
            )
        ],
        ({"lr": 1}, "lr"),
    ],
)
def test_a_bad_model_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRequestSchema().load(MODEL | change)
    assert list(caught.value.messages_dict) == [field]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": ""}, "format"),
        ({"format": "mas ks"}, "format"),
        ({"format": "../masks"}, "format"),
        ({"format": "m" * 33}, "format"),
        ({"format": "masks\n"}, "format"),
        ({"format": None}, "format"),
        ({"scenes": "yes"}, "scenes"),
        ({"scenes": None}, "scenes"),
        ({"location": {}}, "location"),
        ({"location": {"path": "a", "builtin": "b"}}, "location"),
        ({"location": {"path": ""}}, "location"),
        ({"location": {"builtin": "../x"}}, "location"),
        ({"location": {"artifact": "x"}}, "location"),
        ({"location": None}, "location"),
        ({"grid": 0}, "grid"),
        ({"grid": 1.0}, "grid"),
        ({"grid": 10**9}, "grid"),
    ],
)
def test_a_bad_dataset_is_refused(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DatasetRequestSchema().load(DATASET | change)
    assert list(caught.value.messages_dict) == [field]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*INPUT, "seed", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(field=st.sampled_from(["name", "kind", "source", "weights", "input", "classes", "concepts"]), value=json)
def test_any_json_is_taken_or_refused(field: str, value: Any) -> None:
    try:
        loaded = ModelRequestSchema().load(MODEL | {field: value})
    except ValidationError:
        return
    assert loaded == ModelRequestSchema().load(loaded)
