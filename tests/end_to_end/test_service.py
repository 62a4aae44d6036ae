"""Whatever is killed, emptied or cut off while a job runs: it ends with the figures of a run that nobody disturbed."""

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from service.database import make_engine
from service.results.tables import LayerDissection, Unit
from tests.end_to_end.conftest import PATIENCE, Service, wait_until
from tests.workers.jobs import worlds
from unitatlas.errors import Problem
from unitatlas.jobs import Job

LAYERS = ["layer1", "layer2.0.relu"]
UNITS = 64 + 128
IMAGES = 292


def register(service: Service) -> None:
    worlds.noise(IMAGES, 32, 32).write(service.settings.import_dir / "world")
    service.client.register_dataset("world", "masks", {"path": "world"}, grid=12)
    model = {"weights": {"seed": 0}, "input": {"resize": [32, 32], "crop": None}}
    service.client.register_model("resnet", "torchvision:resnet18", **model)


def dissect(service: Service) -> Job:
    return service.client.dissect("resnet", "world", LAYERS, top_images=2, reuse=False)


def figures(job: Job) -> dict[str, Any]:
    """All that a client sees of what a job found, down to the bytes of the pictures."""
    units = {
        (unit.layer, unit.unit): (unit.threshold, unit.label, unit.links.get("picture"))
        for unit in job.units(limit=200)
    }
    assert len(units) == UNITS
    return {"summary": job.summary(), "units": units}


def wait_for_stage(job: Job, stage: str) -> None:
    wait_until(lambda: job.refresh().progress["stage"] == stage and job.progress["done"] > 0, f"{job} in {stage}")
    assert job.state == "running"


def is_up(service: Service) -> None:
    wait_until(service.client.ready, "API, database, broker and a worker are there")


def assert_nothing_is_twice(service: Service, jobs: int) -> None:
    engine = make_engine(service.settings)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(LayerDissection.job_id, LayerDissection.layer_id)).tuples().all()
        units = connection.scalar(sa.select(sa.func.count()).select_from(Unit))
    engine.dispose()
    assert len(rows) == len(set(rows)) == jobs * len(LAYERS)
    assert set(Counter(job_id for job_id, _ in rows).values()) == {len(LAYERS)}
    assert units == jobs * UNITS


def kill_worker(service: Service) -> None:
    service.kill("worker")
    service.start("worker")


def kill_api(service: Service) -> None:
    service.kill("api")
    service.start("api")


def kill_all(service: Service) -> None:
    service.kill("worker", "api", "relay")
    service.start("api", "relay", "worker")


def cut_off(service: Service) -> None:
    """Lose every hint, and every connection to the database, while they are used."""
    for _ in range(3):
        service.empty_broker()
        service.drop_connections()


# each job is hit in these stages
DISTURBANCES = [
    {"collect": kill_worker, "measure": cut_off},
    {"collect": cut_off, "measure": kill_api},
    {"collect": kill_all},
]


def test_a_disturbed_job_ends_with_the_figures_of_an_undisturbed_one(service):
    is_up(service)
    register(service)
    expected = figures(dissect(service).wait(PATIENCE))
    for disturbances in DISTURBANCES:
        job = dissect(service)
        for stage, disturb in disturbances.items():
            wait_for_stage(job, stage)
            disturb(service)
            is_up(service)
        assert figures(job.wait(PATIENCE)) == expected
    assert_nothing_is_twice(service, jobs=1 + len(DISTURBANCES))


def test_bad_input_is_told_at_once_and_leaves_nothing(service):
    is_up(service)
    folder = service.settings.import_dir / "world"
    worlds.noise(4, 32, 32).write(folder)
    (folder / "images" / "002.png").write_bytes(b"no picture")
    with pytest.raises(Problem, match=r"images/002\.png"):
        service.client.register_dataset("world", "masks", {"path": "world"})
    with pytest.raises(Problem, match="resnet18"):
        service.client.register_model("model", "torchvision:resnet81", weights={"seed": 0})
    assert list(service.client.datasets()) == list(service.client.models()) == []
