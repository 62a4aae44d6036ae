"""The shipped segmenter, and a training that goes on where it was stopped."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from workers.scenes import networks
from workers.scenes.churchyards import churchyard
from workers.scenes.classifier import as_input
from workers.scenes.concepts import CATEGORIES, CONCEPTS
from workers.scenes.renderer import Scene, render
from workers.scenes.segmenter import OUTPUTS, WEIGHTS, SceneSegmenter, load_segmenter, named
from workers.scenes.training.albums import Album
from workers.scenes.training.segmenter import SegmenterRecipe, as_coarse, score, train_segmenter, within_category


class Stopped(Exception):
    pass


def album(painter: Callable[[int, int], Scene], count: int) -> Album:
    scenes = [painter(2, index) for index in range(count)]
    labels = [[scene.labels[category] for category in CATEGORIES] for scene in scenes]
    return Album(np.stack([scene.image for scene in scenes]), np.array(labels, np.uint8))


@pytest.fixture(scope="module")
def scenes() -> Album:
    return album(render, 40)


@pytest.fixture(scope="module")
def churchyards() -> Album:
    return album(churchyard, 30)


def test_each_category_has_a_winner_or_none() -> None:
    logits = torch.full((1, len(OUTPUTS), 1, 2), -1.0)
    logits[:, 0] = 0
    logits[0, OUTPUTS.index(("object", "tree")), 0, 0] = 3
    logits[0, OUTPUTS.index(("object", "sky")), 0, 0] = 2
    logits[0, OUTPUTS.index(("part", "crown")), 0, 0] = 1
    logits[0, OUTPUTS.index(("material", "wood")), 0, 1] = 1
    found = [[CONCEPTS[n - 1] if n else None for n in place] for place in named(logits)[0, :, 0].T.tolist()]
    assert found == [[("object", "tree"), ("part", "crown"), None], [None, None, ("material", "wood")]]


def test_labels_are_counted_within_their_category() -> None:
    numbers = [
        CONCEPTS.index(concept) + 1 for concept in (("object", "cloud"), ("part", "trunk"), ("material", "wood"))
    ]
    labels = np.array([[numbers, [0, 0, 0]]], np.uint8).transpose(0, 2, 1)[..., None]  # (1, 3, 2, 1)
    assert within_category(labels)[0, :, :, 0].tolist() == [[2, 0], [2, 0], [1, 0]]


def test_the_shipped_weights_are_small_and_name_what_is_painted(scenes: Album, churchyards: Album) -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    network = load_segmenter()
    assert not network.training
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, len(OUTPUTS), 32, 32)
    assert score(network, scenes, coarse=False)["object"][0] > 0.7
    assert score(network, churchyards, coarse=True)["object"][0] > 0.8


def test_a_score_is_counted_cell_by_cell(scenes: Album) -> None:
    torch.manual_seed(0)
    network = SceneSegmenter().eval()
    few = Album(scenes.images[:3], scenes.labels[:3])
    with torch.no_grad():
        found = named(network(as_coarse(as_input(few.images)))).numpy()
    truth = few.labels[:, :, 1::2, 1::2]
    for channel, category in enumerate(CATEGORIES):
        shown = set(np.unique(truth[:, channel])) - {0}
        hits = [((found[:, channel] == n) & (truth[:, channel] == n)).sum() for n in shown]
        either = [((found[:, channel] == n) | (truth[:, channel] == n)).sum() for n in shown]
        expected = ((found[:, channel] == truth[:, channel]).mean(), np.mean(np.divide(hits, either)))
        assert score(network, few, coarse=True)[category] == pytest.approx(expected)


def test_a_training_that_was_killed_ends_at_the_same_weights(scenes: Album, churchyards: Album, tmp_path: Path) -> None:
    recipe = SegmenterRecipe(steps=5, batch=6, churchyards=2, coarse=3, checkpoint=2)

    def stop(step: int) -> None:
        if step == 3:
            raise Stopped

    whole = train_segmenter(0, scenes, churchyards, recipe, tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        train_segmenter(0, scenes, churchyards, recipe, tmp_path / "killed.pt", after_step=stop)
    resumed = train_segmenter(0, scenes, churchyards, recipe, tmp_path / "killed.pt")
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)


def test_the_source_knows_what_the_outputs_stand_for() -> None:
    architecture = networks.source("scenes-segmenter", None)
    assert (architecture.kind, architecture.weights()) == ("segmenter", WEIGHTS)
    assert list(architecture.concepts) == [None, *CONCEPTS]
    assert isinstance(architecture.build((64, 64), load_segmenter().state_dict()), SceneSegmenter)
