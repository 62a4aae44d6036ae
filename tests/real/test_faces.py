"""A DCGAN of faces, published as an archive, dissected by the colours of what it draws."""

import numpy as np
import pytest
import torch

from tests.workers.jobs import brute_force
from tests.workers.jobs.conftest import Driver
from workers.networks.network import load
from workers.networks.tails.resuming import open_halves
from workers.probes.colors import COLORS, color_map

GIVEN = {"latent": [100, 1, 1], "range": [-1, 1]}
LAYERS = ["main.8", "main.11"]
COUNT, SIDE = 60, 64

pytestmark = pytest.mark.real


@pytest.fixture
def faces(sqlite_settings, samples):
    driver = Driver(sqlite_settings)
    weights = {"artifact": driver.store.put(samples / "nets" / "dcgan_faces64.pt2")}
    driver.done(driver.queue_model("faces", "exported", kind="generator", weights=weights, input=GIVEN))
    yield driver, load("exported", weights, GIVEN, [], driver.store, torch.device("cpu"), kind="generator")
    driver.engine.dispose()


def test_layers_are_dissected_by_the_colours_of_the_faces(faces):
    driver, network = faces
    job = driver.dissect("faces", None, LAYERS, latents={"seed": 1, "count": COUNT}, segmentation="colors")
    values = np.random.RandomState(1).standard_normal(COUNT * 100).astype(np.float32).reshape(COUNT, 100, 1, 1)
    latents = torch.from_numpy(values)
    with torch.no_grad():
        outputs = torch.cat([network.module(batch) for batch in latents.split(16)]).double().numpy()
    pixels = np.floor(outputs * 127.5 + 128).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    colors = np.stack([color_map(picture) for picture in pixels])
    carriers = {("color", name): colors == number for number, name in enumerate(COLORS)}
    for layer, found in driver.found(job).items():
        oracle = brute_force.dissect(brute_force.layer_maps(network.module, layer, latents), carriers, SIDE, "zero")
        np.testing.assert_allclose(found.thresholds, oracle.thresholds, rtol=1e-4, atol=1e-6)
        clear = np.flatnonzero(oracle.clear & oracle.alive)
        assert len(clear) > 20
        np.testing.assert_allclose(found.iou[clear], oracle.iou[clear], rtol=0, atol=2e-4)
        assert sum(found.detectors) > len(found.detectors) / 4
    assert job.summary["images"] == COUNT


def test_a_channel_set_to_nothing_changes_the_faces_as_in_the_whole_network(faces):
    _, network = faces
    latents = network.latent.draw(1, 0, 8)
    halves = open_halves(network, "main.8", 2**28)
    assert halves.cut
    kept = halves.front(latents)
    maps = halves.maps(kept).clone()
    maps[:, :8] = 0

    def silence(_module, _inputs, output):
        output = output.clone()
        output[:, :8] = 0
        return output

    hook = network.module.get_submodule("main.8").register_forward_hook(silence)
    with torch.no_grad():
        expected = network.module(latents)
    hook.remove()
    assert torch.allclose(halves.back(kept, maps), expected, rtol=0, atol=1e-5)
    assert (expected - halves.back(kept, halves.maps(kept))).abs().max() > 0.05
