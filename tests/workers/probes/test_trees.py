"""Folders with links, and archives that mean harm."""

import os
import stat
import struct
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Invalid
from workers.probes import trees
from workers.probes.trees import FolderTree, ZipTree


def archive(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as target:
        for name, data in files.items():
            target.writestr(name, data)
    return path


def test_a_folder_and_its_archive_show_the_same_files(tmp_path: Path) -> None:
    files = {"images/é.png": b"1", "images/z.png": b"2", "a/b/c.png": b"3", "images/Z.png": b""}
    for name, data in files.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(data)
    folder, packed = FolderTree(tmp_path / "set", tmp_path), ZipTree(archive(tmp_path / "x.zip", files))
    assert folder.names == packed.names == ["a/b/c.png", "images/Z.png", "images/z.png", "images/é.png"]
    assert {name: folder.read(name) for name in files} == {name: packed.read(name) for name in files} == files


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["set/images/a.png", "set/concepts.csv"], ["concepts.csv", "images/a.png"]),
        (["cat/a.png", "cat/b.png"], ["cat/a.png", "cat/b.png"]),
        (["set/images/a.png", "x"], ["set/images/a.png", "x"]),
        (["__MACOSX/a", "set/.DS_Store", "set/x/Thumbs.db", "set/x/a.png"], ["x/a.png"]),
    ],
)
def test_only_a_folder_around_everything_is_taken_off(tmp_path: Path, names: list[str], expected: list[str]) -> None:
    assert ZipTree(archive(tmp_path / "x.zip", dict.fromkeys(names, b""))).names == expected


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "C:/x", "C:", "a\\..\\x", "\\\\host\\x"]
)
def test_entries_that_climb_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Invalid, match="leads out of its folder"):
        ZipTree(archive(tmp_path / "x.zip", {"a/a": b"", name: b"x"}))


@given(st.text(alphabet="ab./\\:\0é\n", max_size=8))
def test_no_name_ever_leads_out(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("a", b"")
        target.filelist[0].filename = name  # as it is, without zipfile's repairs
    try:
        names = ZipTree(path).names
    except Invalid:
        return
    assert all((path.parent / kept).resolve().is_relative_to(path.parent) for kept in names)


def test_an_entry_without_a_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as target:
        target.writestr("a", b"")
        target.filelist[0].filename = ""
    with pytest.raises(Invalid, match="leads out"):
        ZipTree(tmp_path / "x.zip")


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("images/a.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as target:
        target.writestr(link, "/etc/passwd")
    with pytest.raises(Invalid, match="symbolic link"):
        ZipTree(tmp_path / "x.zip")


def test_what_explodes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"would unpack to 73,400,320 bytes"):
        ZipTree(archive(tmp_path / "x.zip", {"a": bytes(70 << 20)}))


def test_a_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_FILE_BYTES", 1 << 20)
    with pytest.raises(Invalid, match="larger than 1 MiB"):
        ZipTree(archive(tmp_path / "x.zip", {"a": bytes((1 << 20) + 1)}))
    (tmp_path / "a").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(Invalid, match="larger than 1 MiB"):
        FolderTree(tmp_path, tmp_path).read("a")


def test_a_lie_about_the_size_gives_no_more_than_was_declared(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", {"a": bytes(10_000)})
    data = bytearray(path.read_bytes())
    for at in (data.find(b"PK\x03\x04") + 22, data.find(b"PK\x01\x02") + 24):
        data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(data)
    with pytest.raises(Invalid, match="a cannot be unpacked"):
        ZipTree(path).read("a")


@pytest.mark.parametrize("limit", [0, 3])
def test_too_many_files_are_refused_before_they_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(trees, "MAX_FILES", limit)
    with pytest.raises(Invalid, match="more than"):
        ZipTree(archive(tmp_path / "x.zip", dict.fromkeys(map(str, range(9)), b"")))


def test_the_true_size_of_a_large_table_of_contents_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    path = archive(tmp_path / "x.zip", dict.fromkeys(map(str, range(9)), b""))
    assert b"PK\x06\x06" in path.read_bytes()
    assert len(ZipTree(path).names) == 9
    monkeypatch.setattr(trees, "MAX_FILES", 4)
    with pytest.raises(Invalid, match="lists more than"):
        ZipTree(path)


def test_encrypted_doubled_and_rarely_packed_entries_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.zip", {"a": b"x"})
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Invalid, match="encrypted"):
        ZipTree(path)
    with pytest.raises(Invalid, match="rare method"):
        ZipTree(archive(path, {"a": b"x"}, zipfile.ZIP_BZIP2))
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as target:
        target.writestr("a", "1")
        target.writestr("a", "2")
    with pytest.raises(Invalid, match="2 entries named 'a'"):
        ZipTree(path)


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"hello" * 100, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(Invalid) as caught:
        ZipTree(tmp_path / "x.zip")
    assert caught.value.errors[0]["pointer"] == "/location/artifact"


@given(st.data())
def test_damaged_archives_are_refused_and_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("zip") / "x.zip"
    buffer = bytearray(archive(path, {"a": b"0123456789" * 20, "b/c": b"x"}).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        buffer[data.draw(st.integers(0, len(buffer) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(buffer)
    try:
        tree = ZipTree(path)
        for name in tree.names:
            tree.read(name)
    except Invalid as refusal:
        assert refusal.errors


def test_links_stay_inside_the_import_directory(tmp_path: Path) -> None:
    root, outside = tmp_path / "import", tmp_path / "outside"
    (root / "shared").mkdir(parents=True)
    (root / "shared/a.png").write_bytes(b"a")
    outside.mkdir()
    (root / "set").mkdir()
    (root / "set/images").symlink_to("../shared")
    assert FolderTree(root / "set", root).read("images/a.png") == b"a"
    (root / "set/b.png").symlink_to(outside / "b.png")
    with pytest.raises(Invalid, match=r"b\.png leads out"):
        assert FolderTree(root / "set", root).names
    (root / "set/b.png").unlink()
    (root / "set/again").symlink_to("../set")
    with pytest.raises(Invalid, match="again leads to a folder that it lies in"):
        assert FolderTree(root / "set", root).names


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(Invalid, match="no plain file"):
        FolderTree(tmp_path, tmp_path).read("a.png")


def test_names_that_cannot_be_shown_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a\nb.png").write_bytes(b"")
    with pytest.raises(Invalid, match="rename the file"):
        assert FolderTree(tmp_path, tmp_path).names
    (tmp_path / "a\nb.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    with pytest.raises(Invalid, match="rename the file"):
        assert FolderTree(tmp_path, tmp_path).names


def test_threads_may_read_one_archive_at_once(tmp_path: Path) -> None:
    files = {f"f{i}": os.urandom(70_000) for i in range(20)}
    tree = ZipTree(archive(tmp_path / "x.zip", files))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tree.read, list(files) * 3)) == list(files.values()) * 3
