"""The Celery tasks: a hint became a permit to run one shard, or a painting is waited for."""

import uuid
from typing import Any

from celery import Task

from service.broker import PAINT, RUN_SHARD, count_hints, publish
from workers.celery_app import celery
from workers.runner.executing import run_next
from workers.runner.process import this_process


@celery.task(name=RUN_SHARD, bind=True)
def run_shard(self: "Task[Any, Any]", shard_id: str) -> None:
    """Run the most urgent shard, which need not be the one hinted at, and hint at what comes next.

    One shard a task, so that ending a task ends that shard's work and no other's. As the messages may be lost, a worker
    that leaves claimable shards behind leaves a hint too.
    """
    deserving = run_next(this_process(), owner=str(self.request.hostname), task_id=str(self.request.id))
    if len(deserving) > 1 or (deserving and count_hints(celery) == 0):
        publish(celery, deserving)


@celery.task(name=PAINT, bind=True)
def paint(self: "Task[Any, Any]", painting_id: str) -> None:
    """Paint what a request waits for."""
    # torch and what needs it are for the process that computes, see `this_process`
    from workers.runner.painting import run_painting

    run_painting(this_process(), uuid.UUID(painting_id), owner=str(self.request.hostname))
