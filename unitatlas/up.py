"""Run the whole service on this machine: migrate, then keep API, relay and workers alive."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

WINDOW_SECONDS = 60.0
MOST_DEATHS = 5
SHUTDOWN_SECONDS = 40.0
"""Until what was asked to end is killed: a busy worker takes 25 s to give its shard back, whatever the shard does."""
ROUND_SECONDS = 0.2
PAUSE_SECONDS = 0.2
"""Before a process that died is started again; doubled with each death in the window."""
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Failing(Exception):
    """A process could not be kept alive."""


@dataclass
class Member:
    """One process that is kept running."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    start_at: float = 0.0

    def tend(self, environment: Mapping[str, str], log: IO[bytes] | None) -> None:
        """Start the process when it is due; tell of its death; raise Failing when it died too often."""
        if self.process is None:
            if time.monotonic() >= self.start_at:
                # a session of its own: Ctrl-C reaches us alone, and we stop all in order
                self.process = subprocess.Popen(
                    self.command, env=environment, stdout=log, stderr=log, start_new_session=True
                )
        elif self.process.poll() is not None:
            self._bury(self.process.returncode)

    def _bury(self, code: int) -> None:
        now = time.monotonic()
        self.process = None
        self.deaths = [*(death for death in self.deaths if now - death < WINDOW_SECONDS), now]
        if len(self.deaths) >= MOST_DEATHS:
            raise Failing(f"{self.name} ended {MOST_DEATHS} times within {WINDOW_SECONDS:.0f} s, last with code {code}")
        pause = PAUSE_SECONDS * 2 ** len(self.deaths)
        print(f"{self.name} ended with code {code}; it is started again in {pause:.1f} s", file=sys.stderr, flush=True)
        self.start_at = now + pause

    def kill(self) -> None:
        """End the process, if it still runs, with all that it started."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Service:
    """API, relay and workers as child processes that a thread keeps alive; a context manager that stops them all.

    Inside it every way to end the program is a KeyboardInterrupt. So is a process that dies again and again: Failing
    then leaves the context.
    """

    def __init__(
        self,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
        patience: float = SHUTDOWN_SECONDS,
    ) -> None:
        self.environment = dict(os.environ if environment is None else environment)
        self.log = log
        self.patience = patience
        self.members = [
            Member("the API", _python("service", "serve")),
            Member("the relay", _python("workers", "relay")),
            *(Member(f"worker {n}", _python("workers", "run", "--name", f"worker{n}")) for n in range(1, workers + 1)),
        ]
        self._failure: Failing | None = None
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._keep_alive)

    def __enter__(self) -> "Service":
        command = _python("service", "migrate")
        if subprocess.run(command, env=self.environment, stdout=self.log, stderr=self.log).returncode:
            raise Failing("the database could not be migrated")
        self._handlers = {ending: signal.signal(ending, signal.default_int_handler) for ending in ENDINGS}
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        print("stopping what was started", file=sys.stderr, flush=True)
        self._stopping.set()
        try:
            self._watch.join()
            self._stop()
        finally:  # when time is up, or at a second Ctrl-C
            for member in self.members:
                member.kill()
            for ending, handler in self._handlers.items():
                signal.signal(ending, handler)
        if self._failure:
            raise self._failure from None

    def _keep_alive(self) -> None:
        try:
            while not self._stopping.is_set():
                for member in self.members:
                    member.tend(self.environment, self.log)
                self._stopping.wait(ROUND_SECONDS)
        except Failing as failure:
            self._failure = failure
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _stop(self) -> None:
        """Ask every process to end, and give all of them together a while to do so."""
        running = [member.process for member in self.members if member.process is not None]
        for process in running:
            process.terminate()
        end = time.monotonic() + self.patience
        while time.monotonic() < end and any(process.poll() is None for process in running):
            time.sleep(0.05)


def _python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def run(workers: int) -> None:
    """Run until interrupted or terminated; raise Failing when a process dies again and again."""
    with suppress(KeyboardInterrupt), Service(workers):
        threading.Event().wait()
