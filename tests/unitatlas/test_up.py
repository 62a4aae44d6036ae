"""What `unitatlas up` and `unitatlas demo` start, keep alive and stop."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from unitatlas import Client, demo, up
from unitatlas.up import Failing, Member, Service

PATIENCE = 120.0


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def process_id(member: Member) -> int | None:
    return member.process.pid if member.process and member.process.poll() is None else None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def service(tmp_path: Path, sqlite_template: Path) -> Service:
    """A service whose only member the test chooses."""
    (tmp_path / "unitatlas.sqlite3").write_bytes(sqlite_template.read_bytes())
    service = Service(environment=os.environ | {"UNITATLAS_DATA_DIR": str(tmp_path)})
    service.members = [Member("it", [sys.executable, "-c", "import time; time.sleep(600)"])]
    return service


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "PAUSE_SECONDS", 0.001)


def test_a_dead_process_is_told_of_and_started_again(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    member = service.members[0]
    with service:
        wait_until(lambda: process_id(member))
        first = process_id(member)
        os.kill(first or 0, signal.SIGKILL)
        wait_until(lambda: process_id(member) not in (None, first))
        second = process_id(member)
    assert "it ended with code -9; it is started again" in capfd.readouterr().err
    assert not is_alive(second or 0)


def test_a_process_that_dies_again_and_again_ends_the_service(service: Service) -> None:
    sound, poor = service.members[0], Member("the poor one", [sys.executable, "-c", "raise SystemExit(3)"])
    service.members.append(poor)
    with pytest.raises(Failing, match=r"the poor one ended 5 times within 60 s, last with code 3"), service:
        threading.Event().wait()  # forever, were it not interrupted
    assert sound.process is not None
    assert sound.process.poll() is not None


def test_deaths_long_ago_are_forgiven(service: Service) -> None:
    member = service.members[0]
    member.deaths = [time.monotonic() - up.WINDOW_SECONDS - 1] * 10
    with service:
        wait_until(lambda: process_id(member))
        os.kill(process_id(member) or 0, signal.SIGKILL)
        wait_until(lambda: len(member.deaths) == 1)


def test_a_process_that_will_not_end_is_killed_with_its_children(service: Service, tmp_path: Path) -> None:
    note = tmp_path / "child"
    stubborn = (
        "import pathlib, signal, subprocess, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"child = subprocess.Popen(['sleep', '600']); pathlib.Path({str(note)!r}).write_text(str(child.pid));"
        "time.sleep(600)"
    )
    service.members = [Member("it", [sys.executable, "-c", stubborn])]
    service.patience = 0.2
    with service:
        wait_until(lambda: note.exists() and note.read_text())
    assert process_id(service.members[0]) is None
    wait_until(lambda: not is_alive_or_zombie(int(note.read_text())))


def is_alive_or_zombie(pid: int) -> bool:
    """Whether a process that is no child of ours still runs: one that nobody waits for is a zombie, not alive."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_every_way_to_end_stops_what_was_started(service: Service, ending: signal.Signals) -> None:
    before = signal.getsignal(ending)
    with pytest.raises(KeyboardInterrupt), service:
        wait_until(lambda: process_id(service.members[0]))
        signal.raise_signal(ending)
    assert process_id(service.members[0]) is None
    assert signal.getsignal(ending) == before


def test_a_database_that_cannot_be_migrated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    service = Service(environment=os.environ | {"UNITATLAS_DATABASE_URL": f"sqlite:///{tmp_path}/absent/x.sqlite3"})
    with pytest.raises(Failing, match="could not be migrated"), service:
        raise AssertionError("it must not come to this")
    assert "OperationalError" in capfd.readouterr().err


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """`unitatlas up` as a process, and a client of it."""
    port = demo._free_port()
    environment = demo._environment(tmp_path, port) | {"OMP_NUM_THREADS": "1", "UNITATLAS_DEVICE": "cpu"}
    command = [str(Path(sys.executable).with_name("unitatlas")), "up"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    with Client(f"http://127.0.0.1:{port}", key="") as client:
        yield process, client
    process.kill()
    process.wait()


def test_up_from_nothing_to_ready_and_back(running: tuple[subprocess.Popen[str], Client]) -> None:
    process, client = running
    wait_until(client.ready)
    assert client.register_model("net", "torchvision:squeezenet1_1", weights={"seed": 0}).layers > 0
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout
    assert len(children.split()) == 3
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert not any(is_alive(int(pid)) for pid in children.split())
