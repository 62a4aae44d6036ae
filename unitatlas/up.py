"""Run the whole service on this machine: migrate, then keep API, relay and workers alive."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW_SECONDS = 60.0
MOST_DEATHS = 5
SHUTDOWN_SECONDS = 40.0


class Failing(Exception):
    """A process died again and again."""


@dataclass
class Member:
    """One process that is kept running."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = field(default_factory=list)
    start_at: float = 0.0

    def tend(self, environment: Mapping[str, str]) -> None:
        """Start the process when it is due; note its death; raise Failing when it died too often."""
        if self.process is None:
            if time.monotonic() >= self.start_at:
                self.process = subprocess.Popen(self.command, env=environment)
        elif self.process.poll() is not None:
            self._bury(self.process.returncode)

    def _bury(self, code: int) -> None:
        now = time.monotonic()
        self.process = None
        self.deaths = [*(death for death in self.deaths if now - death < WINDOW_SECONDS), now]
        if len(self.deaths) >= MOST_DEATHS:
            raise Failing(f"{self.name} ended {MOST_DEATHS} times within {WINDOW_SECONDS:.0f} s, last with code {code}")
        self.start_at = now + 0.2 * 2 ** len(self.deaths)


class Service:
    """API, relay and workers as child processes; a context manager that stops what it started."""

    def __init__(self, workers: int = 1, environment: Mapping[str, str] | None = None) -> None:
        self.environment = dict(os.environ if environment is None else environment)
        python = sys.executable
        self.members = [
            Member("the API", [python, "-m", "service", "serve"]),
            Member("the relay", [python, "-m", "workers", "relay"]),
            *(
                Member(f"worker {n}", [python, "-m", "workers", "run", "--name", f"worker{n}"])
                for n in range(1, workers + 1)
            ),
        ]

    def __enter__(self) -> "Service":
        subprocess.run([sys.executable, "-m", "service", "migrate"], env=self.environment, check=True)
        self.tend()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def tend(self) -> None:
        """Start what is missing."""
        for member in self.members:
            member.tend(self.environment)

    def stop(self) -> None:
        """Ask every process to end, then end those that did not."""
        running = [member.process for member in self.members if member.process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        end = time.monotonic() + SHUTDOWN_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(workers: int) -> None:
    """Run until interrupted or terminated."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Service(workers) as service:
        try:
            while True:
                service.tend()
                time.sleep(0.2)
        except KeyboardInterrupt:
            pass
