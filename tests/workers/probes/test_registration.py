"""Registering and opening datasets of every format and location."""

import hashlib
import json
from dataclasses import replace
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.catalog.schemas import DatasetRequestSchema
from service.errors import Conflict, Invalid
from workers.probes import builtin, registration
from workers.probes.registration import open_probe, register
from workers.scenes import renderer

Tree = dict[str, bytes | str]


def test_the_manifest_lists_every_file_with_its_digest(desk, tree: Tree) -> None:
    head, *lines = (json.loads(line) for line in desk.register(desk.write(tree)).manifest.splitlines())
    assert head == {"format": "masks", "version": 1}
    assert lines == [
        {"name": name, "size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for name, path in ((name, desk.folder / name) for name in sorted(tree))
    ]


def test_images_are_known_by_their_digest(desk, tree: Tree) -> None:
    probe = desk.open(desk.write(tree))
    assert probe.images[0].digest == hashlib.sha256((desk.folder / "images/a.png").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["images/a.png", "masks/object/a.png"])
def test_a_file_that_changed_is_refused_by_name(desk, tree: Tree, name: str) -> None:
    probe = desk.open(desk.write(tree))
    desk.write({name: tree["masks/object/b.png"]})
    with pytest.raises(Conflict, match=f"{name} changed"):
        probe.image(0), probe.labels(0, (30, 40), None, 4)
    (desk.folder / name).unlink()
    with pytest.raises(Invalid, match=name):
        probe.image(0), probe.labels(0, (30, 40), None, 4)


def test_a_changed_table_is_refused_at_opening(desk, tree: Tree) -> None:
    text = desk.register(desk.write(tree)).manifest
    desk.write({"concepts.csv": "category,number,name\nobject,7,shrub\n"})
    with pytest.raises(Conflict, match=r"concepts\.csv changed"):
        open_probe("masks", {"path": "set"}, text, desk.settings, desk.store)


def test_files_added_later_are_not_seen(desk, tree: Tree) -> None:
    text = desk.register(desk.write(tree)).manifest
    desk.write({"images/c.png": tree["images/a.png"]})
    probe = open_probe("masks", {"path": "set"}, text, desk.settings, desk.store)
    assert [image.name for image in probe.images] == ["a", "b"]


def test_folders_are_classes_in_bytewise_order(desk, png) -> None:
    picture = png(np.zeros((4, 4, 3), np.uint8))
    files = ["zebra/1.png", "Ape/2.JPG", "cat/b.png", "cat/a.png"]
    probe = desk.open(desk.write({**dict.fromkeys(files, picture), "notes.txt": "x"}), "folder")
    assert probe.classes == ["Ape", "cat", "zebra"]
    assert [(i.name, i.class_index) for i in probe.images] == [
        ("Ape/2.JPG", 0), ("cat/a.png", 1), ("cat/b.png", 1), ("zebra/1.png", 2)]  # fmt: skip
    assert (probe.concepts, probe.channels) == ([], [])


@pytest.mark.parametrize("name", ["1.png", "cat/young/1.png"])
def test_an_image_outside_of_a_class_is_refused(desk, png, name: str) -> None:
    location = desk.write({name: png(np.zeros((4, 4), np.uint8)), "dog/1.png": b""})
    assert name in desk.refusal(location, "folder").detail


def test_an_empty_folder_is_refused(desk) -> None:
    assert "no images" in desk.refusal(desk.write({"notes.txt": "x"}), "folder").detail


def test_a_picture_lying_across_its_mask_is_refused(desk, tree: Tree, png) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tree["images/a.png"] = png(np.zeros((30, 40, 3), np.uint8), exif=exif)
    assert "upright" in desk.refusal(desk.write(tree)).detail
    del tree["masks/part/a.png"]
    tree["masks/object/a.png"] = png(np.zeros((40, 30), np.uint8))
    (desk.folder / "masks/part/a.png").unlink()
    assert desk.open(desk.write(tree)).image(0).size == (30, 40)


@pytest.mark.parametrize(
    ("location", "pointer"),
    [
        ({"path": "../data"}, "/location/path"),
        ({"path": "/etc"}, "/location/path"),
        ({"path": "missing"}, "/location/path"),
        ({"path": "x" * 5000}, "/location/path"),
        ({"path": "a\0b"}, "/location/path"),
        ({"path": "way-out"}, "/location/path"),
        ({"artifact": "0" * 64}, "/location/artifact"),
        ({"builtin": "moon"}, "/location/builtin"),
        ({}, "/location"),
        ({"path": "set", "artifact": "0" * 64}, "/location"),
        ({"path": 3}, "/location"),
    ],
)
def test_locations_that_lead_nowhere_are_refused(desk, location: dict, pointer: str) -> None:
    (desk.settings.import_dir / "way-out").symlink_to("/etc")
    refusal = desk.refusal(location, "scenes" if "builtin" in location else "masks")
    assert refusal.errors[0]["pointer"] == pointer


def test_no_path_is_read_without_an_import_directory(desk, tree: Tree) -> None:
    location = desk.write(tree)
    desk.settings = replace(desk.settings, import_dir=None)
    assert "UNITATLAS_IMPORT_DIR" in desk.refusal(location).detail


def test_an_absolute_path_inside_the_import_directory_is_read(desk, tree: Tree) -> None:
    desk.write(tree)
    assert desk.register({"path": str(desk.folder)}).images == 2


def test_an_unknown_format_names_those_that_exist(desk, tree: Tree) -> None:
    refusal = desk.refusal(desk.write(tree), "coco")
    assert all(name in refusal.detail for name in registration.FORMATS)
    assert refusal.errors[0]["pointer"] == "/format"


def test_a_format_that_is_nearly_right_is_told_the_right_one(desk, tree: Tree) -> None:
    assert "did you mean 'pascal-voc'?" in desk.refusal(desk.write(tree), "pascal_voc").detail


def test_the_api_lets_all_formats_pass() -> None:
    wanted = {"name": "d", "location": {"path": "d"}}
    for name in [*registration.FORMATS, "Another.package_1"]:
        assert DatasetRequestSchema().load(wanted | {"format": name})["format"] == name


def test_every_format_is_described() -> None:
    text = (Path(__file__).parents[3] / "docs/datasets.md").read_text()
    assert all(f"\n## `{name}`\n" in text for name in registration.FORMATS)


def test_another_package_may_bring_a_format(desk, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("twin", "workers.probes.masks:read", registration.ENTRY_POINTS)
    monkeypatch.setattr(registration, "entry_points", lambda group: EntryPoints([entry]))
    assert desk.open(desk.write(tree), "twin").classes == ["street", "forest"]


def test_a_registration_stops_where_it_is_asked_to(desk, tree: Tree) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        register("masks", desk.write(tree), desk.settings, desk.store, stop)


def test_built_in_scenes_are_those_of_the_renderer(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(renderer.SPLITS, "scenes-few", (5, 7))
    probe = desk.open({"builtin": "scenes-few"}, "scenes")
    assert (probe.concepts, probe.classes) == (list(renderer.CONCEPTS), list(renderer.SCENES))
    geometry = Whole()
    for index, image in enumerate(probe.images):
        scene = renderer.render(5, index)
        assert np.array_equal(np.asarray(probe.image(index)), scene.image)
        assert image.class_index == scene.scene
        labels = probe.labels(index, (64, 64), geometry, 64)
        assert {c: labels[i].tolist() for i, c in enumerate(probe.channels)} == {
            category: numbers.tolist() for category, numbers in scene.labels.items()
        }


class Whole:
    """Every pixel of the image, as a geometry."""

    def sample_positions(self, image_size, grid, mask_size):
        return np.arange(grid), np.arange(grid)


def test_built_in_scenes_are_painted_once_and_leave_nothing_half_done(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(renderer.SPLITS, "scenes-few", (5, 7))
    cache = desk.settings.data_dir / "cache"
    first = builtin.archive("scenes-few", cache)
    written = first.stat().st_mtime_ns, first.read_bytes()
    assert builtin.archive("scenes-few", cache).stat().st_mtime_ns == written[0]
    first.unlink()
    assert builtin.archive("scenes-few", cache).read_bytes() == written[1]
    first.unlink()
    monkeypatch.setattr(builtin, "_png", lambda pixels: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        builtin.archive("scenes-few", cache)
    assert list(cache.iterdir()) == []


def test_scenes_name_their_grid_and_belong_to_their_format(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(renderer.SPLITS, "scenes-few", (5, 2))
    assert desk.register({"builtin": "scenes-few"}, "scenes").grid == 32
    assert desk.refusal({"builtin": "scenes-few"}, "masks").errors[0]["pointer"] == "/format"
    assert desk.refusal({"path": "set"}, "scenes").errors[0]["pointer"] == "/format"


def test_nothing_is_written_where_a_dataset_is_refused(desk, tree: Tree) -> None:
    del tree["concepts.csv"]
    location = desk.write(tree)
    before = sorted(Path(desk.settings.data_dir.parent).rglob("*"))
    desk.refusal(location)
    assert sorted(Path(desk.settings.data_dir.parent).rglob("*")) == before
