"""What attacks do to the last layer of the network that ships: `python -m workers.jobs.world.attacking`.

The same figures as a job of the kind `attack` finds (Bau et al., PNAS 2020, Fig. 5), written into docs/world.md.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.attacks.carlini_wagner import PRESETS
from workers.analysis.attacks.registry import Value, find_attack
from workers.analysis.attacks.robustness import distances
from workers.jobs.attack.figures import IMPORTANT, groups, most_moved
from workers.jobs.attack.pictures import draw_groups
from workers.jobs.attack.plan import choose
from workers.jobs.world.page import Attempt, attack_lines, fill_in
from workers.jobs.world.removing import Peaks, rank
from workers.networks.inputs import InputSpec
from workers.networks.pixels import LEVELS, normalize
from workers.scenes.classifier import INPUT, LAST_LAYER, SceneClassifier, load_classifier
from workers.scenes.renderer import SCENES, SPLITS, render
from workers.scenes.training.albums import classes
from workers.scenes.training.classifier import last_peaks

PICTURE = Path("docs/images/attack.svg")
BEGIN, END = "<!-- attacks: written by workers.jobs.world.attacking -->", "<!-- end of attacks -->"
TARGETS = ("ski_slope", "beach", "bedroom", "church", "street")
IMAGES = 32
"""Of validation that are attacked with each target."""
RANKING = 2000
"""Images of training that rank the units."""
METHOD = "carlini-wagner-l2"
SETTINGS: Mapping[str, Value] = {**PRESETS["pnas2020"], "steps": 100}
SPEC = InputSpec.from_json(INPUT)


def main() -> None:
    """Attack the network that ships, and write the page's figures and their picture."""
    network = load_classifier()
    ranking = Peaks(last_peaks(network, _rendered("scenes-train", RANKING)), classes("scenes-train")[:RANKING])
    order = rank(network.classifier, ranking)
    images = _rendered("scenes-validation", 2 * IMAGES)
    known = classes("scenes-validation")[: len(images)]
    attempts = [attack(network, order, images, known, target) for target in TARGETS]
    PICTURE.write_bytes(draw_groups([_as_summary(attempt) for attempt in attempts]))
    fill_in(BEGIN, END, attack_lines(attempts))


def _rendered(split: str, count: int) -> NDArray[np.uint8]:
    """The first images of a split, (count, 64, 64, 3)."""
    seed, _ = SPLITS[split]
    return np.stack([render(seed, index).image for index in range(count)])


def attack(
    network: SceneClassifier,
    order: NDArray[np.int64],
    images: NDArray[np.uint8],
    classes: NDArray[np.int64],
    target: str,
    settings: Mapping[str, Value] = SETTINGS,
) -> Attempt:
    """Attack the first IMAGES of the images (n, 64, 64, 3) whose true and predicted class both differ from the target.

    `order` (C, U) has the units that matter most to each class first.
    """

    def logits(pixels: Tensor) -> Tensor:
        found: Tensor = network(normalize(pixels, SPEC))
        return found

    pixels, goal = torch.tensor(images).permute(0, 3, 1, 2).contiguous() / LEVELS, SCENES.index(target)
    with torch.inference_mode():
        predicted = logits(pixels).argmax(1).numpy()
    chosen = np.flatnonzero(choose("eligible", np.full(len(images), goal), predicted, classes))[:IMAGES]
    originals, sources = pixels[chosen], predicted[chosen]
    wanted = torch.full((len(chosen),), goal)
    found = find_attack(METHOD, settings)(logits, originals, torch.from_numpy(sources), wanted, lambda: None)
    fooled = found.succeeded.numpy()
    changes = _peaks(network, found.adversarial[fooled]) - _peaks(network, originals[fooled])
    to_target, to_source = (_most_important(order, of[fooled]) for of in (wanted.numpy(), sources))
    return Attempt(
        target=target,
        images=len(chosen),
        fooled=int(fooled.sum()),
        mean_l2=float(distances(originals, found.adversarial)[0][found.succeeded].mean()),
        groups=groups(changes, to_target, to_source),
        most_moved=most_moved(changes, to_target, to_source),
    )


@torch.inference_mode()
def _peaks(network: SceneClassifier, pixels: Tensor) -> NDArray[np.float64]:
    """The peaks of the last layer's units, (n, U)."""
    peaks: NDArray[np.float64] = network.features(normalize(pixels, SPEC)).amax((2, 3)).double().numpy()
    return peaks


def _most_important(order: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which units (n, U) are the IMPORTANT most important to each image's class (n,)."""
    members = np.zeros((len(classes), order.shape[1]), np.bool_)
    np.put_along_axis(members, order[classes, :IMPORTANT], values=True, axis=1)
    return members


def _as_summary(attempt: Attempt) -> dict[str, Any]:
    """The figures as the summary of a job has them."""
    return {"target": attempt.target, "layers": [{"layer": LAST_LAYER, "groups": attempt.groups}]}


if __name__ == "__main__":
    main()
