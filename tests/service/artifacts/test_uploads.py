"""Uploads beside each other and uploads left behind."""

import hashlib
import io
import os
import threading
import uuid
from pathlib import Path

import pytest

from service.artifacts.store import ArtifactStore
from service.artifacts.uploads import ABANDONED_SECONDS, Span, Upload
from service.errors import Conflict, WrongOffset

DATA = b"weights" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()
TEAM = uuid.UUID(int=1)


class Paused(io.BytesIO):
    """A stream that waits in its middle until it is let go."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reached, self.released = threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            self.reached.set()
            assert self.released.wait(30)
        return super().read(100)


def test_two_at_once(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    slow = Paused(DATA)
    thread = threading.Thread(target=Upload(store, TEAM, DIGEST).receive, args=(slow, None, None))
    thread.start()
    assert slow.reached.wait(30)
    with pytest.raises(Conflict, match="another request"):
        Upload(store, TEAM, DIGEST).receive(io.BytesIO(b"something else"), None, None)
    Upload(store, uuid.UUID(int=2), DIGEST).receive(io.BytesIO(DATA), None, None)  # another team does not wait
    slow.released.set()
    thread.join()
    assert store.path(DIGEST).read_bytes() == DATA


@pytest.mark.parametrize("span", [None, Span(0, len(DATA), len(DATA))])
def test_stream_that_ends_too_early_is_kept(tmp_path: Path, span: Span | None) -> None:
    # as gunicorn tells of a connection that broke off
    upload = Upload(ArtifactStore(tmp_path), TEAM, DIGEST)
    with pytest.raises(WrongOffset, match="1000 bytes are here"):
        upload.receive(io.BytesIO(DATA[:1000]), span, len(DATA))
    rest = Span(1000, len(DATA), len(DATA))
    assert upload.receive(io.BytesIO(DATA[1000:]), rest, None) == len(DATA)


def test_late_request_never_writes_into_the_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArtifactStore(tmp_path)
    late = Upload(store, TEAM, DIGEST)
    samestat = os.path.samestat

    def finish_first(*stats: os.stat_result) -> bool:
        monkeypatch.setattr(os.path, "samestat", samestat)
        return False  # as if the file had become the artifact between opening and locking

    monkeypatch.setattr(os.path, "samestat", finish_first)
    with pytest.raises(Conflict):
        late.receive(io.BytesIO(b"harm"), None, None)


def test_abandoned_uploads_are_forgotten(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    old, young = (Upload(store, uuid.UUID(int=n), DIGEST) for n in (1, 2))
    for upload in (old, young):
        upload.file.parent.mkdir(parents=True, exist_ok=True)
        upload.file.write_bytes(b"part")
    past = old.file.stat().st_mtime - ABANDONED_SECONDS - 1
    os.utime(old.file, (past, past))
    Upload(store, uuid.UUID(int=3), DIGEST).receive(io.BytesIO(DATA), None, None)
    assert (old.offset, young.offset) == (0, 4)
