"""A worker that is told to end does end, whatever it hangs in."""

import faulthandler
import logging
import os
import signal
import socket
import threading
import time

from billiard import active_children

ENDINGS = (signal.SIGTERM, signal.SIGQUIT)
END_SECONDS = 50.0
"""Longer than `worker_soft_shutdown_timeout`, and shorter than what the deployment grants before it kills."""

log = logging.getLogger(__name__)


def end_surely() -> None:
    """Kill this process and those it spawned where they still run `END_SECONDS` after it was told to end."""
    hears, tells = socket.socketpair()
    tells.setblocking(False)
    # Celery ends within a signal handler, in the middle of whatever it interrupts, and may wait there for ever
    signal.set_wakeup_fd(tells.detach(), warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(hears,), name="ending", daemon=True).start()


def _watch(hears: socket.socket) -> None:
    while hears.recv(1)[0] not in ENDINGS:
        pass
    time.sleep(END_SECONDS)
    log.error("this worker was told to end %s seconds ago and is killed; this is where it hung:", END_SECONDS)
    faulthandler.dump_traceback()
    for child in active_children():
        if child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)
    os._exit(1)
