"""What a whole job found as files: every format, and weights that compute as the network without its units."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load

from service import create_app
from tests.service.results.exporting.reading import Page, check_formats, get, read
from tests.workers.jobs.ablation import brute_force
from tests.workers.jobs.ablation.conftest import BOTH, CLASSES
from tests.workers.jobs.planted import NETWORKS

INPUT = {"resize": [24, 24]}


@pytest.fixture
def exported(zoo):
    """An ablation, and a client that takes it away."""
    zoo.done(zoo.queue_model("net", "planted:classifier", input=INPUT, classes=CLASSES))
    job = zoo.ablate("net", "evaluated", "2", ranking_dataset="ranked", sizes=[1, 3])
    app = create_app(zoo.settings)
    yield app.test_client(), job
    app.extensions["unitatlas"].engine.dispose()


def test_a_whole_job_is_taken_away(exported):
    client, job = exported
    count = {rows: len(check_formats(client, job.id, rows)) for rows in ("effects", "units", "classes", "curves")}
    units = len(job.summary["units"])
    assert count == {
        "effects": units * len(BOTH),
        "units": units,
        "classes": len(BOTH),
        "curves": len(BOTH) * (1 + 4 * 2),
    }
    assert len(check_formats(client, job.id, "matrix")) == units * len(BOTH)
    page = Page(get(client, job.id, format="html").text)
    assert len(page.all("article")) == len(BOTH)
    assert len(page.all("img")) == len(job.summary["pictures"])


def test_weights_compute_as_the_network_without_the_units(exported):
    client, job = exported
    assert job.summary["pruning"]["exact"]
    images = torch.rand(6, 3, 24, 24, generator=torch.Generator().manual_seed(3))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = NETWORKS["classifier"]().eval()
    for name in BOTH:
        ranked = [row["unit"] for row in read(client, job.id, "json") if row["class"] == name]
        reply = get(client, job.id, format="safetensors", **{"class": name, "n": "3"})
        without = NETWORKS["classifier"]().eval()
        without.load_state_dict(load(reply.data))
        with torch.no_grad():
            logits = without(images).numpy()
        expected = brute_force.logits_without(network, "2", images, ranked[:3], None)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_what_was_set_to_its_mean_has_no_such_weights(zoo, exported):
    client, _ = exported
    job = zoo.ablate("net", "evaluated", "2", ranking_dataset="ranked", sizes=[1], mode="mean")
    reply = get(client, job.id, format="safetensors", **{"class": "ant", "n": "1"})
    assert reply.status_code == 422
    assert re.search("set to their mean", reply.json["detail"])
