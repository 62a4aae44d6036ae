"""The figures of a layer, from peaks that are known by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from service.results.attacks.queries import LabelledUnit
from workers.jobs.attack.figures import LayerKnowledge, layer_figures, transfer_figures
from workers.jobs.attack.watching import Watched

UNABLATED = 9
"""A class of which nobody knows what matters for it."""


def figures(changes, sources, results, important, labels=(), sizes=(1, 2)):
    """The figures of a layer whose peaks were all 1; row 0 is of an image that was not fooled."""
    changes = np.array(changes, np.float32)
    before, sizes = np.ones_like(changes), np.array(sizes, np.int64)
    restored = np.arange(len(changes) * len(sizes)).reshape(len(changes), len(sizes))
    watched = Watched(before, before + changes, sizes, restored % 2 == 0, restored / 10)
    outcomes = SimpleNamespace(sources=np.array([0, *sources]), results=np.array([0, *results]))
    attacked = SimpleNamespace(watched=[watched], outcomes=outcomes, fooled=np.arange(1, len(changes) + 1))
    return layer_figures(attacked, 0, LayerKnowledge("conv", "a", "d", important, labels))


def test_groups_are_those_of_each_images_own_classes():
    changes = [[8, 1, -2, 0, 0, 4], [0, 6, 0, -3, 1, 1], [7, 7, 7, 7, 7, 7]]
    important = {0: [0, 1], 1: [2, 3], 2: [1, 5]}
    found = figures(changes, sources=[0, 1, UNABLATED], results=[1, 2, 0], important=important)
    groups = found["groups"]
    assert [groups[name]["images"] for name in ("target", "source", "others")] == [2, 2, 2]
    assert groups["target"]["mean"] == pytest.approx(((-2 + 0) / 2 + (6 + 1) / 2) / 2)
    assert groups["source"]["mean"] == pytest.approx(((8 + 1) / 2 + (0 - 3) / 2) / 2)
    assert groups["others"]["mean"] == pytest.approx(((0 + 4) / 2 + (0 + 1) / 2) / 2)
    assert groups["target"]["absolute_mean"] == pytest.approx(((2 + 0) / 2 + (6 + 1) / 2) / 2)
    assert groups["source"]["absolute_mean"] == pytest.approx(((8 + 1) / 2 + (0 + 3) / 2) / 2)
    assert groups["others"]["absolute_mean"] == groups["others"]["mean"]
    assert found["most_moved"]["mean"] == found["most_moved"]["chance"] == pytest.approx(4 / 6)  # all six are among 10
    assert found["images"] == 3


def test_no_more_than_four_units_are_important():
    changes = [[1, 2, 3, 4, 5, 6, 7, 8]]
    found = figures(changes, sources=[0], results=[1], important={0: [7, 6, 5, 4, 3], 1: [0]})
    unknown = dict.fromkeys(("low", "high", "absolute_low", "absolute_high"))
    assert found["groups"]["source"] == {"images": 1, "mean": 6.5, "absolute_mean": 6.5, **unknown}
    assert found["groups"]["others"]["mean"] == 3  # of 2, 3 and 4


def test_the_important_are_counted_among_the_ten_that_moved_most():
    changes = np.zeros((1, 20))
    changes[0, 5:15] = np.arange(-5, 5) + 0.5
    found = figures(changes, sources=[0], results=[1], important={0: [5, 0], 1: [14, 13, 19]})
    assert (found["most_moved"]["mean"], found["most_moved"]["chance"]) == (0.3, 0.25)


def test_small_layers_may_have_no_other_units():
    important = {0: [0], 1: [1], 2: [2]}
    found = figures([[1, 2, 3], [4, 5, 6]], sources=[0, 0], results=[1, 1], important=important | {1: [1, 2]})
    assert found["groups"]["others"] is None
    assert found["groups"]["target"]["mean"] == 4
    assert figures([[3.0]], sources=[0], results=[1], important={}, sizes=())["silencing"] is None


def test_without_an_ablation_of_both_classes_there_are_no_groups():
    for important in ({}, {0: [0]}, {1: [1]}):
        found = figures([[1, 2], [3, 4]], sources=[0, 0], results=[1, 1], important=important)
        assert (found["groups"], found["most_moved"]) == (None, None)


def test_concepts_are_listed_from_what_is_painted_in_to_what_is_wiped_out():
    labels = [
        LabelledUnit(1.0, "object", "tree", 0.1),
        LabelledUnit(None, None, None, 0.0),
        LabelledUnit(1.0, "part", "tree", 0.2),
        LabelledUnit(1.0, "object", "tree", 0.3),
    ]
    concepts = figures([[4, 9, -1, 8], [0, 9, 0, 2]], [0, 0], [1, 1], {}, labels)["concepts"]
    assert [(c["category"], c["concept"], c["units"]) for c in concepts] == [("object", "tree", 2), ("part", "tree", 1)]
    assert [c["mean"] for c in concepts] == pytest.approx([((4 * 0.1 + 8 * 0.3) / 0.4 + 2 * 0.3 / 0.4) / 2, -0.5])
    assert figures([[1, 1], [2, 2]], [0, 0], [1, 1], {}, [LabelledUnit(None, None, None, 0.0)] * 2)["concepts"] == []


def test_silencing_is_a_share_of_images():
    found = figures([[1, 2], [3, 4], [5, 6]], [0] * 3, [1] * 3, {})["silencing"]
    assert found == {"sizes": [1, 2], "most_moved": [1, 0], "random": pytest.approx([0.2, 0.3])}


def test_a_layer_that_nothing_was_fooled_through_says_so():
    attacked = SimpleNamespace(watched=[None])
    found = layer_figures(attacked, 0, LayerKnowledge("conv", None, None, {}, []))
    assert (found["images"], found["concepts"]) == (0, [])
    assert found["groups"] is found["most_moved"] is found["silencing"] is None


def test_transfers_count_changed_opinions_and_reached_targets():
    pairs = [("a", "b"), ("a", "a"), ("b", "c"), ("c", "b")]
    found = transfer_figures("other", pairs, ["b", "b", "b", "b"])
    assert (found["fooled"], found["to_target"]) == (0.75, 0.5)
    assert transfer_figures("other", pairs, [None] * 4)["to_target"] is None
    assert transfer_figures("other", [], [])["fooled"] is None
