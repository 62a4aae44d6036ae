"""How many images pass at once follows from the largest tensor that a network holds."""

import pytest
import torch
from torch import nn

from workers.networks.footprint import batch_size, is_out_of_memory, largest_output

NETWORK = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 16, 1))
IMAGE = torch.zeros(1, 3, 10, 6)
LARGEST = 8 * 10 * 6 * 4  # float32 out of the first convolution


def test_the_largest_output_is_found():
    assert largest_output(NETWORK, IMAGE) == LARGEST
    assert largest_output(NETWORK, IMAGE.expand(5, -1, -1, -1)) == 5 * LARGEST


@pytest.mark.parametrize(("memory", "images"), [(0, 1), (LARGEST, 1), (3 * 4 * LARGEST, 3), (2**30, 16)])
def test_a_batch_fits_the_memory(memory, images):
    assert batch_size(NETWORK, IMAGE, memory) == images


def test_what_running_out_of_memory_looks_like():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
