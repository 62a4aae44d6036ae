"""The process that loads archives: what comes of it, and that nothing it does harms the one that waits for it."""

import os
import tempfile
from pathlib import Path

import pytest
import torch

from service.artifacts.store import ArtifactStore
from service.errors import Invalid
from tests.workers.networks.exporting import archive, load_unconfined, network, spoil
from workers.networks import exported
from workers.networks.exported import ExportedArchive
from workers.networks.exported_jail import load_confined

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data():
    return archive(network())


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def file(tmp_path, data):
    (tmp_path / "net.pt2").write_bytes(data)
    return tmp_path / "net.pt2"


@pytest.fixture
def child(file):
    """Run Python code in the place of the child, and return what it wrote."""

    def run(code, seconds=60):
        with tempfile.TemporaryFile() as plain:
            load_confined(file, plain, ("-c", code), seconds)
            plain.seek(0)
            return plain.read()

    return run


def test_an_archive_is_loaded_once_and_its_plain_form_kept(store, data, monkeypatch):
    file, x = store.path(store.put(data)), torch.rand(3, 3, 8, 8)
    first = ExportedArchive().open(file, CPU)
    assert torch.equal(first(x), network()(x))
    monkeypatch.setattr(exported, "load_confined", lambda *_: pytest.fail("it was loaded anew"))
    again = ExportedArchive().open(file, CPU)
    assert torch.equal(again(x), first(x))
    assert [path.name for path in file.parent.iterdir() if path != file] == [f"{file.name}.{exported.PLAIN}"]


def test_a_refusal_comes_back_in_words(file, data):
    file.write_bytes(spoil(data, entries={"data/constants/custom_obj_0": b""}))
    with pytest.raises(Invalid, match="custom_obj_0' is not one that") as caught:
        ExportedArchive().open(file, CPU)
    assert caught.value.errors[0]["pointer"] == "/weights"


def test_it_is_given_the_archive_and_nothing_else(child, data, monkeypatch):
    monkeypatch.setenv("UNITATLAS_DATABASE_URL", "postgresql://user:secret@db/name")
    opened, write = os.pipe()
    os.set_inheritable(opened, True)
    environment = child("import os, sys; print(sorted(os.environ), file=sys.stdout)").decode()
    assert "UNITATLAS" not in environment
    assert "PATH'" not in environment.replace("LIBRARY_PATH'", "")
    assert child("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:4], os.listdir('.'))").decode() == (
        "[0, 1, 2, 3] []\n"  # the fourth is the listing itself
    )
    assert child("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())") == data
    os.close(opened)
    os.close(write)


@pytest.mark.parametrize(
    ("code", "match"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("import os; os.abort()", "ended by SIGABRT"),
        ("import os; os._exit(77)", "it ended with 77"),
        ("import sys; sys.exit(3)", "without words"),
        ("import sys; print('{' * 10**6); sys.exit(3)", "without words"),
        ("import sys; print('\"' + 'no' * 500 + '\"'); sys.exit(3)", "^(no){500}$"),
    ],
)
def test_a_child_that_dies_is_a_refusal(child, code, match):
    with pytest.raises(Invalid, match=match) as caught:
        child(code)
    assert caught.value.errors[0]["pointer"] == "/weights"


def test_a_child_that_hangs_is_ended(child, tmp_path):
    code = f"import os, signal; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); signal.pause()"
    with pytest.raises(Invalid, match="it took more than 2 seconds"):
        child(code, seconds=2)
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


def test_a_child_that_cannot_begin_is_no_fault_of_the_archive(child):
    with pytest.raises(RuntimeError, match="no_such_module"):
        child("import no_such_module")


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04", b"\xff" * 8])
def test_nonsense_from_a_child_is_refused(file, monkeypatch, content):
    def write(_file, plain):
        plain.write(content)
        plain.flush()

    monkeypatch.setattr(exported, "load_confined", write)
    with pytest.raises(Invalid, match="makes no sense"):
        ExportedArchive().open(file, CPU)


def test_a_kept_form_that_was_damaged_is_made_anew(store, data, monkeypatch):
    monkeypatch.setattr(exported, "load_confined", load_unconfined)
    file = store.path(store.put(data))
    kept = file.with_name(f"{file.name}.{exported.PLAIN}")
    kept.write_bytes(b"other")
    x = torch.rand(2, 3, 8, 8)
    assert torch.equal(ExportedArchive().open(file, CPU)(x), network()(x))
    assert len(kept.read_bytes()) > len(b"other")
