"""Uploads of files and folders against the real application: in parts, once, and on from where they broke off."""

import hashlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from zipfile import ZipFile

import httpx
import numpy as np
import pytest
from PIL import Image

from unitatlas import Client, Problem, UploadError, uploads
from unitatlas.archives import FolderArchive
from unitatlas.uploads import PlainFile, Source
from workers.probes import registration


@pytest.fixture(params=["file", "folder"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Uploads in parts of 1000 bytes; lists where each part started."""
    starts: list[int] = []
    monkeypatch.setattr(uploads, "PART", 1000)
    monkeypatch.setattr("unitatlas.uploads.CHUNK", 400)
    monkeypatch.setattr("unitatlas.archives.CHUNK", 400)
    for source in (PlainFile, FolderArchive):
        monkeypatch.setattr(source, "chunks", noted(source.chunks, starts))
    return starts


def noted(chunks, starts: list[int]):
    def wrapped(source: Source, start: int, stop: int) -> Iterator[bytes]:
        if hasattr(source, "digest"):  # known once the archive is being sent
            starts.append(start)
        return chunks(source, start, stop)

    return wrapped


def content(size: int, seed: str) -> bytes:
    return (hashlib.sha256(seed.encode()).digest() * (size // 32 + 1))[:size]


def write(path: Path, size: int, seed: str) -> Path:
    """A file of so many bytes, or a folder whose archive has about as many."""
    if path.name == "file":
        path.write_bytes(content(size, seed))
        return path
    for index in range(3):
        (path / f"part{index}").mkdir(parents=True)
        (path / f"part{index}" / "data.bin").write_bytes(content((size + 2) // 3, f"{seed}{index}"))
    return path


@pytest.mark.parametrize("size", [0, 1, 1000, 2500])
def test_an_upload_goes_in_parts_and_only_once(
    client: Client, tmp_path: Path, small_parts: list[int], size: int, kind: str
) -> None:
    place = write(tmp_path / kind, size, "parts")
    whole = place.stat().st_size if kind == "file" else uploads.open_source(place).size
    digest = client.upload(place)
    copy = client.download(digest, tmp_path / "copy").read_bytes()
    assert (hashlib.sha256(copy).hexdigest(), len(copy)) == (digest, whole)
    assert client.upload(place) == digest
    assert small_parts == list(range(0, max(whole, 1), 1000))


def test_an_upload_goes_on_where_it_broke_off(
    client: Client, tmp_path: Path, small_parts: list[int], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    place, broken, sent = write(tmp_path / kind, 2500, "resumed"), [], []
    source_type = PlainFile if kind == "file" else FolderArchive
    whole = source_type.chunks

    def cut(source: Source, start: int, stop: int) -> Iterator[bytes]:
        for chunk in whole(source, start, stop):
            if hasattr(source, "digest"):
                sent.append(len(chunk))
            yield chunk
            if start == 1000 and not broken and hasattr(source, "digest"):
                broken.append(len(chunk))
                raise httpx.WriteError("the line was cut")

    monkeypatch.setattr(source_type, "chunks", cut)
    digest = client.upload(place)
    copy = client.download(digest, tmp_path / "copy").read_bytes()
    assert hashlib.sha256(copy).hexdigest() == digest
    assert small_parts[:2] == [0, 1000]
    assert small_parts[2] in range(1000 + broken[0], 2000)  # what came through before the cut was kept
    assert sum(sent) == len(copy)  # and nothing was sent again


def test_another_process_goes_on_where_the_first_one_ended(client: Client, tmp_path: Path, small_parts, kind) -> None:
    place = write(tmp_path / kind, 2500, f"another {kind}")
    source = uploads.open_source(place)
    address = f"/v1/artifacts/{source.digest}"
    uploads._send_part(client._transport, source, 0, address, source.media_type)
    small_parts.clear()
    assert Client(client._transport.url, key="").upload(place) == source.digest
    assert small_parts[0] == 1000


def test_an_upload_that_cannot_succeed_is_given_up(idle_url: str, tmp_path: Path) -> None:
    with Client(idle_url, key="ua_00000000_" + "0" * 43) as client, pytest.raises(Problem) as caught:
        client.upload(write(tmp_path / "file", 10, "refused"))
    assert caught.value.status == 401


def test_a_folder_that_changes_between_two_parts_is_not_taken(
    client: Client, tmp_path: Path, small_parts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, send = write(tmp_path / "folder", 2500, "changing"), uploads._send_part

    def change(*given: object) -> None:
        send(*given)
        (folder / "part2" / "data.bin").write_bytes(b"other")

    monkeypatch.setattr(uploads, "_send_part", change)
    with pytest.raises(UploadError, match=r"data\.bin changed"):
        client.upload(folder)


def test_a_folder_of_classes_is_uploaded_and_registered_with_its_scenes(client: Client, tmp_path: Path) -> None:
    for index in range(6):
        file = tmp_path / "places" / ("field", "house")[index % 2] / f"{index}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 40 * index, np.uint8)).save(file)
    (tmp_path / "places" / ".DS_Store").write_bytes(b"left behind")
    dataset = client.register_dataset("places", "folder", tmp_path / "places", scenes=True)
    assert (dataset.images, dataset.classes, dataset.concepts) == (6, 2, {"scene": 2})
    archive = client.download(dataset.location["artifact"], tmp_path / "copy.zip")
    assert len(ZipFile(archive).namelist()) == 6
    assert {concept.name for concept in client.concepts(category="scene")} == {"field", "house"}
    assert client.register_dataset("plain", "folder", tmp_path / "places").concepts == {}


def test_a_format_that_does_not_exist_is_told_the_near_one(client: Client, archive: Path) -> None:
    with pytest.raises(Problem, match="did you mean 'masks'") as caught:
        client.register_dataset("misspelt", "mask", archive)
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "/format")


@pytest.mark.parametrize("missing", ["index.csv", "label.csv", "images/a.jpg", "images/a_object.png"])
def test_a_broden_folder_with_a_missing_file_is_refused_by_its_name(
    client: Client, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "index.csv").write_text("image,split,ih,iw,sh,sw,object\na.jpg,train,8,8,4,4,a_object.png\n")
    (tmp_path / "label.csv").write_text("number,name,category,frequency,coverage,syns\n1,sky,object(1),1,1.0,\n")
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.jpg")
    Image.new("RGB", (4, 4), (1, 0, 0)).save(tmp_path / "images" / "a_object.png")
    if missing == "index.csv":
        assert client.register_dataset("broden", "broden", tmp_path).concepts == {"object": 1}
    (tmp_path / missing).unlink()
    with pytest.raises(Problem, match=missing) as caught:
        client.register_dataset("broken-broden", "broden", tmp_path)
    assert (caught.value.status, caught.value.errors[0]["pointer"]) == (422, "/location")


def test_a_format_of_another_package_is_registered(
    client: Client, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EntryPoint("Other.masks_2", "workers.probes.masks:read", registration.ENTRY_POINTS)
    monkeypatch.setattr(registration, "entry_points", lambda group: EntryPoints([entry]))
    dataset = client.register_dataset("foreign", "Other.masks_2", archive)
    assert (dataset.format, dataset.images, dataset.concepts) == ("Other.masks_2", 16, {"object": 2})
