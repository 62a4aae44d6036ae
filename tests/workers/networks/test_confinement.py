"""The confinement, tried from within: what a process that gave everything up can still do."""

import json
import socket
import subprocess
import sys

import pytest

from workers.networks import confinement
from workers.networks.confinement import missing

PROBE = """
import json, os, resource, signal, socket, subprocess, sys, threading
from pathlib import Path
from workers.networks import exported_child
from workers.networks.confinement import confine

port, outside, own = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
code = Path(exported_child.__file__)
python = [Path(sys.prefix), Path(sys.base_prefix), *map(Path, exported_child.SYSTEM)]
confine([code.parent.parent, *python], [own], {resource.RLIMIT_FSIZE: 2**16})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
found = {}

def attempt(what, act):
    try:
        found[what] = act()
    except Exception as error:
        found[what] = type(error).__name__

def write_its_own():
    (own / "file").write_text("text")
    return (own / "file").read_text()

def thread():
    ran = []
    worker = threading.Thread(target=lambda: ran.append("ran"))
    worker.start()
    worker.join()
    return ran[0]

attempt("connect", lambda: socket.create_connection(("127.0.0.1", port)).close())
attempt("connect by a unix socket", lambda: socket.socket(socket.AF_UNIX).connect(str(outside / "secret")))
attempt("socket pair", lambda: socket.socketpair() and "made")
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("another program", lambda: subprocess.run([sys.executable, "-c", ""]).returncode)
attempt("signal", lambda: os.kill(os.getppid(), 0))
attempt("limits", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE))
attempt("read outside", lambda: (outside / "secret").read_text())
attempt("list outside", lambda: os.listdir(outside))
attempt("write outside", lambda: (outside / "new").write_text(""))
attempt("link from outside", lambda: os.link(outside / "secret", own / "link"))
attempt("environment of the parent", lambda: Path(f"/proc/{os.getppid()}/environ").read_text())
attempt("write its own", write_its_own)
attempt("read its code", lambda: code.read_text() and "read")
attempt("thread", thread)
attempt("environment", lambda: dict(os.environ))
attempt("dump", lambda: resource.getrlimit(resource.RLIMIT_CORE))
attempt("largest file", lambda: (own / "large").write_bytes(bytes(2**17)))
print(json.dumps(found))
"""
"""Confines itself and tells what it can still do, as JSON by what it tried: an error's name, or what came of it."""

REFUSED = {"PermissionError", "OSError"}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines")


@pytest.fixture(scope="module")
def server():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture(scope="module")
def found(server, tmp_path_factory):
    """By what was tried: the name of the error, or what came of it."""
    own, outside = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("outside")
    (outside / "secret").write_text("key")
    program = [sys.executable, "-I", "-c", PROBE, str(server), str(outside), str(own)]
    run = subprocess.run(program, capture_output=True, cwd=own, env={"LANG": "C.UTF-8"}, text=True, check=True)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    return json.loads(run.stdout)


@pytest.mark.skipif(any("seccomp" in lack for lack in missing()), reason="no seccomp here")
@pytest.mark.parametrize(
    "tried", ["connect", "connect by a unix socket", "socket pair", "fork", "another program", "signal", "limits"]
)
def test_it_reaches_nobody(found, tried):
    assert found[tried] in REFUSED


@pytest.mark.skipif(any("Landlock" in lack for lack in missing()), reason="no Landlock here")
@pytest.mark.parametrize(
    "tried", ["read outside", "list outside", "write outside", "link from outside", "environment of the parent"]
)
def test_it_has_no_files_but_its_own(found, tried):
    assert found[tried] in REFUSED


def test_it_computes(found):
    assert found["write its own"] == "text"
    assert found["read its code"] == "read"
    assert found["thread"] == "ran"
    assert found["environment"].keys() <= {
        "LANG",
        "LC_CTYPE",
        "TORCHINDUCTOR_CACHE_DIR",
    }  # the last is torch's own doing
    assert found["dump"] == [0, 0]
    assert found["largest file"] == "OSError"


def test_what_a_platform_lacks_is_said_once(monkeypatch, caplog):
    monkeypatch.setattr(confinement.system_calls, "can_filter", lambda: False)
    monkeypatch.setattr(confinement, "_landlock_version", lambda: 0)
    missing.cache_clear()
    try:
        assert [lack.partition(",")[0] for lack in missing()] == ["Landlock", "seccomp"]
        missing()
        assert len(caplog.records) == 1
        assert "the network stays reachable" in caplog.text
    finally:
        missing.cache_clear()
