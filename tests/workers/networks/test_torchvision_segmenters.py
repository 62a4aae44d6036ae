"""Every segmenter of torchvision."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models
from torchvision.transforms.functional import pil_to_tensor

from service.artifacts.store import ArtifactStore
from service.errors import Invalid
from tests.workers.networks.test_inputs import photo
from workers.networks.inputs import InputSpec, preprocess
from workers.networks.network import load
from workers.networks.torchvision_source import source

CPU = torch.device("cpu")
SMALL = {"resize": [40, 56]}
SEGMENTERS = models.list_models(module=models.segmentation)
LIGHT = ["deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large"]
"""One of each architecture."""


def trained(name, outputs, auxiliary=False):
    torch.manual_seed(99)
    options = {"weights": None, "weights_backbone": None, "num_classes": outputs}
    return models.get_model(name, **options | ({"aux_loss": True} if auxiliary else {})).eval()


@pytest.fixture
def put(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")

    def keep(name, network, **options):
        save_file(network.state_dict(), tmp_path / "state")
        weights = {"artifact": store.put(tmp_path / "state")}
        return load(f"torchvision:{name}", weights, SMALL, [], store, CPU, kind="segmenter", **options)

    return keep


@pytest.mark.parametrize("name", LIGHT)
def test_the_logits_are_those_of_torchvision(name, put):
    original = trained(name, 21)
    images = torch.randn(2, 3, 40, 56)
    with torch.no_grad():
        assert torch.equal(put(name, original).module(images), original(images)["out"])


@pytest.mark.parametrize("name", LIGHT)
def test_a_head_of_another_size_is_built_and_needs_concepts(name, put):
    concepts = [("material", "wood"), None, ("material", "glass")]
    network = put(name, trained(name, 3), concepts=concepts)
    assert network.concepts == concepts
    assert network.module(torch.zeros(1, 3, 40, 56)).shape == (1, 3, 40, 56)
    with pytest.raises(Invalid, match="3 outputs, what they stand for is not known"):
        put(name, trained(name, 3))


def test_the_auxiliary_head_of_a_training_is_left_out(put):
    network = put("fcn_resnet50", trained("fcn_resnet50", 21, auxiliary=True))
    assert not [name for name, _ in network.module.named_modules() if name.startswith("aux")]


@pytest.mark.parametrize("name", SEGMENTERS)
def test_published_conventions_are_told(name):
    weights = models.get_model_weights(name).COCO_WITH_VOC_LABELS_V1
    architecture = source(name, weights.name)
    assert InputSpec.from_json(architecture.input).size == (520, 520)
    assert len(architecture.concepts) == 21
    assert architecture.concepts[:2] == [None, ("object", "aeroplane")]
    image = photo(520, 520)
    expected = weights.transforms()(pil_to_tensor(image))
    torch.testing.assert_close(preprocess(image, InputSpec.from_json(architecture.input)), expected)
