"""`python -m workers` with toy kinds, without torch; on demand it loses every third hint, or is hard to end."""

import os
import random
import signal
import sys
import threading
import types
from typing import Any

from celery import Celery
from celery.signals import worker_init

from tests.workers.runner.toys import TOYS
from workers.runner import process

# The process that a worker spawns runs this file again, under another name, and so knows the toys too.
registry: Any = types.ModuleType("workers.jobs.registry")
registry.KINDS = TOYS
sys.modules["workers.jobs.registry"] = registry
process._prepare_device = lambda settings: "cpu"

if os.environ.get("TOY_LOSSY"):
    send_task = Celery.send_task

    def lose_every_third(self: Celery, *args: Any, **kwargs: Any) -> Any:
        return None if random.random() < 1 / 3 else send_task(self, *args, **kwargs)

    Celery.send_task = lose_every_third


@worker_init.connect
def prepare_the_end(sender: Any, **_: object) -> None:
    # not before: what `run` sets in the environment must stand when these are imported
    import billiard.pool
    from celery.worker import WorkController

    from workers.runner import ending

    sender.app.conf.worker_soft_shutdown_timeout = 10.0  # which a worker waits in full, and no toy shard takes
    if os.environ.get("TOY_STUCK"):
        ending.END_SECONDS = 2.0
        WorkController.wait_for_soft_shutdown = lambda self: threading.Event().wait()
    if os.environ.get("TOY_INTERRUPTED"):
        note = billiard.pool.ApplyResult.__init__

        def be_told_to_end(self: Any, *args: Any, **kwargs: Any) -> None:
            note(self, *args, **kwargs)  # the pool knows of the task and has not yet passed it on
            signal.raise_signal(signal.SIGTERM)

        billiard.pool.ApplyResult.__init__ = be_told_to_end


if __name__ == "__main__":
    from workers.__main__ import main

    main()
