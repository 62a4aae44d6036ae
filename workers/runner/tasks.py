"""The one Celery task: a hint became a permit to run one shard."""

from typing import Any

from celery import Task

from service.broker import RUN_SHARD, count_hints, publish
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
