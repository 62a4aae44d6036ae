"""A network in bfloat16 is a copy that computes nearly the same; one that cannot is told apart at once."""

import pytest
import torch
from torch import nn

from service.errors import Invalid
from workers.networks.inputs import InputSpec
from workers.networks.network import Network
from workers.networks.precision import as_input, in_precision

CPU = torch.device("cpu")


class Mixed(nn.Module):
    """Insists on float32 halfway."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(images).mean((2, 3)) + torch.ones(4))


def network(module: nn.Module) -> Network:
    spec = InputSpec.from_json({"resize": [8, 8]})
    return Network(module.eval().requires_grad_(False), "classifier", spec, ["a", "b"], [], "", CPU)


def test_float32_is_the_network_itself():
    plain = network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    assert in_precision(plain, "float32") is plain.module
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(as_input(images, CPU, "float32"), images)


def test_bfloat16_is_a_copy_that_computes_nearly_the_same():
    torch.manual_seed(0)
    exact = network(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2)))
    coarse = in_precision(exact, "bfloat16")
    assert in_precision(exact, "bfloat16") is coarse
    assert {parameter.dtype for parameter in exact.module.parameters()} == {torch.float32}
    images = torch.randn(4, 3, 8, 8)
    found = coarse(as_input(images, CPU, "bfloat16"))
    assert found.dtype == torch.bfloat16
    expected = exact.module(images)
    assert not torch.equal(found.float(), expected)
    torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.02)


def test_a_network_that_does_not_compute_in_bfloat16_is_refused():
    with pytest.raises(Invalid) as caught:
        in_precision(network(Mixed()), "bfloat16")
    assert "does not compute in bfloat16" in caught.value.detail
    assert caught.value.errors[0]["pointer"] == "/precision"
