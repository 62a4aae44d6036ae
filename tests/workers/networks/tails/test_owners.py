import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from tests.workers.networks.tails.zoo import MEMORY, pictures, silenced, studied, swept
from workers.networks.tails.opening import open_tail
from workers.networks.tails.owners import NOBODY, compress

UNITS = 6


class Between(nn.Module):
    """Units, an operation, and a read-out that mixes what the operation put out."""

    def __init__(self, operation):
        super().__init__()
        torch.manual_seed(2)
        self.detect, self.operation = nn.Conv2d(3, UNITS, 1), operation
        self.norm = nn.BatchNorm2d(UNITS)
        self.depthwise = nn.Conv2d(UNITS, 2 * UNITS, 3, padding=1, groups=UNITS)
        self.grouped = nn.Conv2d(UNITS, 4, 1, groups=2)
        self.read = nn.LazyLinear(3)

    def forward(self, x):
        return self.read(self.operation(self, self.detect(x)).flatten(1))


KEPT_APART = {
    "activation": lambda net, x: x.sigmoid() * 2 - x.clamp(-1, 1),
    "norm": lambda net, x: net.norm(x),
    "pooling": lambda net, x: nn.functional.avg_pool2d(nn.functional.max_pool2d(x, 2), 2),
    "adaptive pooling": lambda net, x: nn.functional.adaptive_avg_pool2d(x, 2),
    "depthwise": lambda net, x: net.depthwise(x),
    "upsampling": lambda net, x: nn.functional.interpolate(x, scale_factor=2, mode="bilinear"),
    "means": lambda net, x: x.mean((2, 3), keepdim=True) * x + x.amax(3, keepdim=True),
    "sums": lambda net, x: x.sum((-1, -2)),
    "turned": lambda net, x: x.permute(0, 2, 3, 1).flip(1),
    "rolled": lambda net, x: x.roll(2, 1).roll(1, 3),
    "shuffled": lambda net, x: x.view(len(x), 2, 3, 4, 4).transpose(1, 2).reshape(len(x), UNITS, 4, 4),
    "halves": lambda net, x: x.chunk(2, 1)[1],
    "halves swapped": lambda net, x: torch.cat([*x.chunk(2, 1)[::-1], torch.ones(x.shape)], 1),
    "padded": lambda net, x: pad(x, (1, 1, 0, 0, 2, 3)),
    "chosen": lambda net, x: x[:, [0, 3, 3]] + x.index_select(1, torch.tensor([0, 3, 3])),
    "doubled": lambda net, x: torch.cat([x, x.relu()], 1),
    "stacked": lambda net, x: torch.stack([x, -x], 1),
    "compared": lambda net, x: torch.where(x > 0, x, 0.1 * x),
}
MIXED = {
    "normalized": lambda net, x: x.softmax(1),
    "over units": lambda net, x: x.mean(1),
    "grouped": lambda net, x: net.grouped(x),
    "half times half": lambda net, x: x.chunk(2, 1)[0] * x.chunk(2, 1)[1],
    "padded with ones": lambda net, x: pad(x, (1, 1), value=1.0),
    "sorted": lambda net, x: x.sort(1).values,
    "products": lambda net, x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
    "everything": lambda net, x: x / (1 + x.abs().sum((1, 2, 3), keepdim=True)),
}


def opened(operation):
    module = Between(operation).eval()
    module(torch.zeros(1, 3, 4, 4))  # tells how much there is to read
    net = studied(module, 4)
    return net, open_tail(net, "detect", MEMORY)


@pytest.mark.parametrize("name", [*KEPT_APART, *MIXED])
def test_every_operation_is_followed_rightly(name):
    net, tail = opened({**KEPT_APART, **MIXED}[name])
    assert tail.cut
    images, conditions = pictures(net), [[0], [5], [1, 3], [0, 2, 4, 5], range(UNITS)]
    for fill in (torch.zeros(UNITS), torch.linspace(-1, 1, UNITS)):
        logits, _ = swept(tail, tail.block(tail.keep(images), fill), conditions)
        for units, found in zip(conditions, logits, strict=True):
            torch.testing.assert_close(found, silenced(net, "detect", units, images, fill), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", KEPT_APART)
def test_units_that_stay_apart_reach_the_read_out_apart(name):
    _, tail = opened(KEPT_APART[name])
    read_by_sums = {node.inputs[0] for node in tail.anatomy.sums.values()}
    assert len(tail.anatomy.sums) == 1 or name == "stacked"
    assert tail.anatomy.read == read_by_sums or name == "stacked"


@pytest.mark.parametrize("name", MIXED)
def test_units_that_meet_are_not_taken_to_be_apart(name):
    _, tail = opened(MIXED[name])
    assert not tail.anatomy.sums


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ([[1, 1], [2, 2]], [[1], [2]]),
        ([[1, 2], [1, 2]], [[1, 2]]),
        ([[1, NOBODY], [2, 2]], [[1], [2]]),
        ([[NOBODY, NOBODY], [1, 2]], [[1, 2]]),
        ([[1, 2], [2, 1]], [[1, 2], [2, 1]]),
        ([[1, 1], [1, NOBODY]], [[1]]),
        ([[NOBODY, NOBODY]], [[NOBODY]]),
    ],
)
def test_dimensions_that_do_not_matter_are_left_out(table, expected):
    assert compress(torch.tensor(table)).table.tolist() == expected
