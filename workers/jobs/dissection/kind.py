"""The kind `dissection` as the job runner sees it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.jobs.fingerprints import ANALYSIS_VERSIONS
from workers.jobs.dissection.measuring import Measuring
from workers.jobs.dissection.merging import Merging
from workers.jobs.dissection.passing import Pass
from workers.jobs.dissection.plan import next_stage
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan


class Dissection:
    """Stages prepare, collect, measure, and where needed recollect and measure; see `workers.jobs.kind.JobKind`."""

    name = "dissection"
    version = ANALYSIS_VERSIONS["dissection"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """The stage after the finished ones."""
        return next_stage(finished)

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Do one shard's work."""
        if context.stage == "measure":
            return Measuring(context).run()
        work = Pass(context)
        return {"prepare": work.prepare, "collect": work.collect, "recollect": work.recollect}[context.stage]()

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write what was found."""
        return Merging(context, finished).write(session)
