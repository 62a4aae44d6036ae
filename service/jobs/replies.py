"""Jobs as the wire has them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from service.jobs.queries import subject_names
from service.jobs.tables import Job

_SAME = (
    "id",
    "kind",
    "state",
    "params",
    "priority",
    "labels",
    "attempt",
    "created_at",
    "started_at",
    "finished_at",
    "deadline_at",
    "error",
    "fingerprint",
)


def describe(session: Session, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The jobs with the names of their models and datasets, for `JobSchema`."""
    names = subject_names(session, jobs)
    return [_describe(job, names) for job in jobs]


def _describe(job: Job, names: Mapping[UUID, str]) -> dict[str, Any]:
    return {
        **{name: getattr(job, name) for name in _SAME},
        "model": names[job.model_id] if job.model_id else None,
        "dataset": names[job.dataset_id] if job.dataset_id else None,
        "progress": {
            "done": job.progress_done,
            "total": job.progress_total,
            "unit": job.progress_unit,
            "stage": job.stage,
        },
        "links": _links(job),
    }


def _links(job: Job) -> dict[str, str]:
    self = f"/v1/jobs/{job.id}"
    links = {"self": self, **{name: f"{self}/{name}" for name in ("events", "summary", "cancel", "retry")}}
    return links | {"units": f"/v1/units?job={job.id}"} if job.kind in ("dissection", "import") else links
