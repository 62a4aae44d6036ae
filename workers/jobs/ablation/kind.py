"""The kind `ablation` as the job runner sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.jobs.fingerprints import ANALYSIS_VERSIONS
from workers.jobs.ablation.merging import Merging
from workers.jobs.ablation.passing import Passing
from workers.jobs.ablation.plan import next_stage
from workers.jobs.ablation.ranking import Ranking
from workers.jobs.ablation.removing import Removing
from workers.jobs.ablation.reporting import Report
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan

STAGES: Mapping[str, Callable[[ShardContext], dict[str, Any]]] = {
    "prepare": lambda context: Passing(context).prepare(),
    "collect": lambda context: Passing(context).collect(),
    "sweep": lambda context: Passing(context).sweep(),
    "rank": lambda context: Ranking(context).run(),
    "remove": lambda context: Removing(context).run(),
    "report": lambda context: Report(context).run(),
}


class Ablation:
    """Stages prepare, collect, sweep, rank, remove, report; see `workers.jobs.kind.JobKind`."""

    name = "ablation"
    version = ANALYSIS_VERSIONS["ablation"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """The stage after the finished ones."""
        return next_stage(finished)

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Do one shard's work."""
        return STAGES[context.stage](context)

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write what was found."""
        return Merging(context, finished).write(session)
