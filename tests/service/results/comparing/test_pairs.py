"""Which layers are compared."""

from typing import Any

import pytest

from service.errors import Invalid
from service.results.comparing.pairs import DissectedLayer, Pair, choose_pairs, corresponding


def layers(*names: str, units: int = 4, source: str = "torchvision:vgg16") -> list[DissectedLayer]:
    return [DissectedLayer(place, name, units, source) for place, name in enumerate(names)]


PAIRED: list[tuple[list[str], list[str], tuple[str | None, str | None], list[tuple[str, str]]]] = [
    (["x", "y"], ["y", "z"], (None, None), [("y", "y")]),
    (["x", "y"], ["y", "x"], (None, None), [("x", "x"), ("y", "y")]),
    (["x"], ["y"], (None, None), [("x", "y")]),
    (["x", "y"], ["x", "y"], ("x", "y"), [("x", "y")]),
    (["x", "y"], ["x", "y"], ("y", None), [("y", "y")]),
    (["x", "y"], ["x", "y"], (None, "x"), [("x", "x")]),
    (["x", "y"], ["z"], ("x", None), [("x", "z")]),
]


@pytest.mark.parametrize(("a", "b", "asked", "expected"), PAIRED)
def test_layers_are_paired(a: list[str], b: list[str], asked: Any, expected: list[tuple[str, str]]) -> None:
    found = choose_pairs(layers(*a), layers(*b), *asked)
    assert [(pair.a.name, pair.b.name) for pair in found.pairs] == expected


def test_layers_without_a_counterpart_are_named() -> None:
    found = choose_pairs(layers("x", "y"), layers("y", "z"), None, None)
    assert (found.only_in_a, found.only_in_b) == (["x"], ["z"])
    chosen = choose_pairs(layers("x", "y"), layers("y", "z"), "y", "z")
    assert (chosen.only_in_a, chosen.only_in_b) == ([], [])


UNPAIRED = [
    ((None, None), "one of 'x', 'y' and with layer_b one of 'v', 'w'", "query:layer_a"),
    (("x", None), "with layer_a one of 'x' and with layer_b one of 'v', 'w'", "query:layer_b"),
    (("z", "v"), "job a has no layer 'z', but 'x', 'y'", "query:layer_a"),
    (("x", "x"), "job b has no layer 'x', but 'v', 'w'", "query:layer_b"),
]


@pytest.mark.parametrize(("asked", "detail", "pointer"), UNPAIRED)
def test_what_cannot_be_paired_is_refused_with_what_there_is(asked: Any, detail: str, pointer: str) -> None:
    with pytest.raises(Invalid, match=detail) as caught:
        choose_pairs(layers("x", "y"), layers("v", "w"), *asked)
    assert caught.value.errors[0]["pointer"] == pointer


def test_units_correspond_in_the_same_layer_of_one_architecture() -> None:
    (layer,) = layers("x")
    assert Pair(layer, *layers("x")).by_unit
    for other in (layers("y"), layers("x", units=5), layers("x", source="torchvision:vgg11")):
        assert not Pair(layer, *other).by_unit
    same = Pair(layer, layer)
    assert corresponding([Pair(layer, *layers("y")), same]) == [same]
    with pytest.raises(Invalid, match="compared by concept"):
        corresponding([Pair(layer, *layers("y"))])
