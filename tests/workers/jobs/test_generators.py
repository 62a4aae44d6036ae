"""Dissections of generators: a planted one whose figures are known by hand, a random one against brute force."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from service import create_app
from tests.workers.jobs import brute_force
from tests.workers.jobs.test_sharding import small_shards
from workers.networks.progressive_gan import ProgressiveGenerator
from workers.networks.sources import SOURCES

RED, GREEN, BLUE, BLACK = (("color", name) for name in ("red", "green", "blue", "black"))
LATENTS = {"seed": 7, "first": 0, "count": 100}
SIZES, SIDE, GRID = [6, 10, 8, 6], 16, 8
OUTPUTS = [None, ("object", "sky"), ("object", "sea"), ("material", "sand")]


class Hues(nn.Module):
    """Tells pixels apart by which of their colours is the strongest."""

    def forward(self, images: Tensor) -> Tensor:
        red, green, blue = images.unbind(1)
        return torch.stack([0 * red, blue - green, green - blue, red - 0.5], 1)


@dataclass
class Source:
    kind: str = "segmenter"
    input: dict[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()
    concepts: Sequence[tuple[str, str] | None] = ()

    def build(self, size: object, state: object) -> nn.Module:
        return Hues()


@pytest.fixture
def hues(driver, monkeypatch):
    monkeypatch.setitem(SOURCES, "hues", lambda name, pretrained: Source())
    concepts = [output and {"category": output[0], "name": output[1]} for output in OUTPUTS]
    driver.done(driver.queue_model("hues", "hues:x", kind="segmenter", input={"resize": [SIDE] * 2}, concepts=concepts))
    return driver


@pytest.fixture
def drawer(driver):
    given = {"latent": [4], "range": [0, 1]}
    driver.done(driver.queue_model("drawer", "planted:drawer", kind="generator", input=given))
    return driver


def drawn(latents: dict[str, int], length: int) -> np.ndarray:
    """Latents (n, d) as numpy draws them in one go."""
    last = latents["first"] + latents["count"]
    values = np.random.RandomState(latents["seed"]).standard_normal(last * length)
    return values.astype(np.float32).reshape(last, length)[latents["first"] :]


def generator() -> ProgressiveGenerator:
    torch.manual_seed(3)
    network = ProgressiveGenerator(SIDE, SIZES)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".b"):
                parameter.normal_(0, 0.3)
    return network.eval()


@pytest.fixture
def progressive(hues, tmp_path):
    save_file(generator().state_dict(), tmp_path / "gan")
    weights = {"artifact": hues.store.put(tmp_path / "gan")}
    hues.done(hues.queue_model("gan", "progressive-gan", kind="generator", weights=weights))
    return hues


def test_planted_units_have_the_figures_that_were_planted(drawer):
    found, summary = dissect_planted(drawer, LATENTS)
    on = drawn(LATENTS, 4) > 0
    reds, dots, greens = (int(count) for count in on.sum(0)[:3])
    red = 4 * reds + dots
    assert found.areas.tolist() == [4 * reds, dots, 2 * greens, 400, 0, 0]
    assert found.labels == [
        RED,
        RED,
        GREEN,
        max((BLUE, RED), key=lambda c: 100 - reds if c == BLUE else reds),
        None,
        None,
    ]
    assert found.pairs[0, RED] == (1, 4 * reds, red)
    assert found.pairs[1, RED] == (1, dots, red)
    assert found.pairs[2, GREEN] == (1, 2 * greens, 2 * greens)
    assert found.pairs[3, BLUE][1:] == (400 - 4 * reds, 400)
    assert found.pairs[3, RED][1:] == (4 * reds, 400 + dots)
    assert found.thresholds.tolist() == [0, 0, 0, 0, 0, 1]
    assert found.peaks.tolist() == [1, 1, 1, 1, 0, 1]
    assert summary["images"] == 100


def test_planted_units_tell_where_their_objects_are(drawer):
    found, _ = dissect_planted(drawer, LATENTS)
    on = drawn(LATENTS, 4) > 0
    assert found.scores[2, GREEN]["auroc"] == found.scores[2, GREEN]["balanced_accuracy"] == 1
    shown, hidden = on[:, 0] | on[:, 1], ~(on[:, 0] | on[:, 1])
    recall = on[shown, 0].mean()
    assert found.scores[0, RED]["auroc"] == pytest.approx(recall + (1 - recall) / 2)
    assert sum(found.histograms[0]["with"]) == shown.sum()
    assert sum(found.histograms[0]["without"]) == hidden.sum()


def test_top_images_are_named_by_seed_and_latent(drawer):
    stretch = {"seed": 7, "first": 30, "count": 70}
    found, _ = dissect_planted(drawer, stretch)
    first = np.flatnonzero(drawn(stretch, 4)[:, 1] > 0)[:5] + 30
    assert found.top_images[1] == [(f"seed 7 latent {latent:06}", 1.0) for latent in first]
    assert found.pictures[1] is not None
    assert found.pictures[4] is None


def dissect_planted(driver, latents):
    job = driver.dissect("drawer", None, ["0"], latents=latents, grid=4, quantile=0.3, segmentation="colors")
    return driver.found(job)["0"], job.summary


def pictures_of(network: nn.Module, latents: np.ndarray) -> np.ndarray:
    """What the generator draws, (n, H, W, 3), rounded half up."""
    with torch.no_grad():
        values = np.concatenate([network(batch).numpy() for batch in torch.from_numpy(latents).split(16)])
    levels = np.floor((values.astype(np.float64) + 1) * 127.5 + 0.5).clip(0, 255).astype(np.uint8)
    return levels.transpose(0, 2, 3, 1)


def carriers_of(pictures: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """Where the segmenter sees each of its concepts, by the pixel under each cell's centre."""
    red, green, blue = np.moveaxis(pictures * np.float32(1 / 255), -1, 0)
    scores = np.stack([0 * red, blue - green, green - blue, red - np.float32(0.5)])
    best = {
        category: np.array([0, *(k for k, o in enumerate(OUTPUTS) if o and o[0] == category)])
        for category in ("object", "material")
    }
    seen = {category: outputs[scores[outputs].argmax(0)] for category, outputs in best.items()}
    places = [(2 * cell + 1) * SIDE // (2 * GRID) for cell in range(GRID)]
    return {
        output: seen[output[0]][:, places][:, :, places] == number for number, output in enumerate(OUTPUTS) if output
    }


@pytest.mark.parametrize("first", [0, 17])
def test_a_random_generator_has_the_figures_of_the_brute_force(progressive, first):
    latents = {"seed": 5, "first": first, "count": 90}
    job = progressive.dissect("gan", None, ["layer3", "layer6"], latents=latents, grid=GRID, segmentation="model:hues")
    assert progressive.stages(job)[:3] == ["prepare", "collect", "measure"]
    network, inputs = generator(), drawn(latents, SIZES[0])
    carriers = carriers_of(pictures_of(network, inputs))
    for layer, found in progressive.found(job).items():
        maps = brute_force.layer_maps(network, layer, torch.from_numpy(inputs))
        oracle = brute_force.dissect(maps, carriers, GRID, "zero")
        np.testing.assert_allclose(found.thresholds, oracle.thresholds, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.peaks, oracle.peaks.max(0), rtol=1e-5)
        clear = np.flatnonzero(oracle.clear & oracle.alive)
        assert len(clear) > 4
        assert (found.areas[clear] == oracle.areas[clear]).all()
        np.testing.assert_allclose(found.iou[clear], oracle.iou[clear], rtol=1e-6)
        labels = oracle.labels(list(carriers))
        assert [found.labels[unit] for unit in clear] == [labels[unit] for unit in clear]
        order = np.argsort(-oracle.peaks[:, clear[0]], kind="stable")[:5]
        assert [name for name, _ in found.top_images[clear[0]]] == [f"seed 5 latent {first + k:06}" for k in order]


def test_an_object_is_there_where_it_has_more_than_a_twentieth_of_the_pixels(progressive):
    job = progressive.dissect("gan", None, ["layer6"], latents=LATENTS, grid=GRID, segmentation="model:hues")
    carriers = carriers_of(pictures_of(generator(), drawn(LATENTS, SIZES[0])))
    found = progressive.found(job)["layer6"]
    shares = {concept: where.mean((1, 2)) for concept, where in carriers.items()}
    assert any(((share > 0) & (share <= 0.05)).any() for share in shares.values())
    for unit, label in enumerate(found.labels):
        if label:
            assert sum(found.histograms[unit]["with"]) == (shares[label] > 0.05).sum()


def test_figures_do_not_depend_on_who_works(progressive, monkeypatch):
    params = {"latents": LATENTS, "grid": GRID, "segmentation": ["model:hues", "colors"], "halves": True}
    params |= {"controls": ["permutation", "rotation", "untrained"]}
    once = progressive.dissect("gan", None, ["layer2", "layer5"], **params)
    small_shards(monkeypatch)
    again = progressive.dissect("gan", None, ["layer2", "layer5"], workers=3, reuse=False, **params)
    assert again.id != once.id
    assert once.summary["layers"][0]["controls"].keys() == {"permutation", "rotation", "untrained"}
    for layer, found in progressive.found(once).items():
        np.testing.assert_allclose(progressive.found(again)[layer].iou, found.iou, rtol=1e-6)


@pytest.fixture
def answering(drawer):
    """Two dissections of a planted generator, and a client that asks about them."""
    params = {"grid": 4, "quantile": 0.3, "segmentation": "colors"}
    jobs = [drawer.dissect("drawer", None, ["0"], latents=LATENTS | {"seed": seed}, **params) for seed in (8, 7)]
    app = create_app(drawer.settings)
    yield app.test_client(), jobs
    app.extensions["unitatlas"].engine.dispose()


def test_every_question_about_a_dissection_is_answered(answering):
    client, (first, second) = answering
    described = client.get(f"/v1/jobs/{second.id}").json
    assert (described["dataset"], described["params"]["latents"]) == (None, LATENTS)
    greens = client.get("/v1/units?model=drawer&concept=green").json["data"]
    assert (greens[0]["unit"], greens[0]["match"]["iou"]) == (2, 1.0)
    assert len(client.get(f"/v1/units?job={first.id}").json["data"]) == 6
    unit = client.get("/v1/models/drawer/layers/0/units/2").json
    top = unit["top_images"][0]
    latent = int(np.flatnonzero(drawn(LATENTS, 4)[:, 2] > 0)[0])
    assert top["image"] == f"seed 7 latent {latent:06}"
    digest = client.get("/v1/models/drawer").json["digest"]
    assert top["digest"] == hashlib.sha256(f"{digest}/7/{latent}".encode()).hexdigest()
    image = client.get(f"/v1/images/{top['digest']}")
    assert image.status_code == 200
    assert {peak["unit"] for peak in image.json["top_units"]} >= {2}
    assert image.json["names"] == [top["image"]]
    assert client.get(f"/v1/jobs/{second.id}/summary").json["images"] == 100
    diff = client.get(f"/v1/jobs/{first.id}/diff/{second.id}")
    assert diff.status_code == 200
    assert client.get(f"/v1/jobs/{first.id}/diff/{second.id}/units").status_code == 200
    (concept,) = client.get("/v1/concepts?q=green").json["data"]
    assert (concept["category"], concept["name"]) == ("color", "green")


@pytest.mark.parametrize("format", ["csv", "json", "parquet", "html"])
def test_a_dissection_is_taken_away(answering, format):
    client, (_, job) = answering
    reply = client.get(f"/v1/jobs/{job.id}/export?format={format}")
    assert reply.status_code == 200
    if format == "html":
        assert " on None" not in reply.text
        assert "seed 7 latent" in reply.text or "drawer" in reply.text
