"""The shipped classifier, its control, and a training that goes on where it was stopped."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from service.errors import Invalid
from workers.scenes import networks
from workers.scenes.classifier import LAST_LAYER, WEIGHTS, SceneClassifier, as_input, load_classifier, untrained
from workers.scenes.renderer import SCENES, SPLITS, render, scene_of
from workers.scenes.training.classifier import ClassifierRecipe, accuracy, fit_read_out, train_classifier


class Stopped(Exception):
    pass


def sample(split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    seed, _ = SPLITS[split]
    images = np.stack([render(seed, index).image for index in range(count)])
    return images, np.array([scene_of(seed, index) for index in range(count)])


def documented_accuracy() -> float:
    found = re.search(r"\| 0 \| (0\.\d+) \| trained", (Path(__file__).parents[3] / "docs" / "world.md").read_text())
    assert found
    return float(found[1])


def test_the_shipped_weights_are_small_and_know_the_scenes_as_well_as_the_page_says() -> None:
    assert WEIGHTS.stat().st_size < 2_000_000
    assert 0.86 <= documented_accuracy() <= 0.95
    # The standard error of 400 images is 0.013.
    assert abs(accuracy(load_classifier(), *sample("scenes-validation", 400)) - documented_accuracy()) < 0.05


def test_the_network_is_ready_to_be_tapped() -> None:
    network = load_classifier()
    assert not network.training
    assert all(not module.inplace for module in network.modules() if isinstance(module, nn.ReLU))
    assert isinstance(network.get_submodule(LAST_LAYER), nn.ReLU)
    assert network.features(torch.zeros(2, 3, 64, 64)).shape == (2, 128, 8, 8)
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, len(SCENES))


def test_the_input_is_what_the_description_says() -> None:
    image = render(1, 5).image
    expected = (image.astype(np.float64) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(as_input(image[None])[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_the_control_is_drawn_by_its_seed_alone_and_leaves_the_generator_as_it_was() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, again, other = untrained(1), untrained(1), untrained(2)
    assert torch.equal(torch.get_rng_state(), state)
    images = as_input(sample("scenes-validation", 20)[0])
    assert torch.equal(first(images), again(images))
    assert not torch.equal(first(images), other(images))


def test_the_units_of_the_control_are_not_silent() -> None:
    network = untrained(0)
    maps = network.features(as_input(sample("scenes-validation", 60)[0]))
    assert (maps.amax((0, 2, 3)) > 0).float().mean() > 0.95


def test_a_training_that_was_killed_ends_at_the_same_weights(tmp_path: Path) -> None:
    images, scenes = sample("scenes-train", 64)
    recipe = ClassifierRecipe(epochs=3, batch=16, checkpoint=2)

    def stop(step: int) -> None:
        if step == 7:
            raise Stopped

    whole = train_classifier(0, images, scenes, recipe, tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        train_classifier(0, images, scenes, recipe, tmp_path / "killed.pt", after_step=stop)
    resumed = train_classifier(0, images, scenes, recipe, tmp_path / "killed.pt")
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)


def test_the_read_out_comes_to_rely_on_few_units_and_the_layer_stays() -> None:
    images, scenes = sample("scenes-train", 120)
    network = untrained(0)
    before = {name: tensor.clone() for name, tensor in network.features.state_dict().items()}
    fit_read_out(0, network, images, scenes, ClassifierRecipe(sparsity=0.02, read_out_steps=300, read_out_batch=64))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.features.state_dict().items())
    weights = network.classifier.weight.detach().abs()
    assert (weights < 0.02 * weights.max()).float().mean() > 0.5
    assert accuracy(network, images, scenes) > 2 / len(SCENES)


def test_a_seed_decides_the_weights(tmp_path: Path) -> None:
    images, scenes = sample("scenes-train", 32)
    recipe = ClassifierRecipe(epochs=1, batch=16)
    first, other = (train_classifier(seed, images, scenes, recipe, tmp_path / f"{seed}.pt") for seed in (0, 1))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_the_source_builds_the_trained_network_and_its_control() -> None:
    architecture = networks.source("scenes-classifier", None)
    assert architecture.weights() == WEIGHTS
    assert list(architecture.classes) == list(SCENES)
    assert isinstance(architecture.build((64, 64), load_classifier().state_dict()), SceneClassifier)
    control = architecture.build((64, 64), None)
    assert not torch.equal(control.get_buffer("features.norm4_2.running_mean"), torch.zeros(128))


@pytest.mark.parametrize(("name", "pretrained"), [("scenes-clasifier", None), ("scenes-classifier", "IMAGENET1K_V1")])
def test_the_source_says_what_there_is(name: str, pretrained: str | None) -> None:
    with pytest.raises(Invalid, match="scenes-classifier"):
        networks.source(name, pretrained)
