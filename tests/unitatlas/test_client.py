"""The client against the real application."""

import hashlib
from pathlib import Path

import pytest

from tests.unitatlas.conftest import LAYERS
from unitatlas import Client, Job, JobFailed, Problem, ServiceUnreachable


def test_models_and_layers(client: Client, dissected: Job) -> None:
    model = client.model("net")
    assert (model.kind, model.source, model.weights) == ("classifier", "torchvision:squeezenet1_1", {"seed": 0})
    assert "net" in [m.name for m in client.models()]  # another test may have registered more
    layers = {layer.name: layer for layer in client.layers("net")}
    assert model.layers == len(layers)
    assert (layers["features.12"].units, layers["features.12"].height) == (512, 3)
    assert [c.index for c in client.classes(model="net")] == list(range(1000))


def test_datasets_and_concepts(client: Client, dissected: Job) -> None:
    dataset = client.dataset("horizons")
    assert (dataset.format, dataset.images, dataset.grid, dataset.concepts) == ("masks", 16, 16, {"object": 2})
    assert "horizons" in [d.name for d in client.datasets()]
    assert [c.name for c in client.concepts(category="object")] == ["ground", "sky"]


def test_a_dissection_and_its_summary(dissected: Job) -> None:
    assert dissected.finished
    assert dissected.error is None
    summary = dissected.summary()
    assert [(layer["layer"], layer["units"]) for layer in summary["layers"]] == list(
        zip(LAYERS, [128, 512], strict=True)
    )
    types = [event["type"] for event in dissected.events()]
    assert (types[0], types[-1]) == ("queued", "succeeded")


def test_the_same_work_is_done_once(client: Client, dissected: Job) -> None:
    again = client.dissect("net", "horizons", LAYERS, segmentation=["masks", "colors"])
    assert (again.id, again.state) == (dissected.id, "succeeded")
    assert dissected.id in [job.id for job in client.jobs(kind="dissection")]
    assert client.job(dissected.id).wait().state == "succeeded"


def test_units_come_page_by_page(client: Client, dissected: Job) -> None:
    units = [*client.units(job=dissected.id, limit=200)]
    assert len({(unit.layer, unit.unit) for unit in units}) == 128 + 512
    ious = [unit.label.iou if unit.label else 0.0 for unit in units]
    assert ious == sorted(ious, reverse=True)
    assert [unit.raw for unit in dissected.units(limit=7)] == [unit.raw for unit in units]


def test_units_of_a_concept(client: Client, dissected: Job) -> None:
    skies = [*client.units(concept="sky", category="object", min_iou=0.01, job=dissected.id)]
    assert skies
    assert {unit.match.concept for unit in skies if unit.match} == {"sky"}
    assert all(unit.match is not None and unit.match.iou >= 0.01 for unit in skies)
    assert [*client.units(concept="sky", detectors=True, job=dissected.id)] == [
        u for u in skies if u.match and u.match.iou > 0.04
    ]


def test_one_unit_and_its_picture(client: Client, dissected: Job, tmp_path: Path) -> None:
    best = next(dissected.units())
    unit = client.unit(best.model, best.layer, best.unit, job=dissected.id)
    assert unit.label == best.label
    assert [label.rank for label in unit.labels] == list(range(1, len(unit.labels) + 1))
    assert unit.labels[0].iou == unit.labels[0].intersection / unit.labels[0].union
    assert len(unit.top_images) == 5
    digest = best.links["picture"].rsplit("/", 1)[-1]
    picture = client.download(digest, tmp_path / "unit.jpg")
    assert hashlib.sha256(picture.read_bytes()).hexdigest() == digest


def test_an_estimate(client: Client, dissected: Job) -> None:
    estimate = client.estimate("dissection", "net", "horizons", layers=LAYERS)
    assert estimate.forward_passes == 16
    assert estimate.shards > 0
    assert estimate.scratch_bytes > 0


def test_what_is_refused_says_where(client: Client, dissected: Job) -> None:
    with pytest.raises(Problem) as caught:
        client.dissect("net", "horizons", ["features.99"])
    assert caught.value.status == 422
    assert caught.value.errors[0]["pointer"] == "/layers/0"
    assert str(caught.value).count(caught.value.errors[0]["detail"]) == 1
    with pytest.raises(Problem) as caught:
        client.model("../models")
    assert caught.value.status == 404


def test_a_registration_that_fails_leaves_its_problem(client: Client) -> None:
    with pytest.raises(Problem, match="resnet") as caught:
        client.register_model("broken", "torchvision:resnet17")
    assert caught.value.status == 422
    with pytest.raises(Problem):
        client.model("broken")


def test_a_job_that_does_not_succeed_raises(idle_url: str) -> None:
    with Client(idle_url, key="") as client:
        job = Job(
            client._transport, client._transport.post("/v1/models", {"name": "m", "source": "torchvision:vgg11"}).json()
        )
        assert (job.kind, job.state) == ("registration", "queued")
        with pytest.raises(TimeoutError, match="registration queued"):
            job.wait(timeout=0.3)
        assert job.cancel().finished
        with pytest.raises(JobFailed, match=f"job {job.id} canceled") as caught:
            job.wait()
    assert (caught.value.state, caught.value.problem) == ("canceled", None)
    assert "registration canceled" in repr(job)


def test_readiness(client: Client, idle_url: str) -> None:
    assert not Client(idle_url, key="").ready()
    assert not Client("http://127.0.0.1:9", key="").ready()


def test_a_download_that_is_refused(client: Client, tmp_path: Path) -> None:
    with pytest.raises(Problem) as caught:
        client.download("0" * 64, tmp_path / "copy")
    assert caught.value.status == 404
    with pytest.raises(ServiceUnreachable):
        Client("http://127.0.0.1:9", key="").download("0" * 64, tmp_path / "copy")
