"""The classifiers of Places365, from files laid out as they were published."""

import pickle
import struct
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models, transforms

from service.artifacts.store import ArtifactStore
from service.errors import Invalid, Unavailable
from tests.workers.networks.test_inputs import photo
from workers.networks.inputs import InputSpec, preprocess
from workers.networks.layers import list_layers
from workers.networks.network import load
from workers.networks.places365_source import source
from workers.networks.taps import tap

CPU = torch.device("cpu")
SMALL = {"resize": [64, 64], "crop": None}


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def put(store, tmp_path):
    def keep(content, **options):
        torch.save(content, tmp_path / "saved", **options)
        return {"artifact": store.put(tmp_path / "saved")}

    return keep


def trained(name, outputs=365):
    torch.manual_seed(99)
    return models.get_model(name, weights=None, num_classes=outputs).eval()


def checkpoint(state):
    """What the Places365 project saved while it trained."""
    return {"epoch": 90, "arch": "resnet18", "state_dict": state, "best_prec1": torch.tensor(54.7)}


@pytest.mark.parametrize("new", [False, True])
def test_a_checkpoint_of_the_project_is_loaded(put, store, new):
    original = trained("resnet18")
    state = {f"module.{key}": value for key, value in original.state_dict().items() if "num_batches" not in key}
    weights = put(checkpoint(state), _use_new_zipfile_serialization=new)
    network = load("places365:resnet18", weights, SMALL, [], store, CPU)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(network.module(images), original(images))
    assert network.classes[-1] == "364"


def test_alexnet_was_trained_with_its_features_in_parallel(put, store):
    original = trained("alexnet")
    state = {key.replace("features.", "features.module."): value for key, value in original.state_dict().items()}
    network = load("places365:alexnet", put(checkpoint(state)), SMALL, [], store, CPU)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(network.module(images), original(images))


class Python2Keys(pickle._Pickler):
    """Writes names as Python 2 did, in which the project trained."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_str(self, text):
        self.write(pickle.SHORT_BINSTRING + struct.pack("<B", len(text)) + text.encode())
        self.memoize(text)

    dispatch[str] = save_str


def test_files_of_python_2_are_read(put, store):
    writer = type("Python2", (), {"__name__": "pickle", "Pickler": Python2Keys, "dump": None})
    writer.dump = staticmethod(lambda content, file, protocol: Python2Keys(file, protocol).dump(content))
    original = trained("resnet18")
    weights = put(checkpoint(original.state_dict()), pickle_module=writer, _use_new_zipfile_serialization=False)
    assert SHORT in store.path(weights["artifact"]).read_bytes()
    network = load("places365:resnet18", weights, SMALL, [], store, CPU)
    assert torch.equal(network.module.fc.weight, original.fc.weight)


SHORT = pickle.SHORT_BINSTRING + b"\x0astate_dict"


@pytest.mark.parametrize("new", [False, True])
def test_a_pickled_network_is_refused(put, store, new):
    weights = put(trained("resnet18"), _use_new_zipfile_serialization=new)
    with pytest.raises(Invalid, match=r"name torchvision.models.resnet.ResNet, which is more than tensors; save the"):
        load("places365:resnet18", weights, SMALL, [], store, CPU)


def test_a_head_of_other_classes_is_told(put, store):
    with pytest.raises(Invalid, match=r"2 of wrong shape \(fc.weight \(1000, 512\) instead of \(365, 512\)"):
        load("places365:resnet18", put(trained("resnet18", 1000).state_dict()), SMALL, [], store, CPU)


BLOCKS = [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]
CONVOLUTIONS = [f"conv{block}_{index}" for block, count in BLOCKS for index in range(1, count + 1)]
PUBLISHED = [f"features.{name}" for name in CONVOLUTIONS] + [f"classifier.{name}" for name in ("fc6", "fc7", "fc8a")]


@pytest.fixture(scope="module")
def vgg():
    """A trained VGG-16 of torchvision."""
    return trained("vgg16")


def published_state(vgg):
    """The state of VGG-16 under the names that the paper's authors gave it."""
    layers = [module for module in vgg.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    named = dict(zip(PUBLISHED, layers, strict=True))
    return {f"{name}.{kind}": getattr(layer, kind) for name, layer in named.items() for kind in ("weight", "bias")}


def test_vgg_has_the_names_of_the_paper_after_the_relu(vgg, store, tmp_path):
    save_file({key: value.detach() for key, value in published_state(vgg).items()}, tmp_path / "vgg")
    network = load("places365:vgg16", {"artifact": store.put(tmp_path / "vgg")}, SMALL, [], store, CPU)
    layers = {layer.name: layer[1:] for layer in list_layers(network)}
    assert layers["conv5_3"] == (512, 4, 4)
    assert {*CONVOLUTIONS, *(f"pool{block}" for block in range(1, 6))} <= layers.keys()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad(), tap(network.module, ["conv5_3", "conv5_3.conv", "pool5", "conv4_1"]) as maps:
        assert torch.equal(network.module(images), vgg(images))
        before = vgg.features[:29](images)
        assert torch.equal(maps["conv5_3.conv"], before)
        assert torch.equal(maps["conv5_3"], before.clamp(min=0))
        assert torch.equal(maps["pool5"], vgg.features(images))
        assert torch.equal(maps["conv4_1"], vgg.features[:19](images))


def test_the_transform_of_the_paper_squashes():
    steps = [transforms.Resize((256, 256)), transforms.CenterCrop(224), transforms.ToTensor()]
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    image = photo(300, 401)
    found = preprocess(image, InputSpec.from_json(source("vgg16", None).input))
    torch.testing.assert_close(found, normalize(transforms.Compose(steps)(image)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet19", "densenet161", ""])
def test_an_unknown_name_gets_the_known_ones(name):
    with pytest.raises(Invalid, match="there are alexnet, resnet18, resnet50, vgg16"):
        source(name, None)


def test_weights_that_cannot_be_checked_are_to_be_uploaded():
    with pytest.raises(Invalid, match=r"get resnet18_places365.pth.tar from the Places365 project, upload it"):
        source("resnet18", "places365")
    with pytest.raises(Invalid, match="upload resnet50_places365"):
        source("resnet50", None).weights()


def test_the_papers_own_weights_are_fetched_and_checked(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    (tmp_path / "other").write_bytes(b"something else")
    opened, asked = torch.hub.urlopen, []
    monkeypatch.setattr(
        "torch.hub.urlopen", lambda request: asked.append(request) or opened((tmp_path / "other").as_uri())
    )
    with pytest.raises(Unavailable, match="hash"):
        source("vgg16", "pnas2020").weights()
    assert [request.full_url for request in asked] == [
        "https://dissect.csail.mit.edu/models/vgg16_places365-0bafbc55.pth"
    ]
    assert not list((tmp_path / "hub" / "checkpoints").glob("*"))
