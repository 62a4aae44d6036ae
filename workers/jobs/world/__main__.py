"""Measure the built-in world and write it into docs/world.md: `python -m workers.jobs.world [directory]`.

The directory is the one that `workers.scenes.training` filled.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.analysis.ablation.importance import correlate, mean_iou_by_importance
from workers.analysis.controls import random_rotation, rotate
from workers.analysis.intersections import label_table
from workers.jobs.world.dissecting import dissect, last_maps, picture_labels
from workers.jobs.world.page import Measurement, fill_in, lines
from workers.jobs.world.removing import Peaks, remove
from workers.scenes.classifier import SceneClassifier, load_classifier, untrained
from workers.scenes.contact_sheet import contact_sheet
from workers.scenes.renderer import SPLITS
from workers.scenes.training.albums import BUILD, album, classes
from workers.scenes.training.classifier import SEEDS, classifier_weights, last_peaks

PICTURE = Path("docs/images/scenes.png")
BEGIN, END = "<!-- figures: written by workers.jobs.world -->", "<!-- end of figures -->"
IMAGES = 2000
"""Of training to rank the units, of validation to evaluate what removing them does."""
ROTATIONS = 5


def main() -> None:
    """Measure the networks of all seeds, and write the page's figures and its picture."""
    parent = sys.argv[1] if len(sys.argv) > 1 else BUILD
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet().save(PICTURE, optimize=True)
    ranking, evaluation = (album(split, parent).images[:IMAGES] for split in ("scenes-train", "scenes-validation"))
    table = label_table(np.stack(list(picture_labels(*SPLITS["scenes-validation"]))))
    measured = [
        measure(seed, load_classifier(classifier_weights(seed, parent)), ranking, evaluation, table) for seed in SEEDS
    ]
    fill_in(BEGIN, END, lines(measured))


def measure(
    seed: int,
    network: SceneClassifier,
    ranking: NDArray[np.uint8],
    evaluation: NDArray[np.uint8],
    table: NDArray[np.uint16],
) -> Measurement:
    """Dissect and ablate the last layer of one network, over evaluation images whose labels are in `table`."""
    maps = last_maps(network, evaluation)
    ranked = Peaks(last_peaks(network, ranking), classes("scenes-train")[: len(ranking)])
    evaluated = Peaks(maps.amax((2, 3)), classes("scenes-validation")[: len(evaluation)])
    trained, removals = dissect(maps, table), remove(network.classifier, ranked, evaluated)
    return Measurement(
        seed=seed,
        accuracy=float(np.mean(evaluated.logits(network.classifier).argmax(1) == evaluated.classes)),
        trained=trained,
        untrained=dissect(last_maps(untrained(seed), evaluation), table),
        rotated=[dissect(rotate(maps, random_rotation(maps.shape[1], draw)), table) for draw in range(ROTATIONS)],
        removals=removals,
        correlation=correlate(removals.importance, trained.ious),
        by_importance=mean_iou_by_importance(removals.importance, trained.ious),
    )


if __name__ == "__main__":
    main()
