"""A ResNet-20 for CIFAR-10 as a `torch.export` archive that nobody here wrote."""

import pytest
import torch
from PIL import Image

from service.artifacts.store import ArtifactStore
from workers.networks.exported import ExportedArchive
from workers.networks.inputs import preprocess
from workers.networks.layers import list_layers
from workers.networks.network import load
from workers.networks.taps import tap

CPU = torch.device("cpu")
INPUT = {"resize": [32, 32], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture
def network(samples, tmp_path):
    store = ArtifactStore(tmp_path)
    names = sorted(folder.name for folder in (samples / "cifar10").iterdir() if folder.is_dir())
    weights = {"artifact": store.put(samples / "nets" / "cifar10_resnet20.pt2")}
    return load("exported", weights, INPUT, names, store, CPU)


@pytest.fixture
def program(samples):
    return torch.export.load(samples / "nets" / "cifar10_resnet20.pt2")


@pytest.mark.real
def test_it_recognizes_as_many_images_as_published(network, samples):
    right = count = 0
    for index, name in enumerate(network.classes):
        files = sorted((samples / "cifar10" / name).glob("*.jpg"))
        images = torch.stack([preprocess(Image.open(file).convert("RGB"), network.input) for file in files])
        with torch.no_grad():
            right += int((network.module(images).argmax(1) == index).sum())
        count += len(files)
    assert count == 1000
    assert 0.79 <= right / count <= 0.83


@pytest.mark.real
def test_outputs_and_maps_are_those_of_the_program_itself(network, program):
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]
    sums = [node for node in program.graph.nodes if node.target is torch.ops.aten.add.Tensor]
    relus = [next(iter(node.users)) for node in sums]  # what each block puts out
    expected = dict(zip(blocks, run(program, images, relus), strict=True))
    with torch.no_grad(), tap(network.module, blocks) as maps:
        output = network.module(images)
    assert torch.equal(output, program.module()(images))
    for name in blocks:
        assert torch.equal(maps[name], expected[name]), name


def run(program, images, nodes):
    """Interpret the flat program with its own tensors, keeping what some of its nodes yield."""

    class Recorder(torch.fx.Interpreter):
        def run_node(self, node):
            value = super().run_node(node)
            if node in nodes:
                kept.append(value.clone())
            return value

    kept: list[torch.Tensor] = []
    tensors = [program.state_dict[spec.target] for spec in program.graph_signature.input_specs if spec.target]
    with torch.no_grad():
        Recorder(program.graph_module).run(*tensors, images, enable_io_processing=False)
    return kept


@pytest.mark.real
def test_its_layers_are_found_by_module_path(network):
    layers = {layer.name: layer[1:] for layer in list_layers(network)}
    assert [layers[f"layer{stage}.2"] for stage in (1, 2, 3)] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert {"conv1", "bn1", "layer1", "layer2.0.conv2", "layer3"} <= layers.keys()


@pytest.mark.real
@pytest.mark.parametrize(("name", "shape"), [("dcgan_faces64", (100, 1, 1)), ("voc_deeplabv3_mnv2", (3, 513, 513))])
def test_other_kinds_of_network_load_as_well(samples, name, shape):
    file = samples / "nets" / f"{name}.pt2"
    x = torch.randn(1, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(ExportedArchive().open(file, CPU)(x), torch.export.load(file).module()(x))
