"""The kind `attack` as the job runner sees it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.jobs.fingerprints import ANALYSIS_VERSIONS
from workers.jobs.attack.attacking import Attacking
from workers.jobs.attack.merging import merge
from workers.jobs.attack.plan import next_stage
from workers.jobs.attack.reporting import Reporting
from workers.jobs.attack.studying import Studying
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan

STAGES: Mapping[str, Callable[[ShardContext], dict[str, Any]]] = {
    "prepare": lambda context: Studying(context).prepare(),
    "classify": lambda context: Studying(context).classify(),
    "attack": lambda context: Attacking(context).run(),
    "report": lambda context: Reporting(context).run(),
}


class Attack:
    """Stages prepare, classify, attack, report; see `workers.jobs.kind.JobKind`."""

    name = "attack"
    version = ANALYSIS_VERSIONS["attack"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """The stage after the finished ones."""
        return next_stage(finished)

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Do one shard's work."""
        return STAGES[context.stage](context)

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write what was found."""
        return merge(session, context, finished)
