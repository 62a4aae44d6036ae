"""The kind `dissection` as the job runner sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.jobs.fingerprints import ANALYSIS_VERSIONS
from workers.jobs.dissection.measuring import Measuring
from workers.jobs.dissection.merging import Merging
from workers.jobs.dissection.passing import Pass
from workers.jobs.dissection.plan import next_stage
from workers.jobs.dissection.scoring import Scoring
from workers.jobs.dissection.views import views_of
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan

STAGES: Mapping[str, Callable[[ShardContext], dict[str, Any]]] = {
    "prepare": lambda context: Pass(context).prepare(),
    "collect": lambda context: Pass(context).collect(),
    "measure": lambda context: Measuring(context).run(),
    "recollect": lambda context: Pass(context).recollect(),
    "score": lambda context: Scoring(context).run(),
}


class Dissection:
    """Stages prepare, collect, measure, perhaps recollect and measure, score; see `workers.jobs.kind.JobKind`."""

    name = "dissection"
    version = ANALYSIS_VERSIONS["dissection"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """The stage after the finished ones."""
        return next_stage(finished, views_of(job.params))

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Do one shard's work."""
        return STAGES[context.stage](context)

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write what was found."""
        return Merging(context, finished).write(session)
