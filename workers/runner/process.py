"""The state of a worker process: made once, in the process that computes and never in its parent."""

import logging
import os
import threading
from dataclasses import replace
from functools import cache

from celery.signals import worker_process_init

from service.artifacts.store import ArtifactStore
from service.database import make_engine, make_sessions
from service.settings import Settings
from workers.runner import queries
from workers.runner.executing import Process
from workers.runner.queries import Load

NAME_VARIABLE = "UNITATLAS_WORKER_NAME"
"""Carries the worker's name to the process it spawns, which inherits nothing but the environment."""
ANNOUNCE_SECONDS = 5.0

log = logging.getLogger(__name__)


@cache
def this_process() -> Process:
    """The state of this process."""
    # the parent only passes messages on: torch and the kinds that need it are for the process that computes
    from workers.jobs.registry import KINDS

    settings = Settings.from_environment()
    settings = replace(settings, device=_prepare_device(settings))
    return Process(settings, make_sessions(make_engine(settings)), ArtifactStore(settings.artifact_dir), KINDS)


def _prepare_device(settings: Settings) -> str:
    """The device to compute on; raise RuntimeError where it is CUDA and does not work in this process."""
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.zeros(1, device=device).add_(1).item()
    return device


def load_of(process: Process) -> Load:
    """What a worker tells of itself."""
    return Load(process.settings.device, dict(process.done), *_gpu_memory(process.settings.device))


def _gpu_memory(device: str) -> tuple[int | None, int | None]:
    if not device.startswith("cuda"):
        return None, None
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return total - free, total


@worker_process_init.connect
def announce(**_: object) -> None:
    """Keep this worker's row in the database fresh for as long as the process lives."""
    threading.Thread(target=_announce_forever, name="announce", daemon=True).start()


def _announce_forever() -> None:
    pause = threading.Event()
    while True:
        try:
            process = this_process()
            with process.sessions.begin() as session:
                queries.announce_worker(session, os.environ[NAME_VARIABLE], load_of(process))
        except Exception:  # the next round tries again; meanwhile /readyz misses this worker
            log.warning("this worker could not be announced", exc_info=True)
        pause.wait(ANNOUNCE_SECONDS)
