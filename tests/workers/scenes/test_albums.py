"""Albums of painted pictures, and the folders that trainings keep their state in."""

from pathlib import Path

import numpy as np
import pytest

from workers.scenes.concepts import CATEGORIES
from workers.scenes.renderer import render
from workers.scenes.training import albums


def test_an_album_has_every_picture_and_its_labels_and_is_painted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(albums.PAINTERS, "few", (render, 9, 5))
    monkeypatch.setattr(albums, "CHUNK", 2)
    few = albums.album("few", str(tmp_path))
    assert few.images.shape == (5, 64, 64, 3)
    for index in range(5):
        scene = render(9, index)
        assert np.array_equal(few.images[index], scene.image)
        assert all(np.array_equal(few.labels[index, i], scene.labels[name]) for i, name in enumerate(CATEGORIES))
    monkeypatch.setattr(albums, "_paint", None)
    assert np.array_equal(albums.album("few", str(tmp_path)).images, few.images)


def test_another_recipe_has_another_folder(tmp_path: Path) -> None:
    first, again, other = (albums.folder("generator", recipe, str(tmp_path)) for recipe in (1, 1, 2))
    assert first == again != other
    assert first.is_dir()
