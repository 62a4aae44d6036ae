"""Which paths may be imported."""

import os
from pathlib import Path

import pytest

from service.catalog.checks import relative_path
from service.errors import Invalid


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "import"
    (root / "camvid" / "images").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "import-not").mkdir()
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "in").symlink_to(root / "camvid")
    (root / "loop").symlink_to(root / "loop")
    return root


@pytest.mark.parametrize("path", ["camvid", "./camvid/", "camvid/images/..", "in/../camvid", "{root}/camvid"])
def test_paths_inside_become_relative(root: Path, path: str) -> None:
    assert relative_path(path.format(root=root), root) == "camvid"


def test_the_import_directory_itself_may_be_a_dataset(root: Path) -> None:
    assert relative_path(".", root) == "."


def test_links_that_stay_inside_are_followed(root: Path) -> None:
    assert relative_path("in/images", root) == "in/images"


def test_the_import_directory_may_be_named_by_a_link_or_relatively(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(root)
    assert relative_path("camvid", tmp_path / "link") == "camvid"
    monkeypatch.chdir(tmp_path)
    assert relative_path("camvid", Path("import")) == "camvid"


@pytest.mark.parametrize(
    "path", ["..", "../secret", "camvid/../../secret", "/etc", "{root}-not", "{root}/../secret", "out", "out/x"]
)
def test_paths_that_lead_out_are_refused(root: Path, path: str) -> None:
    with pytest.raises(Invalid, match="UNITATLAS_IMPORT_DIR") as caught:
        relative_path(path.format(root=root), root)
    assert [error["pointer"] for error in caught.value.errors] == ["/location/path"]


@pytest.mark.parametrize("path", ["x" * 1000, "loop/x"])
def test_paths_that_cannot_be_followed_are_refused_or_left_to_the_worker(root: Path, path: str) -> None:
    try:
        assert relative_path(path, root) == os.path.normpath(path)
    except Invalid as error:
        assert "cannot be followed" in error.detail


def test_without_an_import_directory_no_path_is_read() -> None:
    with pytest.raises(Invalid, match="UNITATLAS_IMPORT_DIR is not set"):
        relative_path("camvid", None)
