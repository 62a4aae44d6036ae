"""Folders as archives: against Python's own zip reader, always the same, from any place on, at any size."""

import hashlib
import os
import time
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from unitatlas import UploadError, archives
from unitatlas.archives import FolderArchive

FILES = {
    "a/1.png": b"one",
    "a/empty": b"",
    "a.txt": b"sorts before a/",
    "b/c/2.jpg": bytes(range(256)) * 9,
    "ünï/日本 😀.png": b"names",
}
CLUTTER = [".DS_Store", "a/.hidden", ".git/config", "__MACOSX/a/1.png", "b/Thumbs.db", "b/c/desktop.ini"]


def write(folder: Path, names: dict[str, bytes]) -> Path:
    for name, data in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def whole(archive: FolderArchive) -> bytes:
    return b"".join(archive.chunks(0, archive.size))


def test_the_archive_has_the_files_as_they_are(tmp_path: Path) -> None:
    archive = FolderArchive(write(tmp_path, FILES))
    data = whole(archive)
    assert (archive.size, archive.digest) == (len(data), hashlib.sha256(data).hexdigest())
    with ZipFile(BytesIO(data)) as read:
        assert read.testzip() is None
        assert read.namelist() == sorted(FILES, key=str.encode)
        assert {name: read.read(name) for name in read.namelist()} == FILES
        assert {entry.date_time for entry in read.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert all(entry.compress_size == entry.file_size for entry in read.infolist())


def test_the_same_files_are_the_same_archive_anywhere(tmp_path: Path) -> None:
    one = write(tmp_path / "one", FILES)
    other = write(tmp_path / "other", dict(reversed(FILES.items())))
    write(other, dict.fromkeys(CLUTTER, b"left behind"))
    (other / "nothing" / "in" / "here").mkdir(parents=True)
    os.utime(other / "a.txt", (0, 0))
    (other / "a.txt").chmod(0o600)
    assert FolderArchive(one).digest == FolderArchive(other).digest
    # written down, so that another version of this code on another machine is held to it as well
    assert FolderArchive(one).digest == "6812c2dad74d550c4bf97757a119de00a36b7fa9098dd7349d0cdf8c56b9856b"


def test_any_span_is_what_the_whole_has_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = FolderArchive(write(tmp_path, FILES))
    data = whole(archive)
    monkeypatch.setattr(archives, "CHUNK", 37)
    for start in range(0, archive.size, 7):
        for stop in {start + 1, min(start + 100, archive.size), archive.size}:
            assert b"".join(archive.chunks(start, stop)) == data[start:stop]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"a/1.png": b"one", "2.png": b"two"})
    folder = write(tmp_path / "folder", {"own": b""})
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "file").symlink_to(tmp_path / "elsewhere" / "2.png")
    archive = FolderArchive(folder)
    assert ZipFile(BytesIO(whole(archive))).namelist() == ["file", "linked/2.png", "linked/a/1.png", "own"]
    (tmp_path / "elsewhere" / "a" / "back").symlink_to(folder)
    with pytest.raises(UploadError, match="linked/a/back is a link to a folder that it lies in"):
        FolderArchive(folder)


@pytest.mark.parametrize("spoil", ["dangling", "pipe", "newline", "bytes", "backslash", "empty"])
def test_what_cannot_be_packed_is_refused_by_name(tmp_path: Path, spoil: str) -> None:
    match spoil:
        case "dangling":
            (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
        case "pipe":
            os.mkfifo(tmp_path / "pipe")
        case "newline":
            (tmp_path / "a\nb").write_bytes(b"")
        case "bytes":
            (tmp_path / os.fsdecode(b"caf\xe9")).write_bytes(b"")
        case "backslash":
            (tmp_path / "a\\b").write_bytes(b"")
        case "empty":
            (tmp_path / "sub").mkdir()
    words = {"dangling": "lost", "pipe": "pipe is no plain", "newline": r"a\\nb", "bytes": "caf", "backslash": "a",
             "empty": "holds no files"}  # fmt: skip
    with pytest.raises(UploadError, match=words[spoil]):
        FolderArchive(tmp_path)


@pytest.mark.parametrize("change", [b"longer", b"ONE"])
def test_a_file_that_changed_is_noticed(tmp_path: Path, change: bytes) -> None:
    archive = FolderArchive(write(tmp_path, FILES))
    (tmp_path / "a" / "1.png").write_bytes(change)
    os.utime(tmp_path / "a" / "1.png", ns=(0, time.time_ns() + 10**9))
    with pytest.raises(UploadError, match=r"1\.png changed while"):
        whole(archive)
    (tmp_path / "a" / "1.png").unlink()
    with pytest.raises(UploadError, match=r"1\.png cannot be read"):
        whole(archive)


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(archives.os, "scandir", refuse)
    with pytest.raises(UploadError, match="cannot be read: Permission denied"):
        FolderArchive(tmp_path)


def test_an_archive_beyond_4_gib_is_in_the_large_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two holes of 5 GiB, which take no room on the disk and which nobody reads."""
    folder = write(tmp_path / "folder", {"z.txt": b"last"})
    for name in ("a.bin", "b.bin"):
        with (folder / name).open("wb") as file:
            file.truncate(5 * 2**30)
    monkeypatch.setattr(archives, "_checksum", lambda file: zlib.crc32(b"last"))
    monkeypatch.setattr(archives, "_sha256", lambda chunks: "")
    archive = FolderArchive(folder)
    _, second, last = archive._entries
    with (tmp_path / "sparse.zip").open("wb") as file:
        for start, stop in ((0, 100), (second.offset, second.offset + 100), (last.offset, archive.size)):
            file.seek(start)
            file.writelines(archive.chunks(start, stop))
    with ZipFile(tmp_path / "sparse.zip") as read:
        assert [entry.file_size for entry in read.infolist()] == [5 * 2**30, 5 * 2**30, 4]
        assert [entry.header_offset for entry in read.infolist()] == [0, second.offset, last.offset]
        assert second.offset > 5 * 2**30
        assert read.read("z.txt") == b"last"
        with read.open("b.bin") as file:
            assert file.read(1000) == bytes(1000)


def test_more_files_than_the_small_format_can_count(tmp_path: Path) -> None:
    entry = archives.Entry(b"", tmp_path, 0, 0, 0, 0)
    entries, offset = [], 0
    for index in range(70_000):
        entries.append(replace(entry, name=b"%06d" % index, offset=offset))
        offset = archives._end(entries[-1])
    data = b"".join(entry.header for entry in entries) + archives._table_of_contents(entries, offset)
    with ZipFile(BytesIO(data)) as read:
        assert len(read.namelist()) == 70_000
        assert read.read("069999") == b""


def test_many_small_files_are_quick(tmp_path: Path) -> None:
    for index in range(5000):
        (tmp_path / f"{index:04}.png").write_bytes(b"%d" % index)
    started = time.process_time()
    archive = FolderArchive(tmp_path)
    size = sum(map(len, archive.chunks(0, archive.size)))
    assert time.process_time() - started < 5
    assert size == archive.size
