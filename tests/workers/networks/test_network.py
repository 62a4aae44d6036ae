import importlib
import sys

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from service.artifacts.store import ArtifactStore
from service.errors import Invalid, Unavailable
from workers.networks.inputs import InputSpec
from workers.networks.network import load

CPU = torch.device("cpu")
SMALL = {"resize": 64, "crop": 64}


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def squeezenet(store):
    def make(weights=None, source="torchvision:squeezenet1_1", classes=(), **given):
        return load(source, {"seed": 0} if weights is None else weights, SMALL | given, classes, store, CPU)

    return make


@pytest.fixture
def put(store, tmp_path):
    def keep(state, save=save_file):
        save(state, tmp_path / "state")
        return {"artifact": store.put(tmp_path / "state")}

    return keep


def trained(name="squeezenet1_1", **options):
    """A network that differs from every seed's, as if it had been trained."""
    torch.manual_seed(99)
    return models.get_model(name, weights=None, **options).eval()


def same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def pointed_at(pointer, match, error=Invalid):
    class Caught:
        def __enter__(self):
            self.raises = pytest.raises(error, match=match)
            self.info = self.raises.__enter__()

        def __exit__(self, *exception):
            done = self.raises.__exit__(*exception)
            assert self.info.value.errors[0]["pointer"] == pointer
            return done

    return Caught()


def test_a_network_is_ready_to_be_studied(squeezenet):
    network = squeezenet()
    assert network.kind == "classifier"
    assert network.device == CPU
    assert not any(module.training for module in network.module.modules())
    assert not any(parameter.requires_grad for parameter in network.module.parameters())


def test_seeds_give_what_torchvision_gives_and_leave_the_generator_alone(squeezenet):
    torch.manual_seed(7)
    expected = models.squeezenet1_1(weights=None).state_dict()
    before = torch.get_rng_state()
    network = squeezenet({"seed": 7})
    assert torch.equal(torch.get_rng_state(), before)
    assert same(network.module.state_dict(), expected)
    assert not same(squeezenet({"seed": 8}).module.state_dict(), expected)


@pytest.mark.parametrize("save", [save_file, torch.save])
def test_an_artifact_is_loaded_whatever_its_number_of_classes(squeezenet, put, save):
    original = trained(num_classes=7)
    network = squeezenet(put(original.state_dict(), save))
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(network.module(images), original(images))
    assert network.classes == ["0", "1", "2", "3", "4", "5", "6"]


def test_classes_are_the_given_else_the_known(squeezenet, put):
    assert squeezenet().classes[:2] == ["tench", "goldfish"]
    assert squeezenet(put(trained(num_classes=2).state_dict()), classes=["cat", "dog"]).classes == ["cat", "dog"]


def test_classes_must_be_as_many_as_outputs(squeezenet):
    with pointed_at("/classes", "2 classes are named, the network has 1000 outputs"):
        squeezenet(classes=["cat", "dog"])


def test_the_known_input_is_filled_in_and_the_given_wins(store):
    known = load("torchvision:squeezenet1_1", {"seed": 0}, {}, [], store, CPU).input
    assert known == InputSpec(256, (224, 224), "rgb", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    given = load("torchvision:squeezenet1_1", {"seed": 0}, {"channels": "bgr", "crop": 64}, [], store, CPU).input
    assert given == InputSpec(256, (64, 64), "bgr", 1 / 255, known.mean, known.std)


def test_the_digest_tells_source_weights_and_input_apart(squeezenet, put):
    first, second = put(trained().state_dict()), put({key: t + 1 for key, t in trained().state_dict().items()})
    digests = [
        squeezenet().digest,
        squeezenet({"seed": 1}).digest,
        squeezenet(first).digest,
        squeezenet(second).digest,
        squeezenet(first, channels="bgr").digest,
        squeezenet(put(trained("squeezenet1_0").state_dict()), source="torchvision:squeezenet1_0").digest,
    ]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 64 for digest in digests)
    assert squeezenet(first).digest == squeezenet(first, scale=1 / 255).digest


def test_an_unknown_name_gets_near_ones(squeezenet):
    with pointed_at("/source", "squeezenet1_1"):
        squeezenet(source="torchvision:squeezenet11")


@pytest.mark.parametrize("name", ["r3d_18", "resnet18_quantized", "raft_large", "ssd300_vgg16", "", "../x"])
def test_only_classifiers_and_segmenters_are_taken(squeezenet, name):
    with pointed_at("/source", "no classifier or segmenter"):
        squeezenet(source=f"torchvision:{name}")


@pytest.mark.parametrize("source", ["torchvison:resnet18", "resnet18", "", ":", "os:system"])
def test_an_unknown_source_gets_the_known_ones(squeezenet, source):
    with pointed_at("/source", "torchvision"):
        squeezenet(source=source)


def test_weights_that_do_not_fit_are_told_by_key(squeezenet, put):
    with pointed_at("/weights", r"missing \(features\.0\.weight.*unexpected \(bn1\."):
        squeezenet(put(trained("resnet18").state_dict()))


def test_an_artifact_that_is_not_there_is_told(squeezenet):
    with pointed_at("/weights/artifact", "no artifact 0{64} is stored here; upload"):
        squeezenet({"artifact": "0" * 64})
    with pointed_at("/weights/artifact", "not a sha256"):
        squeezenet({"artifact": "../../etc/passwd"})


def test_weights_must_be_named_where_none_ship(squeezenet):
    with pointed_at("/weights", "comes without weights"):
        squeezenet({})


def test_unknown_pretrained_weights_get_the_known_ones(squeezenet):
    with pointed_at("/weights/pretrained", "there are IMAGENET1K_V1"):
        squeezenet({"pretrained": "IMAGENET"})


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


def test_pretrained_weights_come_from_torchs_cache(squeezenet, cache):
    cache.mkdir(parents=True)
    original = trained()
    torch.save(original.state_dict(), cache / "squeezenet1_1-b8a52dc0.pth")
    network = squeezenet({"pretrained": "IMAGENET1K_V1"})
    assert same(network.module.state_dict(), original.state_dict())


def test_a_failed_download_says_what_to_do(squeezenet, cache, monkeypatch):
    def fail(*_args, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr("torch.hub.urlopen", fail)
    with pointed_at("/weights/pretrained", r"no route to host.*upload the file as an artifact", Unavailable):
        squeezenet({"pretrained": "IMAGENET1K_V1"})
    assert not list(cache.glob("*"))


def test_a_download_that_was_changed_on_the_way_is_refused(squeezenet, cache, monkeypatch, tmp_path):
    (tmp_path / "other").write_bytes(b"something else")
    url = (tmp_path / "other").as_uri()
    opened = torch.hub.urlopen
    monkeypatch.setattr("torch.hub.urlopen", lambda *_args, **_options: opened(url))
    with pointed_at("/weights/pretrained", "hash", Unavailable):
        squeezenet({"pretrained": "IMAGENET1K_V1"})
    assert not list(cache.glob("*"))


@pytest.mark.parametrize(
    ("source", "crop"), [("squeezenet1_1", 8), ("vit_b_32", 65), ("vit_b_32", [64, 32]), ("maxvit_t", 100)]
)
def test_an_input_that_the_network_does_not_take_is_told(squeezenet, source, crop):
    with pointed_at("/input", "images"):
        squeezenet(source=f"torchvision:{source}", crop=crop)


def test_checkpoints_of_densenet_as_published_fit(squeezenet, put):
    original = trained("densenet121", num_classes=3)
    old = {
        key.replace("norm1", "norm.1").replace("conv2", "conv.2") if "denselayer" in key else key: tensor
        for key, tensor in original.state_dict().items()
    }
    network = squeezenet(put(old), source="torchvision:densenet121")
    assert same(network.module.state_dict(), original.state_dict())


@pytest.mark.parametrize("auxiliary", [True, False])
def test_googlenet_fits_with_and_without_its_auxiliary_heads(squeezenet, put, auxiliary):
    original = trained("googlenet", num_classes=3, aux_logits=auxiliary, init_weights=False)
    network = squeezenet(put(original.state_dict()), source="torchvision:googlenet")
    images = torch.randn(1, 3, 64, 64)
    assert torch.equal(network.module(images), original(images))


def test_rescaling_inside_googlenet_is_the_same_as_its_input_description(store):
    """torchvision feeds ImageNet's mean and deviation and undoes them inside; the description says the outcome."""
    spec = load("torchvision:googlenet", {"seed": 0}, {}, [], store, CPU).input
    pixels = torch.rand(1, 3, 4, 4)
    mean, std = (torch.tensor(three).view(3, 1, 1) for three in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    inside = models.googlenet(weights=None, transform_input=True, init_weights=False)._transform_input
    ours = (pixels - torch.tensor(spec.mean).view(3, 1, 1)) / torch.tensor(spec.std).view(3, 1, 1)
    torch.testing.assert_close(ours, inside((pixels - mean) / std), rtol=0, atol=1e-6)


PLUGIN = """
from pathlib import Path
from torch import nn

class Tiny:
    kind, input, classes, concepts = "classifier", {"crop": 8}, ["no", "yes"], []
    def weights(self): return Path(__file__).with_name("tiny.safetensors")
    def adapt(self, state, network): return {key.replace("old.", "2."): tensor for key, tensor in state.items()}
    def build(self, size, state):
        return nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())

def source(name, pretrained):
    assert (name, pretrained) == ("tiny", None)
    return Tiny()
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Another package on the path, with an entry point of ours."""
    folder = tmp_path / "site"
    (folder / "plug-1.0.dist-info").mkdir(parents=True)
    (folder / "plug-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (folder / "plug-1.0.dist-info" / "entry_points.txt").write_text("[unitatlas.networks]\nplug = plug:source\n")
    (folder / "plug.py").write_text(PLUGIN)
    save_file({"0.weight": torch.ones(2, 3, 3, 3), "0.bias": torch.zeros(2)}, folder / "tiny.safetensors")
    monkeypatch.syspath_prepend(folder)
    yield folder
    sys.modules.pop("plug", None)


def test_another_package_brings_a_source(plugin, store):
    network = load("plug:tiny", {}, {}, [], store, CPU)
    assert network.classes == ["no", "yes"]
    assert network.module(torch.ones(1, 3, 8, 8)).tolist() == [[27.0, 27.0]]
    untrained = load("plug:tiny", {"seed": 0}, {}, [], store, CPU)
    assert untrained.digest != network.digest


def test_shipped_weights_are_part_of_the_digest(plugin, store):
    before = load("plug:tiny", {}, {}, [], store, CPU).digest
    save_file({"0.weight": torch.zeros(2, 3, 3, 3), "0.bias": torch.zeros(2)}, plugin / "tiny.safetensors")
    assert load("plug:tiny", {}, {}, [], store, CPU).digest != before


OBJECTS = [("object", "tree"), None, ("object", "sky")]


@pytest.fixture
def convolution(plugin, store, monkeypatch):
    """Load the other package's network as one of a kind that puts out three maps."""

    def load_as(kind, concepts=(), known=(), is_kind=None):
        tiny = importlib.import_module("plug").Tiny
        monkeypatch.setattr(tiny, "build", lambda *_: torch.nn.Conv2d(3, 3, 3))
        monkeypatch.setattr(tiny, "kind", is_kind)
        monkeypatch.setattr(tiny, "concepts", known)
        return load("plug:tiny", {"seed": 0}, {}, [], store, CPU, kind=kind, concepts=concepts)

    return load_as


def test_any_source_of_maps_of_logits_is_a_segmenter(convolution):
    network = convolution("segmenter", OBJECTS)
    assert (network.kind, network.classes, network.concepts) == ("segmenter", [], OBJECTS)
    assert network.module(torch.zeros(2, 3, 8, 8)).shape == (2, 3, 6, 6)


def test_concepts_are_the_given_else_the_known(convolution):
    assert convolution("segmenter", known=OBJECTS).concepts == OBJECTS
    assert convolution("segmenter", OBJECTS[::-1], known=OBJECTS).concepts == OBJECTS[::-1]


def test_what_the_outputs_stand_for_is_part_of_the_digest(convolution):
    given, known = convolution("segmenter", OBJECTS).digest, convolution("segmenter", known=OBJECTS).digest
    assert given == known != convolution("segmenter", OBJECTS[::-1]).digest


@pytest.mark.parametrize("concepts", [[], OBJECTS[:2], [*OBJECTS, None]])
def test_a_segmenter_has_as_many_concepts_as_outputs(convolution, concepts):
    with pointed_at("/concepts", 'the network has 3 outputs.*give `concepts`, {"category": ..., "name": ...} or null'):
        convolution("segmenter", concepts, known=OBJECTS[:2])


@pytest.mark.parametrize(("is_kind", "wanted"), [("segmenter", "classifier"), ("classifier", "segmenter")])
def test_a_network_of_another_kind_is_told(convolution, is_kind, wanted):
    with pointed_at("/kind", f"plug:tiny is a {is_kind}, no {wanted}"):
        convolution(wanted, is_kind=is_kind)


def test_an_output_of_another_shape_is_told(convolution, plugin, store, monkeypatch):
    monkeypatch.setattr(importlib.import_module("plug").Tiny, "kind", None)
    with pointed_at("/source", "no segmenter: its output is not one map of logits a concept"):
        load("plug:tiny", {}, {}, [], store, CPU, kind="segmenter", concepts=OBJECTS)
    with pointed_at("/source", "no classifier: its output is not one value a class"):
        convolution("classifier")
