"""The kind `intervention` as the job runner sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.jobs.fingerprints import ANALYSIS_VERSIONS
from workers.jobs.intervention.levels import collect, level
from workers.jobs.intervention.measuring import Measuring
from workers.jobs.intervention.merging import merge
from workers.jobs.intervention.plan import next_stage
from workers.jobs.intervention.ranking import Ranking, prepare
from workers.jobs.intervention.reporting import Reporting
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan

STAGES: Mapping[str, Callable[[ShardContext], dict[str, Any]]] = {
    "prepare": prepare,
    "collect": collect,
    "level": level,
    "rank": lambda context: Ranking(context).run(),
    "measure": lambda context: Measuring(context).run(),
    "report": lambda context: Reporting(context).run(),
}


class Intervention:
    """Stages prepare, collect, level, rank, measure, report; see `workers.jobs.kind.JobKind`."""

    name = "intervention"
    version = ANALYSIS_VERSIONS["intervention"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """The stage after the finished ones."""
        return next_stage(job.params, finished)

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Do one shard's work."""
        return STAGES[context.stage](context)

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write what was found."""
        return merge(session, context, finished)
