"""Networks of timm: built, described and filled as timm does."""

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data import create_transform, resolve_data_config
from timm.layers import resample_abs_pos_embed

from service.artifacts.store import ArtifactStore
from service.errors import Invalid, Unavailable
from tests.workers.networks.test_inputs import photo
from workers.networks import timm_source
from workers.networks.inputs import InputSpec, preprocess
from workers.networks.layers import list_layers
from workers.networks.network import load
from workers.networks.taps import tap
from workers.networks.timm_source import source

CPU = torch.device("cpu")
LIGHT = ["test_resnet", "test_convnext", "test_vit"]


def squashed(side):
    return {"resize": [side, side], "crop": None}


def trained(name, **options):
    """A network that differs from every seed's, as if it had been trained."""
    torch.manual_seed(99)
    return timm.create_model(name, **options).eval()


def same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def put(store, tmp_path):
    def keep(state):
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, tmp_path / "state")
        return {"artifact": store.put(tmp_path / "state")}

    return keep


@pytest.mark.parametrize("name", LIGHT)
def test_seeds_give_what_timm_gives(name, store):
    torch.manual_seed(7)
    expected = timm.create_model(name).eval()
    network = load(f"timm:{name}", {"seed": 7}, {}, [], store, CPU)
    assert same(network.module.state_dict(), expected.state_dict())


def test_an_artifact_is_loaded_whatever_its_number_of_classes(put, store):
    original = trained("test_vit", num_classes=3, img_size=32)
    network = load("timm:test_vit", put(original.state_dict()), squashed(32), ["a", "b", "c"], store, CPU)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(network.module(images), original(images))
    assert network.classes == ["a", "b", "c"]


def test_position_embeddings_fit_another_size_as_timm_resizes_them(put, store):
    original = trained("test_vit", num_classes=3)
    network = load("timm:test_vit", put(original.state_dict()), squashed(96), [], store, CPU)
    expected = resample_abs_pos_embed(original.pos_embed, (6, 6), num_prefix_tokens=1)
    torch.testing.assert_close(network.module.pos_embed, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "swin_tiny_patch4_window7_224"])
def test_weights_of_another_network_are_told_by_key(name, put, store):
    with pytest.raises(Invalid, match="weights") as caught:
        load(f"timm:{name}", put(trained("test_efficientnet").state_dict()), {}, [], store, CPU)
    assert caught.value.errors[0]["pointer"] == "/weights"


def test_two_heads_of_a_distilled_network_are_counted_by_the_first(put, store):
    original = trained("deit_tiny_distilled_patch16_224", num_classes=3)
    network = load("timm:deit_tiny_distilled_patch16_224", put(original.state_dict()), {}, [], store, CPU)
    assert network.classes == ["0", "1", "2"]


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "vit_base_patch16_clip_quickgelu_224"])
def test_images_enter_as_timm_lets_them_but_for_the_interpolation(name):
    architecture = source(name, None)
    published = resolve_data_config(pretrained_cfg=architecture.published.to_dict())
    expected = create_transform(**published | {"interpolation": "bilinear"})
    for image in (photo(300, 400), photo(400, 300)):
        found = preprocess(image, InputSpec.from_json(architecture.input))
        torch.testing.assert_close(found, expected(image), rtol=0, atol=1e-5)


def test_a_squashing_network_cuts_nothing_off():
    spec = InputSpec.from_json(source("convnextv2_huge", None).input)
    assert spec.resize == spec.size


def test_networks_of_every_family_describe_an_input_and_their_classes():
    for name in timm.list_models()[::40]:
        architecture = source(name, None)
        assert InputSpec.from_json(architecture.input).size == architecture.published.input_size[1:]
        assert len(architecture.classes) in (0, 1000)


def test_the_classes_of_imagenet_have_the_names_that_torchvision_gives():
    ours = source("resnet18", None).classes
    assert (ours[0], ours[1], ours[999]) == ("tench", "goldfish", "toilet tissue")


@pytest.mark.parametrize("name", ["resnet_18", "", "hf-hub:timm/resnet18", "resnet18.a1_in1k", "../x"])
def test_an_unknown_name_is_told(name):
    with pytest.raises(Invalid, match="timm has no network.*resnet18" if "resnet" in name else "timm has no network"):
        source(name, None)


def test_an_unknown_tag_gets_the_known_ones():
    with pytest.raises(Invalid, match=r"no weights 'a9'.*a1_in1k") as caught:
        source("resnet18", "a9")
    assert caught.value.errors[0]["pointer"] == "/weights/pretrained"


def test_weights_must_be_named(store):
    with pytest.raises(Invalid, match="comes without weights"):
        load("timm:resnet18", {}, {}, [], store, CPU)


def test_pretrained_weights_come_from_the_hub(store, tmp_path, monkeypatch):
    original = trained("test_vit")
    save_file(original.state_dict(), tmp_path / "hub.safetensors")
    asked = []
    monkeypatch.setattr(
        timm_source, "hf_hub_download", lambda *names: asked.append(names) or tmp_path / "hub.safetensors"
    )
    network = load("timm:test_vit", {"pretrained": "r160_in1k"}, {}, [], store, CPU)
    assert asked == [("timm/test_vit.r160_in1k", "model.safetensors")]
    assert same(network.module.state_dict(), original.state_dict())


def test_without_a_network_the_remedy_is_told(store, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Unavailable, match=r"model.safetensors of timm/test_vit.r160_in1k could not.*upload the file"):
        load("timm:test_vit", {"pretrained": "r160_in1k"}, {}, [], store, CPU)


@pytest.mark.parametrize("name", ["test_vit", "swin_tiny_patch4_window7_224"])
def test_an_input_that_the_network_does_not_take_is_told(name, store):
    with pytest.raises(Invalid, match="images of 2 x 2"):
        load(f"timm:{name}", {"seed": 0}, squashed(2), [], store, CPU)


@pytest.mark.parametrize(
    ("name", "prefix", "side"),
    [
        ("test_vit", 1, 96),
        ("deit_tiny_distilled_patch16_224", 2, 96),
        ("vit_little_patch16_reg4_gap_256", 4, 96),
        ("vit_tiny_patch16_dinov3_qkvb", 5, 96),
    ],
)
def test_the_map_is_of_the_patches_alone(name, prefix, side, store):
    network = load(f"timm:{name}", {"seed": 0}, squashed(side), [], store, CPU)
    images, tokens = torch.randn(2, 3, side, side), {}
    network.module.blocks[3].register_forward_hook(lambda *hooked: tokens.update(out=hooked[-1].clone()))
    with torch.no_grad(), tap(network.module, ["blocks.3"]) as maps:
        network.module(images)
    assert network.module.num_prefix_tokens == prefix
    expected = tokens["out"][:, prefix:].unflatten(1, (6, 6)).movedim(-1, 1)
    assert torch.equal(maps["blocks.3"], expected)
    assert "blocks.3" in {layer.name for layer in list_layers(network)}
