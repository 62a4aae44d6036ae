"""What a webhook is told."""

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.jobs.tables import Job
from service.webhooks.tables import TEST_TYPE

_SAME = ("id", "kind", "state", "labels", "attempt", "error", "created_at", "started_at", "finished_at", "fingerprint")


def job_message(job: Job, names: Mapping[uuid.UUID, str]) -> tuple[str, str]:
    """The type and the text of what is told of a job that has ended; names are those of its model and dataset."""
    assert job.finished_at is not None
    data = {
        **{name: getattr(job, name) for name in _SAME},
        "model": names.get(job.model_id) if job.model_id else None,
        "dataset": names.get(job.dataset_id) if job.dataset_id else None,
        "links": {"self": f"/v1/jobs/{job.id}", "summary": f"/v1/jobs/{job.id}/summary"},
    }
    return _written(f"job.{job.state}", job.finished_at, data)


def trial_message(webhook_id: uuid.UUID, time: datetime) -> tuple[str, str]:
    """The type and the text of a message that tells nothing but that it arrives."""
    return _written(TEST_TYPE, time, {"webhook": webhook_id})


def _written(type: str, time: datetime, data: Mapping[str, Any]) -> tuple[str, str]:
    message = {"type": type, "timestamp": time, "data": data}
    return type, json.dumps(message, default=_plain, separators=(",", ":"))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
