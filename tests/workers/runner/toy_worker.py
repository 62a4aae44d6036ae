"""`python -m workers` with toy kinds, without torch, and with a broker that may lose every third hint."""

import os
import random
import sys
import types
from typing import Any

from celery import Celery

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

if __name__ == "__main__":
    from workers.__main__ import main

    main()
