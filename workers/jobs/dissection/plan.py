"""Which images and units belong to which shard: a function of the job alone, whoever works on it."""

from collections.abc import Sequence
from math import ceil
from typing import Any

from service.jobs.estimates import IMAGES_IN_SHARD, PILOT_IMAGES, UNITS_IN_SHARD
from workers.jobs.dissection.views import View
from workers.jobs.kind import FinishedStage, ShardPlan, StagePlan
from workers.jobs.selection import select_images


def split_images(selected: Sequence[int]) -> list[list[int]]:
    """The images of each shard of the pass, the pilot's first; each shard is spread evenly over the selection.

    A dataset is often sorted by class: a run of neighbours would say little about the thresholds of the whole.
    """
    pilot = [selected[place] for place in select_images(len(selected), PILOT_IMAGES)]
    rest = sorted({*selected} - {*pilot})
    shards = ceil(len(rest) / IMAGES_IN_SHARD)
    return [pilot, *(rest[first::shards] for first in range(shards))]


def next_stage(finished: Sequence[FinishedStage], views: Sequence[View]) -> StagePlan | None:
    """The stage after the finished ones; None when all is measured and scored."""
    last = finished[-1]
    if last.name == "prepare":
        return plan_collect(last.results[0]) or plan_measure(finished, views)
    if last.name == "collect":
        return plan_measure(finished, views)
    if last.name == "recollect":
        return plan_second_measure(finished)
    if last.name == "measure":
        return plan_recollect(finished) or plan_score(finished, views)
    return None


def plan_collect(prepared: dict[str, Any]) -> StagePlan | None:
    """A shard for each part of the images after the pilot; None where the pilot had them all."""
    shards = split_images(range(prepared["selected"]))[1:]
    plans = [
        ShardPlan({"shard": number, "bounds": prepared["part"]}, len(images))
        for number, images in enumerate(shards, start=1)
    ]
    return StagePlan("collect", "images", plans) if plans else None


def parts_of(finished: Sequence[FinishedStage]) -> list[str]:
    """The directories that the pass filled, in the order of its shards."""
    return [result["part"] for stage in finished if stage.name in ("prepare", "collect") for result in stage.results]


def plan_measure(finished: Sequence[FinishedStage], views: Sequence[View]) -> StagePlan:
    """A shard for each block of units of each view."""
    parts = parts_of(finished)
    units = {name: units for name, units, _, _ in finished[0].results[0]["layers"]}
    plans = [
        ShardPlan({"view": position, "units": block, "start": block[0], "parts": parts}, len(block))
        for position, view in enumerate(views)
        for block in blocks(range(units[view.layer]))
    ]
    return StagePlan("measure", "units", plans)


def blocks(units: Sequence[int]) -> list[list[int]]:
    """Units in pieces of a shard's size."""
    return [list(units[start : start + UNITS_IN_SHARD]) for start in range(0, len(units), UNITS_IN_SHARD)]


def unmeasured(finished: Sequence[FinishedStage]) -> dict[int, list[int]]:
    """Units, by view, whose pilot's bound proved too high."""
    units: dict[int, list[int]] = {}
    for payload, result in zip(finished[-1].payloads, finished[-1].results, strict=True):
        units.setdefault(payload["view"], []).extend(result["unknown"])
    return {view: found for view, found in units.items() if found}


def plan_recollect(finished: Sequence[FinishedStage]) -> StagePlan | None:
    """The whole pass again for the units that could not be measured; None where all were."""
    units = unmeasured(finished)
    if not units:
        return None
    parts = parts_of(finished)
    wanted = [[view, found] for view, found in units.items()]
    images = split_images(range(finished[0].results[0]["selected"]))
    plans = [
        ShardPlan({"shard": number, "units": wanted, "parts": parts}, len(shard)) for number, shard in enumerate(images)
    ]
    return StagePlan("recollect", "images", plans)


def plan_second_measure(finished: Sequence[FinishedStage]) -> StagePlan:
    """Blocks of the units that were collected again."""
    parts, again = parts_of(finished), [result["part"] for result in finished[-1].results]
    plans = [
        ShardPlan(
            {"view": view, "units": block, "start": number * UNITS_IN_SHARD, "parts": parts, "recollected": again},
            len(block),
        )
        for view, units in finished[-1].payloads[0]["units"]
        for number, block in enumerate(blocks(units))
    ]
    return StagePlan("measure", "units", plans)


def blocks_of(finished: Sequence[FinishedStage], view: int) -> list[str]:
    """The names of the blocks that hold a view's measured units."""
    return [
        result["block"]
        for stage in finished
        if stage.name == "measure"
        for payload, result in zip(stage.payloads, stage.results, strict=True)
        if payload["view"] == view
    ]


def plan_score(finished: Sequence[FinishedStage], views: Sequence[View]) -> StagePlan:
    """A shard for each block of units that were measured of the layers themselves."""
    plans = [
        ShardPlan({**payload, "block": result["block"], "blocks": blocks_of(finished, payload["view"])}, known)
        for stage in finished
        if stage.name == "measure"
        for payload, result in zip(stage.payloads, stage.results, strict=True)
        if views[payload["view"]].control is None and (known := len(payload["units"]) - len(result["unknown"]))
    ]
    return StagePlan("score", "units", plans)
