"""A folder as one zip archive that is never written: its bytes are made when they are asked for, always the same."""

import hashlib
import itertools
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from unitatlas.errors import UploadError

CHUNK = 1 << 20
CLUTTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}
"""What file managers leave behind, besides names that begin with a dot."""

SMALL = 2**32 - 1
"""Sizes and offsets from here on need the large format (zip64)."""
FEW = 2**16 - 1
UTF8, STORED, MIDNIGHT, NEW_YEAR_1980 = 0x800, 0, 0, 0x21
PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive."""

    name: bytes
    path: Path
    size: int
    changed: int
    """When the file was last written, in nanoseconds."""
    crc: int
    offset: int
    """Where its header begins."""

    @property
    def header(self) -> bytes:
        """What stands before the file's bytes."""
        extra = _large_fields([self.size, self.size]) if self.size >= SMALL else b""
        return struct.pack("<4s5H", b"PK\3\4", *self._form(extra)) + self._sizes(extra) + self.name + extra

    @property
    def listing(self) -> bytes:
        """Its line in the table of contents."""
        large = [self.size, self.size] if self.size >= SMALL else []
        extra = _large_fields(large + ([self.offset] if self.offset >= SMALL else []))
        head = struct.pack("<4s6H", b"PK\1\2", 3 << 8, *self._form(extra)) + self._sizes(extra)
        return head + struct.pack("<3H2I", 0, 0, 0, PLAIN_FILE, min(self.offset, SMALL)) + self.name + extra

    def _form(self, extra: bytes) -> tuple[int, ...]:
        return 45 if extra else 20, UTF8, STORED, MIDNIGHT, NEW_YEAR_1980

    def _sizes(self, extra: bytes) -> bytes:
        size = min(self.size, SMALL)
        return struct.pack("<3I2H", self.crc, size, size, len(self.name), len(extra))

    def read(self, start: int) -> Iterator[bytes]:
        """The file's bytes from a place on; raise UploadError where they are not those of before."""
        with _open(self.path) as file:
            status = os.fstat(file.fileno())
            if (status.st_size, status.st_mtime_ns) != (self.size, self.changed):
                raise UploadError(f"{self.path} changed while it was uploaded; upload the folder again")
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk


class FolderArchive:
    """The files below a folder, by their names in bytewise order: the same archive for the same files anywhere.

    Left out are empty folders and what file managers leave behind. Links are followed.
    """

    media_type = "application/zip"

    def __init__(self, folder: Path) -> None:
        """Read every file; raise UploadError where one cannot be read, or where there is none."""
        files = sorted((_encoded(path, folder), path) for path in _walk(folder, frozenset()))
        if not files:
            raise UploadError(f"{folder} holds no files")
        self._entries = list(_entries(files))
        self._offsets = [entry.offset for entry in self._entries]
        self._tail_offset = _end(self._entries[-1])
        self._tail = _table_of_contents(self._entries, self._tail_offset)
        self.size = self._tail_offset + len(self._tail)
        self.digest = _sha256(self.chunks(0, self.size))

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`; raise UploadError where a file is not as it was."""
        left = stop - start
        for chunk in _gathered(self._pieces(start)):
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    def _pieces(self, start: int) -> Iterator[bytes]:
        """All bytes from `start` on, in pieces of any length."""
        first = max(0, bisect_right(self._offsets, start) - 1)
        for entry in itertools.islice(self._entries, first, None):
            skipped = max(0, start - entry.offset)
            header = entry.header
            yield header[skipped:]
            yield from entry.read(max(0, skipped - len(header)))
        yield self._tail[max(0, start - self._tail_offset) :]


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """All plain files below a folder that lies in those `above`."""
    place = folder.stat()
    if (place.st_dev, place.st_ino) in above:
        raise UploadError(f"{folder} is a link to a folder that it lies in; remove it")
    try:
        found = [Path(entry) for entry in os.scandir(folder)]
    except OSError as error:
        raise UploadError(f"{folder} cannot be read: {error.strerror}") from None
    for path in found:
        if path.name.startswith(".") or path.name in CLUTTER:
            continue
        if path.is_dir():
            yield from _walk(path, above | {(place.st_dev, place.st_ino)})
        elif path.is_file():
            yield path
        else:
            raise UploadError(f"{path} is no plain file, or a link to none; remove it")


def _encoded(path: Path, folder: Path) -> bytes:
    name = path.relative_to(folder).as_posix()
    if not name.isprintable() or "\\" in name:
        raise UploadError(f"the file name {name!a} has characters that no archive should hold; rename the file")
    return name.encode()


def _entries(files: Iterable[tuple[bytes, Path]]) -> Iterator[Entry]:
    offset = 0
    for name, path in files:
        with _open(path) as file:
            status = os.fstat(file.fileno())
            entry = Entry(name, path, status.st_size, status.st_mtime_ns, _checksum(file), offset)
        offset = _end(entry)
        yield entry


def _checksum(file: IO[bytes]) -> int:
    checksum = 0
    while chunk := file.read(CHUNK):
        checksum = zlib.crc32(chunk, checksum)
    return checksum


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise UploadError(f"{path} cannot be read: {error.strerror}") from None


def _end(entry: Entry) -> int:
    return entry.offset + len(entry.header) + entry.size


def _table_of_contents(entries: list[Entry], offset: int) -> bytes:
    """What stands behind the last file."""
    table = b"".join(entry.listing for entry in entries)
    count, size, large = len(entries), len(table), b""
    if count >= FEW or size >= SMALL or offset >= SMALL:
        large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 3 << 8, 45, 0, 0, count, count, size, offset)
        large += struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1)
    few = min(count, FEW)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, few, few, min(size, SMALL), min(offset, SMALL), 0)
    return table + large + end


def _large_fields(values: list[int]) -> bytes:
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values) if values else b""


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth to be sent."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= CHUNK:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _sha256(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
