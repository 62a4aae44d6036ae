"""Labels of generated pictures against those that a dataset's images of the same pixels are given."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import Invalid
from workers.probes.generated import Labels, picture_digest
from workers.probes.layout import Concept

TREE = Concept("object", "tree")


class Dark:
    """Sees a tree where a picture is dark."""

    concepts, channels = [TREE], ["object"]

    def label(self, images: object, grid: int) -> NDArray[np.uint16]:
        pixels = np.stack([np.asarray(image) for image in images])  # type: ignore[call-overload]
        return (pixels[:, None, :, :, 0] < 100).astype(np.uint16)


def pictures() -> NDArray[np.uint8]:
    """Two of 4 x 4: dark in the first column and dark nowhere."""
    found = np.full((2, 4, 4, 3), 255, np.uint8)
    found[0, :, 0] = 0
    return found


def test_halves_of_an_object_are_by_its_own_box_in_two_more_channels() -> None:
    labels = Labels(["dark"], {"dark": Dark()}, halves=True)  # type: ignore[dict-item]
    found = labels.label(pictures(), 4)
    named = [concept.name for concept in labels.concepts]
    assert found.shape == (2, 3, 4, 4) and not found[1].any()
    shown = np.vectorize(lambda label: named[label - 1] if label else "")(found[0])
    assert shown[0, :, 0].tolist() == ["tree"] * 4
    assert shown[1, :, 0].tolist() == ["tree-top"] * 2 + ["tree-bottom"] * 2
    assert set(shown[2, :, 0]) <= {"tree-left", "tree-right"} and not "".join(shown[:, :, 1:].ravel())


def test_colours_and_a_segmenter_keep_their_channels_and_share_one_numbering() -> None:
    labels = Labels(["colors", "dark"], {"dark": Dark()})  # type: ignore[dict-item]
    found = labels.label(pictures(), 4)
    assert labels.channels == ["color", "object"]
    assert labels.concepts[found[0, 1, 0, 0] - 1] == TREE
    assert labels.concepts[found[0, 0, 0, 0] - 1] == Concept("color", "black")
    assert labels.concepts[found[1, 0, 0, 0] - 1] == Concept("color", "white")


def test_masks_are_refused_with_what_there_is() -> None:
    with pytest.raises(Invalid, match="choose of colors, dark"):
        Labels(["masks"], {"dark": Dark()})  # type: ignore[dict-item]


def test_a_picture_is_named_by_network_seed_and_latent() -> None:
    digests = {picture_digest(model, seed, index) for model in "ab" for seed in (1, 12) for index in (2, 22)}
    assert len(digests) == 8
