"""The kinds of work that can be asked for, each with the check that a request of it passes."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sqlalchemy.orm import Session

from service.jobs.ablation import check_ablation
from service.jobs.attack import check_attack
from service.jobs.checks import check_dissection
from service.jobs.estimates import Estimate
from service.jobs.imports import check_import
from service.jobs.intervention import check_intervention
from service.jobs.submission import JobRequest


class Checked(Protocol):
    """A request that can be done."""

    @property
    def request(self) -> JobRequest:
        """What is to be submitted."""

    def estimate(self, session: Session, workers: int) -> Estimate:
        """Reckon what it takes on so many workers."""


Check = Callable[[Session, uuid.UUID, Mapping[str, Any], int], Checked]
"""From the team's request and the bytes of scratch space that it may fill; raises Invalid that points at the fault."""

CHECKS: Mapping[str, Check] = {
    "ablation": check_ablation,
    "attack": check_attack,
    "dissection": check_dissection,
    "import": check_import,
    "intervention": check_intervention,
}
