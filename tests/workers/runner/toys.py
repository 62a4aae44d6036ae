"""Toy kinds of job: the sum of the squares below a number, in three stages, with every way to go wrong."""

import os
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.catalog.tables import Concept
from service.errors import Invalid
from workers.jobs.kind import FinishedStage, JobView, ShardContext, ShardPlan, StagePlan


class Squares:
    """Params: count, shards, and optionally seconds (a shard) and misbehave (how the shards of `square` do)."""

    name = "squares"
    version = 1

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        count, shards = job.params["count"], job.params["shards"]
        match [stage.name for stage in finished]:
            case ["prepare"]:
                numbers = [list(range(index, count, shards)) for index in range(shards)]
                return StagePlan("square", "numbers", [ShardPlan({"numbers": part}, len(part)) for part in numbers])
            case ["prepare", "square"]:
                squares = [result["squares"] for result in finished[1].results]
                return StagePlan("add", "shards", [ShardPlan({"squares": part}, 1) for part in squares])
        return None

    def run(self, context: ShardContext) -> dict[str, Any]:
        match context.stage:
            case "square":
                self._misbehave(context)
                (context.scratch / f"{context.index}-{context.attempt}").write_text("left for later stages")
                return {"squares": [number**2 for number in context.payload["numbers"]]}
            case "add":
                return {"sum": sum(context.payload["squares"])}
        return {}

    def _misbehave(self, context: ShardContext) -> None:
        params = context.job.params
        end = time.monotonic() + params.get("seconds", 0.0)
        while time.monotonic() < end:
            context.check()
            time.sleep(0.02)
        match params.get("misbehave"):
            case "exit":
                os._exit(1)
            case "hang":
                time.sleep(600)
            case "invalid":
                raise Invalid("squares need numbers", pointer="/count")
            case "stumble" if context.attempt == 1:
                raise ZeroDivisionError("secret of the first attempt")
            case "break":
                raise ZeroDivisionError("secret of every attempt")

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        session.add(
            Concept(team_id=context.job.team_id, category="toy", name=str(context.job.id))
        )  # what only a success shows
        return {"sum": sum(result["sum"] for result in finished[-1].results)}


TOYS = {"squares": Squares()}


def sum_of_squares(count: int) -> int:
    return (count - 1) * count * (2 * count - 1) // 6
