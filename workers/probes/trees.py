"""Trees of files to read datasets from: a folder on disk, or a zip archive that is read where it lies."""

import os
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn, Protocol

from service.errors import Invalid

MAX_FILES = 2_000_000
MAX_FILE_BYTES = 256 * 2**20
MAX_RATIO = 100  # of unpacked to packed bytes in a whole archive; images and masks are compressed already
FREE_BYTES = 64 * 2**20  # an archive that unpacks to less than this may have any ratio
CLUTTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}


class Tree(Protocol):
    """Files by their relative names, which are separated by slashes and sorted bytewise; `read` works in any thread."""

    @property
    def names(self) -> Sequence[str]:
        """The names of all files."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of a file; raise Invalid where they cannot be had."""
        ...


class FolderTree:
    """The files below a folder; links may lead to anywhere within `limit`."""

    def __init__(self, root: Path, limit: Path) -> None:
        self.root = root
        self.limit = limit.resolve()

    @cached_property
    def names(self) -> list[str]:
        """The names of all files, found when they are first asked for; raise Invalid where a link leads astray."""
        return _names(self._walk())

    def read(self, name: str) -> bytes:
        """The bytes of a file; raise Invalid where it is gone, unreadable or too large."""
        path = self.root / name
        if not path.is_file():
            raise Invalid(f"{name} is not there, or is no plain file", "/location")
        try:
            with path.open("rb") as file:
                return _bounded(name, file.read(MAX_FILE_BYTES + 1))
        except OSError as error:
            raise Invalid(f"{name} cannot be read: {error.strerror}", "/location") from None

    def _walk(self) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root, followlinks=True, onerror=_refuse):
            for entry in folders + files:
                _check_link(Path(folder) / entry, self.limit)
            base = Path(folder).relative_to(self.root)
            yield from ((base / file).as_posix() for file in files)


class ZipTree:
    """The files of a zip archive, without the one folder around them that archivers like to add."""

    def __init__(self, path: Path) -> None:
        try:
            _check_directory(path)
            self._archive = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise Invalid(
                f"the artifact is not a zip archive that can be read: {error}", "/location/artifact"
            ) from None
        entries = [entry for entry in self._archive.infolist() if not entry.filename.endswith("/")]
        _check_entries(entries, path.stat().st_size)
        names = _names(entry.filename for entry in entries)
        wrapper = _wrapper(names)
        self._entries = {entry.filename.removeprefix(wrapper): entry for entry in entries}
        self.names = [name.removeprefix(wrapper) for name in names]

    def read(self, name: str) -> bytes:
        """The bytes of a file; raise Invalid where the archive is damaged there."""
        try:
            return self._archive.read(self._entries[name])  # never more than the size that was checked
        except _DAMAGE as error:
            raise Invalid(f"{name} cannot be unpacked: {error}; make the archive anew", "/location/artifact") from None


def _names(names: Iterable[str]) -> list[str]:
    """Check and sort the names of a tree, without what file managers leave behind."""
    kept: list[str] = []
    for name in names:
        if len(kept) == MAX_FILES:
            raise Invalid(f"there are more than {MAX_FILES:,} files; register them in several datasets", "/location")
        if not any(part.startswith(".") or part in CLUTTER for part in name.split("/")):
            _check_printable(name)
            kept.append(name)
    return sorted(kept, key=str.encode)


def _check_printable(name: str) -> None:
    if not name.isprintable():
        raise Invalid(f"the file name {name!a} has characters that cannot be shown; rename the file", "/location")


def _refuse(error: OSError) -> NoReturn:
    raise Invalid(f"the folder {Path(error.filename).name} cannot be read: {error.strerror}", "/location") from None


def _bounded(name: str, data: bytes) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise Invalid(f"{name} is larger than {MAX_FILE_BYTES >> 20} MiB", "/location")
    return data


def _check_link(path: Path, limit: Path) -> None:
    if not path.is_symlink():
        return
    target = path.resolve()
    if not target.is_relative_to(limit):
        raise Invalid(f"the link {path.name} leads out of the import directory; put the files inside it", "/location")
    if path.parent.resolve().is_relative_to(target):
        raise Invalid(f"the link {path.name} leads to a folder that it lies in; remove it", "/location")


_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)

# -- archives ------------------------------------------------------------------------------------


def _check_directory(path: Path) -> None:
    """Refuse a table of contents that would not fit into memory, before zipfile reads all of it."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2**16 - 100))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        raise zipfile.BadZipFile("it has no table of contents")
    (size,) = struct.unpack_from("<I", tail, end + 12)
    if end >= 76 and tail[end - 76 : end - 72] == b"PK\x06\x06":  # the large format keeps the true size here
        (size,) = struct.unpack_from("<Q", tail, end - 36)
    if size > 100 * MAX_FILES:
        raise Invalid(f"the archive lists more than {MAX_FILES:,} files", "/location/artifact")


def _check_entries(entries: Sequence[zipfile.ZipInfo], packed: int) -> None:
    """Refuse an archive that climbs out of its folder, explodes, or cannot be read without a password."""
    for entry in entries:
        if fault := _fault(entry):
            raise Invalid(f"the archive's entry {entry.filename!a} {fault}", "/location/artifact")
    total = sum(entry.file_size for entry in entries)
    if total > max(FREE_BYTES, MAX_RATIO * packed):
        raise Invalid(f"the archive would unpack to {total:,} bytes, over {MAX_RATIO} x its own", "/location/artifact")
    name, count = max(Counter(entry.filename for entry in entries).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise Invalid(f"the archive has {count} entries named {name!a}; keep one", "/location/artifact")


def _fault(entry: zipfile.ZipInfo) -> str | None:
    parts = entry.filename.split("/")
    if {"", ".", ".."} & set(parts) or "\\" in entry.filename or parts[0].endswith(":"):
        return "leads out of its folder; names must be relative, with plain slashes"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a symbolic link; put the file itself into the archive"
    if entry.flag_bits & 0x1:
        return "is encrypted; make the archive without a password"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed by a rare method; use stored or deflated"
    if entry.file_size > MAX_FILE_BYTES:
        return f"is larger than {MAX_FILE_BYTES >> 20} MiB"
    return None


def _wrapper(names: Sequence[str]) -> str:
    """The one folder that holds everything and is not itself a part of the data; else an empty string."""
    tops = {name.partition("/")[0] for name in names}
    deep = any(name.count("/") > 1 for name in names)
    return f"{tops.pop()}/" if len(tops) == 1 and deep else ""
