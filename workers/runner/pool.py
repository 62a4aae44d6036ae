"""Celery's pool of one process, into which a shard goes whole or not at all."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.concurrency import prefork


class TaskPool(prefork.TaskPool):
    """The prefork pool, to which no end comes in the middle of taking a task."""

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        """Take a task."""
        with undisturbed(signal.SIGTERM):
            return super().apply_async(*args, **kwargs)


@contextmanager
def undisturbed(signum: int) -> Iterator[None]:
    """Put the signal off until the block is over.

    Celery ends the worker inside the handler, where it waits for every task of the pool: for ever, where the
    interrupted block had noted a task and not yet passed it on.
    """
    told: list[int] = []
    handler = signal.signal(signum, lambda number, _: told.append(number))
    try:
        yield
    finally:
        signal.signal(signum, handler)
        if told:
            signal.raise_signal(signum)
