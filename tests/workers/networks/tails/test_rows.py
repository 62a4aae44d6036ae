import pytest
import torch

from service.errors import Invalid
from workers.networks.tails.rows import RowLimit, Segment, changed_segments, keep_all, sweep

CPU = torch.device("cpu")


class Machine:
    """Computes 100 times the condition plus the image; has memory for so many rows."""

    def __init__(self, memory):
        self.memory, self.batches = memory, []

    def __call__(self, segments):
        rows = torch.cat([100.0 * segment.units[0] + segment.images for segment in segments])
        if len(rows) > self.memory:
            raise torch.OutOfMemoryError("none left")
        assert all(len(segment.images) for segment in segments)
        self.batches.append(len(rows))
        return rows[:, None]

    def read(self, pixels):
        if len(pixels) > self.memory:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        self.batches.append(len(pixels))
        return {"logits": pixels.flatten(1)[:, :1], "output": pixels}


def segments(*sizes):
    return [Segment(index, [index], torch.arange(size)) for index, size in enumerate(sizes)]


@pytest.mark.parametrize("sizes", [(3, 0, 5, 1), (0,), (), (0, 0, 2), (9,), (4, 4, 4)])
@pytest.mark.parametrize(("limit", "memory"), [(1, 1), (4, 4), (4, 3), (100, 2), (100, 100)])
def test_every_condition_comes_once_and_in_order_whatever_fits(sizes, limit, memory):
    machine, rows = Machine(memory), RowLimit(limit)
    found = list(sweep(segments(*sizes), rows, machine, torch.empty(0, 1)))
    assert [position for position, _, _ in found] == [*range(len(sizes))]
    for (position, images, logits), size in zip(found, sizes, strict=True):
        assert images.tolist() == [*range(size)]
        assert logits.flatten().tolist() == [100.0 * position + image for image in range(size)]
    assert max(machine.batches, default=0) <= min(limit, memory)


def test_rows_of_several_conditions_are_computed_together():
    machine = Machine(100)
    list(sweep(segments(3, 3, 0, 3, 3, 3), RowLimit(6), machine, torch.empty(0, 1)))
    assert machine.batches == [6, 6, 3]


def test_once_the_memory_ended_fewer_rows_are_tried():
    machine, rows = Machine(3), RowLimit(8)
    list(sweep(segments(8, 8), rows, machine, torch.empty(0, 1)))
    assert rows.rows == 2
    assert set(machine.batches[4:]) == {2}


def test_a_memory_that_takes_no_image_is_told():
    with pytest.raises(Invalid, match="memory does not suffice") as caught:
        list(sweep(segments(2), RowLimit(2), Machine(0), torch.empty(0, 1)))
    assert caught.value.errors[0]["pointer"] == "/layer"
    with pytest.raises(Invalid, match="memory does not suffice"):
        keep_all(torch.zeros(2, 3, 1, 1), RowLimit(2), CPU, Machine(0).read)


def test_other_errors_are_passed_on():
    def fail(_):
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        list(sweep(segments(2), RowLimit(2), fail, torch.empty(0, 1)))
    with pytest.raises(RuntimeError, match="shapes"):
        keep_all(torch.zeros(2, 3, 1, 1), RowLimit(2), CPU, fail)


@pytest.mark.parametrize(("limit", "memory"), [(1, 1), (4, 4), (8, 3), (100, 100)])
def test_images_are_kept_in_parts_that_fit(limit, memory):
    pixels, machine = torch.randn(7, 3, 2, 2), Machine(memory)
    kept = keep_all(pixels, RowLimit(limit), CPU, machine.read)
    assert torch.equal(kept["output"], pixels)
    assert torch.equal(kept["logits"], pixels[:, 0, 0, :1])
    assert max(machine.batches) <= min(limit, memory)


def test_the_images_of_a_condition_are_those_that_one_of_its_units_changes():
    changed = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]], dtype=torch.bool)
    found = [segment.images.tolist() for segment in changed_segments([[0], [1, 0], [2], []], changed)]
    assert found == [[0, 3], [0, 1, 3], [], []]


def test_conditions_are_taken_one_after_the_other():
    taken = []

    def endless():
        for position in range(10**9):
            taken.append(position)
            yield Segment(position, [position], torch.arange(2))

    first = next(sweep(endless(), RowLimit(6), Machine(10), torch.empty(0, 1)))
    assert first[0] == 0
    assert len(taken) < 10
