"""Measure the built-in world and write it into docs/world.md: `python -m workers.jobs.world [directory]`.

The directory is the one that `workers.scenes.train` filled.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from workers.analysis.collecting import LayerCollector, LayerShard, batch_maps
from workers.analysis.controls import random_rotation, rotate
from workers.analysis.intersections import count, iou, label_table
from workers.analysis.labels import alive, best_concepts, chart, detectors
from workers.analysis.thresholds import pilot_bounds, safe_bounds, thresholds
from workers.analysis.upsampling import sample_grid
from workers.probes.builtin import GRID
from workers.probes.colors import COLORS, color_map
from workers.scenes.classifier import SceneClassifier, as_input, load_classifier, untrained
from workers.scenes.contact_sheet import contact_sheet
from workers.scenes.renderer import CONCEPTS, SCENES, SIZE, SPLITS, render
from workers.scenes.train import SEEDS, classes, last_peaks, rendered, weights_of, workspace

PAGE = Path("docs/world.md")
PICTURE = Path("docs/images/scenes.png")
BEGIN, END = "<!-- figures: written by workers.jobs.world -->", "<!-- end of figures -->"
ALL_CONCEPTS = (*CONCEPTS, *(("color", name) for name in COLORS))
BATCH = 64
QUANTILE, CUTOFF = 0.01, 0.04  # Bau et al., PNAS 2020: of a unit's activations above its threshold; of a detector's IoU
ROTATIONS = 5
SIZES = (4, 10, 20)  # how many of a class's most important units are removed
DRAWS = 20  # random sets that the most important ones are compared with


def main() -> None:
    """Measure the networks of all seeds, and write the page's figures and its picture."""
    directory = workspace(*sys.argv[1:])
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet().save(PICTURE, optimize=True)
    ranking, evaluation = (rendered(split, directory)[:2000] for split in ("scenes-train", "scenes-validation"))
    table = label_table(np.stack(list(_labels(*SPLITS["scenes-validation"]))))
    measured = [
        measure(seed, load_classifier(weights_of(seed, directory)), ranking, evaluation, table) for seed in SEEDS
    ]
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text("\n".join([head + BEGIN, *_lines(measured), END + rest.partition(END)[2]]))


@dataclass(frozen=True)
class Dissection:
    """What the units of a layer detect: distinct concepts by category, and the mean over units of the best IoU."""

    distinct: dict[str, int]
    mean_iou: float


@dataclass(frozen=True)
class Measurement:
    """The figures of one seed; the drops are of a class's balanced accuracy, means over classes, one for each size."""

    seed: int
    accuracy: float
    trained: Dissection
    untrained: Dissection
    rotated: list[Dissection]
    drops: list[float]
    random_drops: list[float]


def measure(
    seed: int,
    network: SceneClassifier,
    ranking: NDArray[np.uint8],
    evaluation: NDArray[np.uint8],
    table: NDArray[np.uint16],
) -> Measurement:
    """Dissect and ablate the last layer of one network, over evaluation images whose labels are in `table`."""
    maps, control = last_maps(network, evaluation), last_maps(untrained(seed), evaluation)
    ranked, evaluated = last_peaks(network, ranking), maps.amax((2, 3))
    read_out, answers = network.classifier, classes("scenes-validation")
    drops, random_drops = ablate(read_out, ranked, classes("scenes-train")[: len(ranking)], evaluated, answers)
    return Measurement(
        seed,
        float(np.mean(_predictions(read_out, evaluated) == answers)),
        dissect(maps, table),
        dissect(control, table),
        [dissect(rotate(maps, random_rotation(maps.shape[1], draw)), table) for draw in range(ROTATIONS)],
        drops,
        random_drops,
    )


@torch.inference_mode()
def last_maps(network: SceneClassifier, images: NDArray[np.uint8]) -> Tensor:
    """The last layer's maps of all images, (n, 128, 8, 8)."""
    return torch.cat([network.features(as_input(images[i : i + BATCH])) for i in range(0, len(images), BATCH)])


def _labels(seed: int, images: int) -> Iterator[NDArray[np.uint16]]:
    """The labels of each image on the grid, (4, G, G)."""
    step = SIZE // GRID
    for index in range(images):
        scene = render(seed, index)
        colors = color_map(scene.image).astype(np.uint16) + len(CONCEPTS) + 1
        yield np.stack([*scene.labels.values(), colors])[:, step // 2 :: step, step // 2 :: step]


def dissect(maps: Tensor, table: NDArray[np.uint16]) -> Dissection:
    """Label every unit of a layer's maps (n, U, h, w), over images whose labels are in `table`."""
    pilot = np.arange(0, len(maps), 10)
    bounds = pilot_bounds(sample_grid(maps[pilot], pilot, GRID, "zero").numpy(), QUANTILE)
    shard, levels, known = _collect(maps, bounds)
    if not known.all():
        shard, levels, known = _collect(maps, np.where(known, bounds, safe_bounds(shard.minima)))
    ratios = iou(count(shard.candidates, levels, table, len(ALL_CONCEPTS)))
    living = alive(levels, shard.minima, shard.peaks.max(axis=0))
    labels = best_concepts(ratios, living)
    best = np.where(labels >= 0, ratios.max(axis=1), 0)
    return Dissection(chart(labels, detectors(ratios, labels, CUTOFF), ALL_CONCEPTS).distinct, float(best.mean()))


def ablate(
    read_out: torch.nn.Linear,
    ranked: Tensor,
    ranked_scenes: NDArray[np.int64],
    evaluated: Tensor,
    scenes: NDArray[np.int64],
) -> tuple[list[float], list[float]]:
    """Remove the units that a class needs most, and as many random ones.

    The classifier reads the peaks (n, U) of its last layer alone, so that a unit is removed by a peak of 0.

    Returns
    -------
    drops, random_drops : list of float
        For each of SIZES the mean over classes of the drop of their balanced accuracy.
    """
    units, random = ranked.shape[1], np.random.default_rng(0)
    single = np.stack([_balanced(read_out, ranked, [unit], ranked_scenes) for unit in range(units)])  # (U, classes)
    order = np.argsort(single, axis=0, kind="stable").T  # (classes, U), most damaging first
    whole = _balanced(read_out, evaluated, [], scenes)
    drops, random_drops = [], []
    for size in SIZES:
        left = [_balanced(read_out, evaluated, order[scene, :size], scenes)[scene] for scene in range(len(SCENES))]
        draws = [_balanced(read_out, evaluated, random.permutation(units)[:size], scenes) for _ in range(DRAWS)]
        drops.append(float(np.mean(whole - left)))
        random_drops.append(float(np.mean(whole - draws)))
    return drops, random_drops


def _collect(maps: Tensor, bounds: NDArray[np.float32]) -> tuple[LayerShard, NDArray[np.float64], NDArray[np.bool_]]:
    """Take in all maps; returns what was kept, the units' thresholds, and which of these the bounds let be known."""
    collector = LayerCollector(torch.from_numpy(bounds), GRID, "zero", top=1)
    for start in range(0, len(maps), BATCH):
        batch = maps[start : start + BATCH]
        collector.add(batch_maps(batch, GRID, "zero"), np.arange(start, start + len(batch)))
    shard = collector.shard()
    return shard, *thresholds([shard.candidates], bounds, shard.minima, len(maps) * GRID**2, QUANTILE)


@torch.inference_mode()
def _predictions(
    read_out: torch.nn.Linear, peaks: Tensor, removed: Sequence[int] | NDArray[np.int64] = ()
) -> NDArray[np.int64]:
    kept = peaks.clone()
    kept[:, list(removed)] = 0
    predictions: NDArray[np.int64] = read_out(kept).argmax(1).numpy()
    return predictions


def _balanced(
    read_out: torch.nn.Linear, peaks: Tensor, removed: Sequence[int] | NDArray[np.int64], scenes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The balanced accuracy of every class, (classes,), without the removed units."""
    everything = np.arange(len(SCENES))
    true = scenes[:, None] == everything  # (n, classes)
    found = _predictions(read_out, peaks, removed)[:, None] == everything
    recall, rejection = (true & found).sum(0) / true.sum(0), (~true & ~found).sum(0) / (~true).sum(0)
    balanced: NDArray[np.float64] = (recall + rejection) / 2
    return balanced


def _lines(measured: Sequence[Measurement]) -> Iterator[str]:
    """The page's figures: one table of what units detect, one of what removing them does."""
    yield from ("", "| seed | validation accuracy | network | objects | parts | materials | colours | mean best IoU |")
    yield "|---|---|---|---|---|---|---|---|"
    for m in measured:
        yield f"| {m.seed} | {m.accuracy:.3f} | trained | {_dissected(m.trained)} |"
        yield f"| | | untrained | {_dissected(m.untrained)} |"
        for draw, rotated in enumerate(m.rotated):
            yield f"| | | rotation {draw} | {_dissected(rotated)} |"
    sizes = " | ".join(f"{size} units | {size} random" for size in SIZES)
    yield from ("", f"| seed | {sizes} |", "|---" * (2 * len(SIZES) + 1) + "|")
    for m in measured:
        pairs = zip(m.drops, m.random_drops, strict=True)
        yield f"| {m.seed} | " + " | ".join(f"{drop:.3f} | {random:.3f}" for drop, random in pairs) + " |"
    yield ""


def _dissected(found: Dissection) -> str:
    distinct = (str(found.distinct.get(category, 0)) for category in ("object", "part", "material", "color"))
    return f"{' | '.join(distinct)} | {found.mean_iou:.4f}"


if __name__ == "__main__":
    main()
