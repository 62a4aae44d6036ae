"""Uploads: bytes on their way to becoming an artifact, in a file that grows until its sha256 fits its name."""

import fcntl
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from werkzeug.exceptions import RequestEntityTooLarge

from service.artifacts.store import CHUNK, DIGEST, ArtifactStore
from service.errors import Conflict, Invalid, TooLarge, WrongOffset

ABANDONED_SECONDS = 24 * 3600.0
"""When an upload that nobody went on with is forgotten."""

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


@dataclass(frozen=True)
class Span:
    """The bytes from `start` to before `stop`, of `total`."""

    start: int
    stop: int
    total: int


def parse_span(header: str | None, max_bytes: int) -> Span | None:
    """What a Content-Range announces, None without one; raise Invalid or TooLarge."""
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header)
    start, last, total = map(int, match.groups()) if match else (0, -1, 0)
    if not start <= last < total:
        raise Invalid(
            f"{header!r} is no range; one reads `bytes 0-1048575/4194304`: first, last and total",
            "header:Content-Range",
        )
    if total > max_bytes:
        raise TooLarge(f"the artifact has {total} bytes; at most {max_bytes} are taken", "header:Content-Range")
    return Span(start, last + 1, total)


class Upload:
    """One artifact that one team is uploading; teams never meet, so that none learns what another has."""

    def __init__(self, store: ArtifactStore, team_id: uuid.UUID, digest: str) -> None:
        if not DIGEST.fullmatch(digest):
            raise Invalid(f"{digest!r} is not a sha256 in lower-case hexadecimal digits", "path:digest")
        self.store = store
        self.digest = digest
        self.file = store.root / "uploads" / f"{team_id.hex}-{digest}"

    @property
    def offset(self) -> int:
        """How many bytes are here."""
        return self.file.stat().st_size if self.file.exists() else 0

    def receive(self, stream: IO[bytes], span: Span | None, length: int | None) -> int | None:
        """Take bytes, all of them or those of a span, and store the artifact once it is whole.

        `length` is what the stream should bring, None where that is not known. Return the artifact's size, or None
        while more is to come. Raise WrongOffset for a span that does not start where the bytes here end, or a stream
        that broke off, whose bytes are kept; Conflict while another request uploads the same; and Invalid, after
        which nothing is left, for bytes that do not fit the digest.
        """
        _forget_abandoned(self.file.parent)
        with self._open() as file:
            size = self._append(file, stream, span, length)
            if span is not None and size < span.total:
                return None
            self._finish(file)
        return size

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # the one who held the lock until now may have made an artifact of this very file
                mine = self.file.exists() and os.path.samestat(os.fstat(file.fileno()), self.file.stat())
            except BlockingIOError:
                mine = False
            if not mine:
                raise Conflict("another request is uploading this artifact; ask with HEAD how far it is")
            yield file

    def _append(self, file: IO[bytes], stream: IO[bytes], span: Span | None, length: int | None) -> int:
        start = file.seek(0, os.SEEK_END)
        if span is None:
            file.truncate(start := 0)
        elif span.start != start:
            raise WrongOffset(start)
        try:
            self._copy(file, stream, span.stop - span.start if span else length)
        except Invalid:
            file.truncate(start)
            raise
        except RequestEntityTooLarge:
            self.file.unlink()
            raise
        return file.tell()

    @staticmethod
    def _copy(file: IO[bytes], stream: IO[bytes], expected: int | None) -> None:
        received = 0
        while chunk := stream.read(CHUNK):
            received += len(chunk)
            if expected is not None and received > expected:
                raise Invalid("the body is longer than its Content-Range", "header:Content-Range")
            file.write(chunk)
        if expected is not None and received < expected:
            file.flush()
            raise WrongOffset(file.tell())

    def _finish(self, file: IO[bytes]) -> None:
        file.flush()
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        if found != self.digest:
            self.file.unlink()
            raise Invalid(f"the bytes have the sha256 {found}, so they are another artifact", "path:digest")
        os.fsync(file.fileno())
        self.store.adopt(self.file, self.digest)


def _forget_abandoned(folder: Path) -> None:
    for file in folder.glob("*"):
        try:
            if file.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                file.unlink()
        except FileNotFoundError:  # finished, or forgotten by another request
            continue
