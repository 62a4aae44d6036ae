"""Which images belong to which shard of an attack: a function of the job and of what the network takes images for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.jobs.attack import IMAGES_IN_CLASSIFYING_SHARD, IMAGES_IN_SHARD, LEAST_LIKELY
from service.jobs.queries import ATTACKS
from workers.jobs.kind import FinishedStage, ShardPlan, StagePlan


def next_stage(finished: Sequence[FinishedStage]) -> StagePlan | None:
    """The stage after the finished ones; None when all is reported."""
    last = finished[-1]
    if last.name == "prepare":
        return _plan_classify(last.results[0]["images"])
    if last.name == "classify":
        return _plan_attack(finished) or _plan_report(finished)
    if last.name == "attack":
        return _plan_report(finished)
    return None


def _plan_classify(images: int) -> StagePlan:
    starts = range(0, images, IMAGES_IN_CLASSIFYING_SHARD)
    pieces = [(start, min(start + IMAGES_IN_CLASSIFYING_SHARD, images)) for start in starts]
    return StagePlan("classify", "images", [ShardPlan({"start": a, "stop": b}, b - a) for a, b in pieces])


def classified(finished: Sequence[FinishedStage]) -> list[str]:
    """The files that say what images are taken for, in the order of the images."""
    return [result["classified"] for stage in finished if stage.name == "classify" for result in stage.results]


def _plan_attack(finished: Sequence[FinishedStage]) -> StagePlan | None:
    """For each target the images that are looked at, in pieces."""
    prepared, files = finished[0].results[0], classified(finished)
    counts = np.sum([result["chosen"] for result in finished[-1].results], axis=0)
    most = prepared["max_images"] or prepared["images"]
    plans = [
        ShardPlan({"target": target, "start": start, "stop": stop, "classified": files}, stop - start)
        for target, count in enumerate(np.minimum(counts, most).tolist())
        for start in range(0, count, IMAGES_IN_SHARD)
        for stop in [min(start + IMAGES_IN_SHARD, count)]
    ]
    return StagePlan("attack", ATTACKS, plans) if plans else None


def _plan_report(finished: Sequence[FinishedStage]) -> StagePlan:
    attacked: list[list[str]] = [[] for _ in range(finished[0].results[0]["targets"])]
    for stage in finished:
        if stage.name == "attack":
            for payload, result in zip(stage.payloads, stage.results, strict=True):
                attacked[payload["target"]].append(result["attacked"])
    return StagePlan("report", "shards", [ShardPlan({"attacked": attacked, "classified": classified(finished)}, 1)])


def goals(target: int | str | None, least: NDArray[np.int32]) -> NDArray[np.int64] | None:
    """The class that each image (n,) shall be taken for; None where any other will do."""
    if target is None:
        return None
    return least.astype(np.int64) if target == LEAST_LIKELY else np.full(len(least), target, np.int64)


def choose(
    which: str, goal: NDArray[np.int64] | None, predicted: NDArray[np.int32], classes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which images (n,) are looked at: all, or those that are not of the target's class and not taken for it.

    Without a target those that are taken for what they are (Bau et al., PNAS 2020).
    """
    if which == "all":
        return np.ones(len(predicted), np.bool_)
    chosen: NDArray[np.bool_] = predicted == classes if goal is None else (predicted != goal) & (classes != goal)
    return chosen


def payload_targets(params: dict[str, Any], outputs: Sequence[str]) -> list[int | str | None]:
    """The targets of a job: positions among the outputs, `least-likely`, or the one that is none."""
    names = params["target"]
    return [name if name == LEAST_LIKELY else outputs.index(name) for name in names] or [None]
