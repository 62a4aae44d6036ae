import numpy as np
import pytest
import torch

from workers.analysis.top_images import merge_top_images, top_images


def ranked(peaks, images, count):
    """Image indices by descending peak, then ascending index, for one unit."""
    return [image for _, image in sorted(zip(-peaks, images, strict=True))][:count]


def maps_of(images, units):
    """A map that tells which image and unit it belongs to."""
    return torch.stack([torch.stack([torch.full((2, 3), 100.0 * u + i) for u in range(units)]) for i in images])


@pytest.mark.parametrize("count", [1, 3, 20])
@pytest.mark.parametrize("batch", [1, 4, 12])
def test_highest_peaks_first_and_equal_ones_by_index(count, batch):
    random = np.random.default_rng(2)
    images, peaks = random.permutation(12), random.integers(0, 4, (12, 3)).astype(np.float32)  # many ties
    parts = [
        top_images(maps_of(images[at], 3), torch.from_numpy(peaks[at]), images[at], count)
        for at in np.split(np.arange(12), range(batch, 12, batch))
    ]
    top = merge_top_images(parts[::-1], count)
    for unit in range(3):
        assert top.images[unit].tolist() == ranked(peaks[:, unit], images, count)
        order = np.argsort(images)
        assert top.peaks[unit].tolist() == peaks[order[top.images[unit]], unit].tolist()
        assert top.maps[unit, :, 1, 2].tolist() == [100 * unit + image for image in top.images[unit]]
    assert top.maps.shape == (3, min(count, 12), 2, 3)
