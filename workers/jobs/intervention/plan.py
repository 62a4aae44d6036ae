"""Which latents and sets of units belong to which shard: a function of the job alone, whoever works on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from service.jobs.intervention import LATENTS_IN_SHARD, edits, latents_in_shard
from service.jobs.queries import EDITS
from service.results.interventions.tables import BY_EFFECT, EACH_CELL, GREEDY
from workers.analysis.ablation.importance import random_sets
from workers.analysis.interventions.orders import best_first, choose_next, removes_enough
from workers.jobs.kind import FinishedStage, ShardPlan, StagePlan

RANDOM = "random"
RANK = "rank"
"""The stage that removes more and more units: first each alone, then each beside those that were chosen."""


class Edit(NamedTuple):
    """A set of units that is changed: the first `size` of an order, or of a random one."""

    order: str
    size: int
    units: Sequence[int]


def own_edits(orders: Mapping[str, Sequence[int]], sizes: Sequence[int]) -> list[Edit]:
    """The sets of the orders; a greedy order may be short and then is there at its full length, too."""
    lengths = {len(orders[GREEDY])} - {0} if GREEDY in orders else set()
    return [
        Edit(order, size, units[:size])
        for order, units in orders.items()
        for size in sorted({*sizes} | (lengths if order == GREEDY else set()))
        if size <= len(units)
    ]


def random_edits(units: int, sizes: Sequence[int], draws: int) -> list[Edit]:
    """Random sets of all of the layer's units, size by size."""
    drawn = random_sets(range(units), sizes, draws)
    return [Edit(RANDOM, size, chosen) for size, sets in zip(sizes, drawn, strict=True) for chosen in sets]


def used_units(params: Mapping[str, Any], layer: str, units: int) -> list[int]:
    """The units of a layer that any set has."""
    drawn = random_edits(units, params["sizes"][layer], params["random"])
    return sorted({*params["units"][layer], *(unit for edit in drawn for unit in edit.units)})


def next_stage(params: Mapping[str, Any], finished: Sequence[FinishedStage]) -> StagePlan | None:
    """The stage after the finished ones; None when all is reported."""
    last = finished[-1]
    if last.name == "prepare" and isinstance(params["value"], dict):
        return _plan_collect(params)
    if last.name == "collect":
        return _plan_level(params, last)
    if last.name in ("prepare", "level", RANK):
        return _plan_rank(params, finished) or _plan_measure(params, finished)
    return _plan_report(params, finished) if last.name == "measure" else None


def _pieces(latents: Mapping[str, int], most: int) -> list[tuple[int, int]]:
    """The latents in pieces, counted from the first of them."""
    count = latents["count"]
    return [(start, min(start + most, count)) for start in range(0, count, most)]


def _plan_collect(params: Mapping[str, Any]) -> StagePlan:
    plans = [
        ShardPlan({"layer": layer, "start": start, "stop": stop}, stop - start)
        for layer in params["layer"]
        for start, stop in _pieces(params["latents"], LATENTS_IN_SHARD)
    ]
    return StagePlan("collect", "latents", plans)


def _plan_level(params: Mapping[str, Any], collected: FinishedStage) -> StagePlan:
    plans = []
    for layer in params["layer"]:
        mine = _of_layer(collected, layer)
        payload = {"layer": layer, "values": [result["values"] for result in mine], "units": mine[0]["units"]}
        plans.append(ShardPlan(payload, 1))
    return StagePlan("level", "layers", plans)


def _of_layer(stage: FinishedStage, layer: str) -> list[dict[str, Any]]:
    """The results of a layer's shards, in order."""
    pairs = zip(stage.payloads, stage.results, strict=True)
    return [result for payload, result in pairs if payload["layer"] == layer]


@dataclass(frozen=True)
class Search:
    """How far the search for the smallest set of a layer's units has come.

    Attributes
    ----------
    untouched, left : int
        Pixels of the target on the ranking latents, and those that are left without the chosen units.
    chosen : list of int
    removed : list of float
        Share of the pixels that is gone after each.
    order : list of int
        The candidates by what each alone takes away.
    changes : list of float
        By each of the candidates alone, relative to the untouched pixels; None where no picture shows the target.
    """

    untouched: int
    left: int
    chosen: list[int]
    removed: list[float]
    order: list[int]
    changes: list[float | None]
    ended: bool


def search(params: Mapping[str, Any], layer: str, finished: Sequence[FinishedStage]) -> Search | None:
    """Follow the steps of the search; None before the first."""
    steps = [found for stage in finished if stage.name == RANK if (found := _sum(stage, layer))]
    if not steps:
        return None
    untouched, alone = steps[0]
    left, rest = untouched, list(params["units"][layer])
    chosen: list[int] = []
    removed: list[float] = []
    ended = not untouched
    for _, pixels in steps:
        unit = None if ended else choose_next(rest, pixels, left)
        if unit is None:
            ended = True
            break
        left = pixels[rest.index(unit)]
        chosen.append(unit)
        rest.remove(unit)
        removed.append((untouched - left) / untouched)
        ended = removes_enough(untouched, left, params["ranking"]["share"]) or not rest
    changes = [(pixels - untouched) / untouched if untouched else None for pixels in alone]
    return Search(untouched, left, chosen, removed, best_first(params["units"][layer], alone), changes, ended)


def _sum(stage: FinishedStage, layer: str) -> tuple[int, list[int]] | None:
    """Pixels of the target untouched, and left by each candidate of a step, over the stage's shards of a layer."""
    results = _of_layer(stage, layer)
    if not results:
        return None
    lefts = zip(*(result["left"] for result in results), strict=True)
    return sum(result["untouched"] for result in results), [sum(left) for left in lefts]


def _plan_rank(params: Mapping[str, Any], finished: Sequence[FinishedStage]) -> StagePlan | None:
    """Remove each candidate alone, then each beside those that were chosen; None once that is over in every layer."""
    if params["ranking"] is None:
        return None
    plans = []
    for layer in params["layer"]:
        found = search(params, layer, finished)
        if found is not None and found.ended:
            continue
        chosen = found.chosen if found else []
        rest = len(params["units"][layer]) - len(chosen)
        for start, stop in _pieces(params["ranking"]["latents"], LATENTS_IN_SHARD):
            payload = {"layer": layer, "start": start, "stop": stop, "chosen": chosen}
            plans.append(ShardPlan(payload, (stop - start) * (1 + rest)))
    return StagePlan(RANK, EDITS, plans) if plans else None


def orders(params: Mapping[str, Any], layer: str, finished: Sequence[FinishedStage]) -> dict[str, list[int]]:
    """The orders in which a layer's units are taken."""
    found = search(params, layer, finished)
    own = {params["order"]: list(params["units"][layer])}
    return own if found is None else own | {BY_EFFECT: found.order, GREEDY: found.chosen}


def _plan_measure(params: Mapping[str, Any], finished: Sequence[FinishedStage]) -> StagePlan:
    cells = finished[0].results[0]["cells"]
    plans = []
    for layer in params["layer"]:
        each = edits(params, layer, cells[layer] if params["where"] == EACH_CELL else 1)
        payload = {"layer": layer, "orders": orders(params, layer, finished), "levels": levels(layer, finished)}
        for start, stop in _pieces(params["latents"], latents_in_shard(each)):
            plans.append(ShardPlan(payload | {"start": start, "stop": stop}, (stop - start) * each))
    return StagePlan("measure", EDITS, plans)


def levels(layer: str, finished: Sequence[FinishedStage]) -> str | None:
    """The file with what each of a layer's units becomes; None where that is no quantile."""
    return next((_of_layer(stage, layer)[0]["levels"] for stage in finished if stage.name == "level"), None)


def _plan_report(params: Mapping[str, Any], finished: Sequence[FinishedStage]) -> StagePlan:
    prepared = finished[0].results[0]
    layers = [
        {
            "layer": layer,
            "measured": [result["measured"] for result in _of_layer(finished[-1], layer)],
            "orders": orders(params, layer, finished),
            "levels": levels(layer, finished),
            "search": vars(found) if (found := search(params, layer, finished)) else None,
            "cut": prepared["cut"][layer],
            "reason": prepared["reason"][layer],
        }
        for layer in params["layer"]
    ]
    return StagePlan("report", "shards", [ShardPlan({"layers": layers}, 1)])
