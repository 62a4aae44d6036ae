"""Which images, units and sets of units belong to which shard: a function of the job alone, whoever works on it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from service.jobs.ablation import IMAGES_IN_SHARD, PAIRS_IN_SHARD, UNITS_IN_SHARD
from service.jobs.queries import PAIRS
from workers.jobs.ablation.images import SETS
from workers.jobs.kind import FinishedStage, ShardPlan, StagePlan

MOST, LEAST, ALL_BUT, RANDOM = "most", "least", "all_but", "random"
ORDERS = (MOST, LEAST, ALL_BUT)
"""The most damaging units of a class, its least damaging ones, all but the most damaging ones."""
MARGINS_IN_SHARD = 2**26
"""Logit margins, images x classes x random sets, that a shard holds at once: 256 MB."""


@dataclass(frozen=True)
class Removal:
    """A set of units to remove: of a size, from the order of a class's units or at random."""

    size: int
    """Position in the job's sizes."""
    order: str
    number: int
    """The class's position among those asked for, or the number of the draw."""


def next_stage(finished: Sequence[FinishedStage]) -> StagePlan | None:
    """The stage after the finished ones; None when all is found and drawn."""
    last = finished[-1]
    if last.name == "prepare":
        return _plan_collect(last.results[0])
    if last.name == "collect":
        return _plan_sweep(finished)
    if last.name == "sweep":
        return StagePlan("rank", "shards", [ShardPlan({"collected": collected(finished), "swept": swept(finished)}, 1)])
    if last.name == "rank":
        return _plan_remove(finished) or _plan_report(finished)
    if last.name == "remove":
        return _plan_report(finished)
    return None


def _plan_collect(prepared: dict[str, Any]) -> StagePlan:
    """The images of both sets in pieces."""
    plans = [
        ShardPlan(
            {"set": name, "start": start, "stop": min(start + IMAGES_IN_SHARD, images)},
            min(IMAGES_IN_SHARD, images - start),
        )
        for name, images in zip(SETS, prepared["images"], strict=True)
        for start in range(0, images, IMAGES_IN_SHARD)
    ]
    return StagePlan("collect", "images", plans)


def collected(finished: Sequence[FinishedStage]) -> dict[str, list[str]]:
    """The parts of each set, in the order of its images."""
    stage = next(stage for stage in finished if stage.name == "collect")
    parts: dict[str, list[str]] = {name: [] for name in SETS}
    for payload, result in zip(stage.payloads, stage.results, strict=True):
        parts[payload["set"]].append(result["part"])
    return parts


def _plan_sweep(finished: Sequence[FinishedStage]) -> StagePlan:
    """Each part of the images with each block of the units."""
    stage, units = finished[-1], len(finished[0].results[0]["units"])
    parts = collected(finished)
    plans = [
        ShardPlan(
            {"set": payload["set"], "part": result["part"], "units": [first, last], "collected": parts},
            (payload["stop"] - payload["start"]) * (last - first),
        )
        for payload, result in zip(stage.payloads, stage.results, strict=True)
        for first in range(0, units, UNITS_IN_SHARD)
        for last in [min(first + UNITS_IN_SHARD, units)]
    ]
    return StagePlan("sweep", PAIRS, plans)


def swept(finished: Sequence[FinishedStage]) -> dict[str, list[list[str]]]:
    """For each set and each part of it the files of its blocks of units."""
    stage = next(stage for stage in finished if stage.name == "sweep")
    files: dict[str, dict[str, list[str]]] = {name: {} for name in SETS}
    for payload, result in zip(stage.payloads, stage.results, strict=True):
        files[payload["set"]].setdefault(payload["part"], []).append(result["swept"])
    return {name: [*parts.values()] for name, parts in files.items()}


def removals(sizes: int, classes: int, draws: int) -> list[Removal]:
    """All sets of units of a job; neighbours have one size and one order, so that a shard sums up few of them."""
    return [
        Removal(size, order, number)
        for size in range(sizes)
        for order in (*ORDERS, RANDOM)
        for number in range(draws if order == RANDOM else classes)
    ]


def _plan_remove(finished: Sequence[FinishedStage]) -> StagePlan | None:
    prepared, ranked = finished[0].results[0], finished[-1].results[0]
    images = sum(prepared["images"])
    everything = removals(len(prepared["sizes"]), len(prepared["wanted"]), prepared["draws"])
    pieces = _pieces(everything, max(1, PAIRS_IN_SHARD // images), _random_in_shard(prepared))
    shared = {"collected": collected(finished), "ranked": ranked["ranked"]}
    plans = [ShardPlan(shared | {"start": a, "stop": b}, (b - a) * images) for a, b in pieces]
    return StagePlan("remove", PAIRS, plans) if plans else None


def _random_in_shard(prepared: dict[str, Any]) -> int:
    margins: int = sum(prepared["images"]) * max(1, len(prepared["wanted"]))
    return max(1, MARGINS_IN_SHARD // margins)


def _pieces(everything: Sequence[Removal], most: int, most_random: int) -> Iterator[tuple[int, int]]:
    """Cut the removals so that a piece has few enough of them, and few enough random ones."""
    start = random = 0
    for position, removal in enumerate(everything):
        if position - start == most or (removal.order == RANDOM and random == most_random):
            yield start, position
            start, random = position, 0
        random += removal.order == RANDOM
    if start < len(everything):
        yield start, len(everything)


def _plan_report(finished: Sequence[FinishedStage]) -> StagePlan:
    ranked = next(stage for stage in finished if stage.name == "rank").results[0]
    removed = [result["removed"] for stage in finished if stage.name == "remove" for result in stage.results]
    prepared = {name: finished[0].results[0][name] for name in ("units", "sizes", "draws", "cut", "reason")}
    payload = prepared | {"ranked": ranked["ranked"], "removed": removed}
    return StagePlan("report", "shards", [ShardPlan(payload, 1)])
