"""Train the networks of the built-in world: `python -m workers.scenes.training [directory]`.

A run killed at any moment goes on where it stopped. The package ships the classifier of seed 0, the segmenter and the
generator; `workers.jobs.world` measures the classifiers of all seeds.
"""

import logging
import sys
from shutil import copyfile

import numpy as np

from workers.scenes import classifier, generator, segmenter
from workers.scenes.churchyards import latent_of
from workers.scenes.training.albums import BUILD, PAINTERS, album, classes, folder
from workers.scenes.training.checkpoints import save
from workers.scenes.training.classifier import (
    SEEDS,
    ClassifierRecipe,
    accuracy,
    classifier_weights,
    fit_read_out,
    train_classifier,
)
from workers.scenes.training.generator import train_generator
from workers.scenes.training.lessons import GeneratorRecipe
from workers.scenes.training.segmenter import SegmenterRecipe, score, train_segmenter
from workers.scenes.training.sheets import DRAWN, SEGMENTED, drawn_sheet, segmented_sheet

log = logging.getLogger(__name__)


def main() -> None:
    """Train the three networks, install their weights and show what they do."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parent = sys.argv[1] if len(sys.argv) > 1 else BUILD
    for train in (train_classifiers, train_the_segmenter, train_the_generator):
        train(parent)


def train_classifiers(parent: str) -> None:
    """Train a classifier from every seed and install the first."""
    recipe = ClassifierRecipe()
    images, scenes = album("scenes-train", parent).images, classes("scenes-train")
    unseen, answers = album("scenes-validation", parent).images, classes("scenes-validation")
    for seed in SEEDS:
        checkpoint = folder("classifier", recipe, parent) / f"classifier-{seed}.pt"
        network = train_classifier(seed, images, scenes, recipe, checkpoint)
        fit_read_out(seed, network, images, scenes, recipe)
        log.info("classifier %d: %.3f of the validation images right", seed, accuracy(network, unseen, answers))
        save(network, classifier_weights(seed, parent))
    copyfile(classifier_weights(SEEDS[0], parent), classifier.WEIGHTS)


def train_the_segmenter(parent: str) -> None:
    """Train and install the segmenter, and paint its sheet."""
    recipe = SegmenterRecipe()
    checkpoint = folder("segmenter", recipe, parent) / "segmenter.pt"
    scenes, churchyards = album("scenes-train", parent), album("churchyards-train", parent)
    network = train_segmenter(0, scenes, churchyards, recipe, checkpoint)
    for name in ("scenes-validation", "churchyards-validation"):
        for coarse in (False, True):
            log.info("segmenter, %s%s: %s", name, " at 32 pixels" * coarse, score(network, album(name, parent), coarse))
    save(network, segmenter.WEIGHTS)
    segmented_sheet(network).save(SEGMENTED, optimize=True)


def train_the_generator(parent: str) -> None:
    """Train and install the generator, and paint its sheet."""
    recipe = GeneratorRecipe()
    _, seed, count = PAINTERS["churchyards-train"]
    images = album("churchyards-train", parent).images
    latents = np.stack([latent_of(seed, index) for index in range(count)])
    network = train_generator(0, images, latents, recipe, folder("generator", recipe, parent))
    save(network, generator.WEIGHTS)
    drawn_sheet(network, images).save(DRAWN, optimize=True)


if __name__ == "__main__":
    main()
