"""The broker: carries hints that there is work; what work there is, the database alone knows."""

import logging
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

from service import file_broker
from service.errors import Unavailable
from service.settings import Settings

RUN_SHARD, PAINT = "workers.run_shard", "workers.paint"
QUEUE, PAINTINGS = "shards", "paintings"
MAX_HINTS = 64
"""A worker that leaves claimable shards behind leaves a hint, so that more hints than workers are of no use."""
FILE_POLL_SECONDS = 0.02
"""A painting waits for it; looking into the directory costs an idle worker about a thousandth of a core."""
FILE_LIFETIME_SECONDS = 600.0
REDIS_VISIBILITY_SECONDS = 3600

log = logging.getLogger(__name__)


def make_celery(settings: Settings) -> Celery:
    """The Celery application that the API, the workers and the relay share."""
    celery = Celery("unitatlas", set_as_current=False)
    celery.conf.update(
        broker_url=settings.broker_url or file_broker.URL,
        broker_transport_options=_transport_options(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        result_backend=None,
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in (QUEUE, PAINTINGS)],
        task_serializer="json",
        accept_content=["json"],
        # RabbitMQ closes the channel of a message that stays unacknowledged for half an hour
        task_acks_late=not settings.broker_url.startswith("amqp"),
        # a message that comes back with every worker it kills would come back for ever; the database counts attempts
        task_reject_on_worker_lost=False,
        worker_prefetch_multiplier=1,
        # a forked process cannot use CUDA
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=60,  # a spawned process imports everything anew
        # gives leaked memory back; a painting is a task, too, and shall find its network warm
        worker_max_tasks_per_child=1000,
        worker_soft_shutdown_timeout=25,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
    )
    return celery


def _transport_options(settings: Settings) -> dict[str, Any]:
    if settings.broker_url.startswith("redis"):
        return {"visibility_timeout": REDIS_VISIBILITY_SECONDS, "unacked_restore_throttle": 1, **_IMPATIENT}
    if settings.broker_url:
        return _IMPATIENT
    folders = _make_folders(settings)
    return {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "control_folder": str(folders["control"]),
        "processed_folder": str(folders["processed"]),
        # otherwise a message passes through the system's temporary directory by a copy that is not atomic
        "store_processed": True,
        "polling_interval": FILE_POLL_SECONDS,
    }


_IMPATIENT = {"max_retries": 0, "socket_connect_timeout": 2, "socket_timeout": 30}


def _make_folders(settings: Settings) -> dict[str, Path]:
    root = settings.data_dir.absolute() / "broker"
    folders = {name: root / name for name in ("messages", "control", "processed")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def tidy(settings: Settings) -> None:
    """Remove the files that the file-system broker leaves behind; other brokers tidy up themselves."""
    if settings.broker_url:
        return
    folders = _make_folders(settings)
    taken = folders["processed"].iterdir()
    # to lost workers, and about paintings that nobody waits for any more
    unheard = (path for path in folders["messages"].iterdir() if not path.name.endswith(f".{QUEUE}.msg"))
    oldest = time.time() - FILE_LIFETIME_SECONDS
    for path in (*taken, *unheard):
        with suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def publish(celery: Celery, shard_ids: Sequence[uuid.UUID]) -> None:
    """Hint that these shards wait; where the broker is away, only log it, for the relay repeats what was not heard."""
    try:
        for shard_id in shard_ids[:MAX_HINTS]:
            celery.send_task(RUN_SHARD, (str(shard_id),), retry=False)
    except Exception as error:  # each transport has errors of its own, and none may reach who has committed
        log.warning("the broker is away, so the relay will publish these shards: %s", error)


def publish_painting(celery: Celery, painting_id: uuid.UUID) -> None:
    """Ask the workers for a painting; raise Unavailable where the broker is away, for nobody would hear of it."""
    try:
        celery.send_task(PAINT, (str(painting_id),), queue=PAINTINGS, retry=False)
    except Exception as error:  # each transport has errors of its own
        raise Unavailable("the broker is away, so that no worker can be asked to paint") from error


def count_hints(celery: Celery) -> int:
    """How many hints wait in the broker; raise what its transport raises where it is away."""
    with celery.connection_for_write() as connection:
        queue = celery.amqp.queues[QUEUE].bind(connection.default_channel)
        declared: Any = queue.queue_declare()
        return int(declared.message_count)
