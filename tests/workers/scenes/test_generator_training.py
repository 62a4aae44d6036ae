"""A generator's training goes on where it was stopped, and draws the same as the network that it trains."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes.churchyards import LATENT, Dice, churchyard, from_latent, latent_of, shrunk
from workers.scenes.concepts import NUMBER
from workers.scenes.generator import RESOLUTION, SIZES
from workers.scenes.training.critic import GROUP, SEEN, Critic, Eye, Heads
from workers.scenes.training.drawing import draw
from workers.scenes.training.generator import train_generator
from workers.scenes.training.lessons import GeneratorRecipe, Stage, Studio


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.stack([churchyard(1, index).image for index in range(24)])


@pytest.fixture(scope="module")
def latents() -> np.ndarray:
    return np.stack([latent_of(1, index) for index in range(24)])


def test_drawing_is_what_the_generator_does() -> None:
    torch.manual_seed(0)
    generator, latents = ProgressiveGenerator(RESOLUTION, SIZES), torch.randn(3, LATENT)
    torch.testing.assert_close(draw(generator, latents), generator(latents), rtol=1e-4, atol=1e-4)


def test_pictures_are_averaged_over_squares(images: np.ndarray) -> None:
    small = shrunk(images[:2], 16)
    assert small.shape == (2, 3, 16, 16)
    for row, column in ((0, 0), (3, 15), (15, 7)):
        square = images[1, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].reshape(-1, 3).astype(np.float64)
        np.testing.assert_allclose(small[1, :, row, column], square.mean(0) / 127.5 - 1, atol=1e-5)


def test_churchyards_are_the_same_each_time_and_near_latents_give_similar_ones() -> None:
    first, again = churchyard(1, 7), churchyard(1, 7)
    assert np.array_equal(first.image, again.image)
    assert NUMBER["object", "church"] in first.labels["object"]
    latents = [latent_of(1, 7) * np.float32(1 - step) + latent_of(1, 8) * np.float32(step) for step in (0, 0.001, 1)]
    same, near, far = (from_latent(latent.tolist(), Random("churchyard/1/7")).image.astype(int) for latent in latents)
    assert np.array_equal(same, first.image)
    assert abs(near - same).mean() < 5 < abs(far - same).mean()


def test_dice_fall_as_the_latent_says_and_chance_does_the_rest() -> None:
    dice = Dice(iter([0.0, 9.0, -1.0]), Random(3), (0, 2, 3), {4: 1.0})
    assert dice.random() == 0.5
    assert dice.random() == Random(3).random()
    assert dice.choice("abcd") == "d"
    assert dice.randint(1, 3) == 1  # a sixth of N(0, 1) lies below -1
    assert dice.random() == 1.0


def test_the_critics_see_each_group_of_pictures_and_the_places_of_the_maps() -> None:
    torch.manual_seed(0)
    critic, pictures = Critic(16), torch.randn(2 * GROUP, 3, 16, 16)
    alike = pictures[:1].expand(2 * GROUP, -1, -1, -1)
    assert critic(pictures).shape == (2 * GROUP,)
    assert critic(alike).std() < 1e-5
    mixed = torch.stack([pictures[0] if i % 2 else pictures[i] for i in range(2 * GROUP)])  # one group of two is alike
    assert abs(critic(mixed)[1] - critic(alike)[0]) < 1e-4
    seen = Eye()(pictures)
    assert [maps.shape[1] for maps in seen] == list(SEEN.values())
    assert [verdict.shape[1:] for verdict in Heads()(seen)] == [(1, *maps.shape[2:]) for maps in seen]


def test_a_stage_inherits_the_layers_that_there_still_are() -> None:
    small, large = Studio(16), Studio(32)
    large.inherit(small)
    kept = large.generator.state_dict()
    for name, tensor in small.generator.state_dict().items():
        assert name.startswith("output") or torch.equal(kept[name], tensor)
    assert all(torch.equal(a, b) for a, b in zip(large.average.parameters(), large.generator.parameters(), strict=True))


def test_a_training_that_was_killed_ends_at_the_same_weights(
    images: np.ndarray, latents: np.ndarray, tmp_path: Path
) -> None:
    stages = (Stage(8, 2, adversarial=False, batch=8), Stage(16, 3, batch=8))
    recipe = GeneratorRecipe(stages=stages, checkpoint=2, smooth_every=2)

    def stop(stage: int, step: int, studio: Studio) -> None:
        if (stage, step) == (1, 3):
            raise Stopped

    whole = train_generator(0, images, latents, recipe, tmp_path)
    killed = tmp_path / "killed"
    killed.mkdir()
    with pytest.raises(Stopped):
        train_generator(0, images, latents, recipe, killed, stop)
    resumed = train_generator(0, images, latents, recipe, killed)
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], tensor, rtol=1e-4, atol=1e-5)
    other = train_generator(1, images, latents, recipe, tmp_path)
    assert not torch.equal(other.get_parameter("layer1.conv.weight"), whole.get_parameter("layer1.conv.weight"))
