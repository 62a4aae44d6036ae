"""Weights set to 0 as they are streamed, against the same in memory, and in a network against a hook."""

import tracemalloc
from math import prod
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save, save_file
from torch import nn
from torchvision.models.vgg import VGG, make_layers

from service.results.exporting import pruned
from service.results.exporting.pruned import PrunedFile, Slice
from workers.networks.inputs import InputSpec
from workers.networks.network import Network
from workers.networks.pruning import Zeroing, find_zeroing, pack, zeroed

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8)


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, torch.Tensor], list[Slice], list[int], int]:
    """Tensors of any shape and type, some of which belong to units, and a size of pieces."""
    count = draw(st.integers(1, 5))
    state, slices = {}, []
    for name in draw(st.permutations("abcd")):
        shape = draw(st.lists(st.integers(1, 4), max_size=4))
        if draw(st.booleans()):
            dim, width = draw(st.integers(0, len(shape))), draw(st.integers(1, 3))
            shape.insert(dim, count * width)
            slices.append(Slice(name, dim, width))
        state[name] = (torch.arange(prod(shape)) % 100 + 1).reshape(shape).to(draw(st.sampled_from(DTYPES)))
    units = draw(st.lists(st.integers(0, count - 1), unique=True))
    return state, slices, units, draw(st.sampled_from([1, 7, 64, 1 << 20]))


@given(cases())
@settings(deadline=None, max_examples=60)
def test_what_is_read_is_what_it_would_be_in_memory(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[dict[str, torch.Tensor], list[Slice], list[int], int]
) -> None:
    state, slices, units, piece = case
    path = tmp_path_factory.mktemp("weights") / "weights"
    path.write_bytes(save(state, metadata={"format": "pt"}))
    file = PrunedFile(path, slices, units)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruned, "PIECE", piece)
        pieces = [*file.read()]
    data = b"".join(pieces)
    assert (len(data), max(map(len, pieces)) <= piece) == (file.size, True)
    expected = zeroed(state, Zeroing(slices), units)
    found = load(data)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    spans = [*file.spans()]
    assert spans == sorted(spans)


def test_a_large_file_is_never_held(tmp_path: Path) -> None:
    """Of a file of 16 MB, with fifty thousand places to fill, no more than a few pieces are in memory."""
    save_file({"weight": torch.ones(2048, 2048)}, tmp_path / "weights")
    file = PrunedFile(tmp_path / "weights", [Slice("weight", 1, 8)], range(0, 256, 10))
    tracemalloc.start()
    sizes = [len(piece) - piece.count(0) for piece in file.read()]
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) > 0
    assert held < 6 * pruned.PIECE


def small_vgg() -> VGG:
    """A plain VGG with few channels where its shape lets it."""
    with torch.device("meta"):
        network = VGG(make_layers([8, "M", 512, "M"]), init_weights=False)
    network.classifier = nn.Sequential(nn.Linear(512 * 49, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 5))
    network = network.to_empty(device="cpu")
    torch.manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.05)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(("layer", "unit"), [("features.3", 0), ("avgpool", 7)])
def test_a_vgg_with_the_streamed_weights_is_the_ablated_one(tmp_path: Path, layer: str, unit: int) -> None:
    module, images = small_vgg(), torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    spec = InputSpec.from_json({"resize": [16, 16]})
    network = Network(module, "classifier", spec, [], [], "0" * 64, torch.device("cpu"))
    zeroing = find_zeroing(network, layer)
    assert isinstance(zeroing, Zeroing)
    (tmp_path / "weights").write_bytes(pack(network))
    units = [unit, 100, 511]
    tensors = [[*slice] for slice in zeroing.tensors]  # as the job's summary has them
    data = b"".join(PrunedFile(tmp_path / "weights", [Slice(*tensor) for tensor in tensors], units).read())
    elsewhere = small_vgg()
    elsewhere.load_state_dict(load(data))

    def silence(_module: nn.Module, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        return output.index_fill(1, torch.tensor(units), 0)

    with module.get_submodule(layer).register_forward_hook(silence):
        expected = module(images)
    assert not torch.allclose(expected, module(images), rtol=1e-3)
    torch.testing.assert_close(elsewhere(images), expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_a_head_that_reads_many_places_of_a_unit_is_silenced_there(tmp_path: Path) -> None:
    state = {"classifier.0.weight": torch.ones(2, 12)}
    save_file(state, tmp_path / "weights")
    file = PrunedFile(tmp_path / "weights", [Slice("classifier.0.weight", 1, 4)], [1])
    assert load(b"".join(file.read()))["classifier.0.weight"].tolist() == [[1] * 4 + [0] * 4 + [1] * 4] * 2
