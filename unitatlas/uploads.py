"""Uploads in parts, which go on where they broke off."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import httpx

from unitatlas.archives import CHUNK, FolderArchive
from unitatlas.errors import Problem, ServiceUnreachable
from unitatlas.transport import PASSING, TRIES, Transport

PART = 64 * CHUNK
"""Bytes that one request uploads: what a broken connection costs at the most."""


class Source(Protocol):
    """Bytes that can be had again from any place on."""

    @property
    def media_type(self) -> str:
        """What they are."""

    @property
    def size(self) -> int:
        """How many they are."""

    @property
    def digest(self) -> str:
        """Their sha256."""

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Those from `start` to before `stop`."""


class PlainFile:
    """The bytes of one file."""

    media_type = "application/octet-stream"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        with path.open("rb") as file:
            self.digest = hashlib.file_digest(file, "sha256").hexdigest()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`."""
        with self.path.open("rb") as file:
            file.seek(start)
            while chunk := file.read(min(CHUNK, stop - file.tell())):
                yield chunk


def open_source(path: Path) -> Source:
    """A file as it is, a folder as a zip archive; raise UploadError where a folder cannot be packed."""
    return FolderArchive(path) if path.is_dir() else PlainFile(path)


def upload(transport: Transport, source: Source, media_type: str) -> None:
    """Send what the service does not have yet; raise Problem or ServiceUnreachable after some failures."""
    address, failures = f"/v1/artifacts/{source.digest}", 0
    while (start := _uploaded(transport, address)) is not None:
        try:
            _send_part(transport, source, start, address, media_type)
        except (ServiceUnreachable, Problem) as error:
            failures += 1
            if failures == TRIES or not _may_pass(error):
                raise
            time.sleep(0.2 * 2**failures)


def _send_part(transport: Transport, source: Source, start: int, address: str, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    if start < source.size:
        stop = min(start + PART, source.size)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{source.size}"
    else:  # no bytes are missing, yet it is no artifact: a range cannot say so, the whole can
        start, stop = 0, source.size
    headers["Content-Length"] = str(stop - start)
    transport.request("PUT", address, tries=1, content=source.chunks(start, stop), headers=headers)


def _uploaded(transport: Transport, address: str) -> int | None:
    """How many bytes of an unfinished upload the service has; None once it is an artifact."""
    try:
        transport.request("HEAD", address)
    except Problem as problem:
        if problem.status != httpx.codes.NOT_FOUND:
            raise
        return int(problem.headers.get("Upload-Offset", 0))
    return None


def _may_pass(error: ServiceUnreachable | Problem) -> bool:
    """Whether the next try may do better: also where the request that broke off still holds the upload."""
    return isinstance(error, ServiceUnreachable) or error.status in {*PASSING, httpx.codes.CONFLICT}
