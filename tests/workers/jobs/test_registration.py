"""Registrations: what they write, and that one which fails leaves nothing but its problem."""

import re

import pytest
import sqlalchemy as sa
import torch
from safetensors.torch import save_file
from torchvision import models

from service.artifacts.tables import Artifact, ArtifactOwner
from service.catalog.tables import Class, Concept, Dataset, DatasetConcept, Layer, Model
from service.results.tables import LayerDissection
from tests.workers.jobs import worlds

SMALL = {"resize": [32, 32], "crop": None}


def files(driver):
    return {path for path in driver.settings.artifact_dir.rglob("*") if path.is_file()}


def assert_nothing_left(driver, files_before=frozenset()):
    for table in (Model, Layer, Class, Dataset, DatasetConcept, Concept, Artifact, ArtifactOwner):
        assert driver.count(table) == 0
    assert files(driver) == files_before


def stored(driver, state, tmp_path, save=save_file):
    save(state, tmp_path / "state")
    return {"artifact": driver.store.put(tmp_path / "state")}


def write(driver):
    worlds.noise(9).write(driver.settings.import_dir / "world")
    return driver.settings.import_dir / "world"


def test_a_model_is_written_with_its_layers_and_classes(driver_on_each):
    names = [f"class {n}" for n in range(24)]
    job = driver_on_each.done(driver_on_each.queue_model("vgg", "planted:vgg", input=SMALL, classes=names))
    assert job.summary == {"model": "vgg", "layers": 8, "classes": 24}
    with driver_on_each.sessions() as session:
        model = session.scalars(sa.select(Model)).one()
        layers = session.execute(sa.select(Layer.name, Layer.units, Layer.height, Layer.width).order_by(Layer.position))
        assert [tuple(row) for row in layers] == [
            ("0", 8, 32, 32),
            ("1", 8, 32, 32),
            ("2", 8, 16, 16),
            ("3", 16, 16, 16),
            ("4", 16, 16, 16),
            ("5", 16, 8, 8),
            ("6", 24, 8, 8),
            ("7", 24, 8, 8),
        ]
        assert list(session.scalars(sa.select(Class.name).order_by(Class.index))) == names
    assert (model.kind, model.source, model.weights) == ("classifier", "planted:vgg", {"seed": 0})
    assert model.forward_seconds > 0


def test_a_dataset_is_written_with_its_concepts_and_its_manifest(driver_on_each):
    write(driver_on_each)
    job = driver_on_each.done(driver_on_each.queue_dataset("world"))
    assert job.summary == {"dataset": "world", "images": 9, "concepts": 5}
    with driver_on_each.sessions() as session:
        dataset = session.scalars(sa.select(Dataset)).one()
        concepts = session.execute(
            sa.select(Concept.category, Concept.name)
            .join(DatasetConcept, DatasetConcept.concept_id == Concept.id)
            .order_by(DatasetConcept.position)
        )
        assert [tuple(row) for row in concepts] == worlds.noise(1).concepts
        owner = session.scalars(sa.select(ArtifactOwner)).one()
    assert (dataset.images, owner.digest, owner.team_id) == (9, dataset.manifest, driver_on_each.team_id)


def test_the_same_registration_twice_is_one_job(driver):
    first = driver.queue_model("vgg", "planted:vgg", input=SMALL)
    assert driver.queue_model("vgg", "planted:vgg", input=SMALL) == first
    driver.done(first)
    assert driver.queue_model("vgg", "planted:vgg", input=SMALL) == first


@pytest.mark.parametrize(
    ("source", "given", "pointer", "match"),
    [
        ("nowhere:vgg", {}, "/source", "there is no source 'nowhere'"),
        ("torchvision:resnet81", {}, "/source", "near it are .*resnet18"),
        ("torchvision:resnet18", {"weights": {"artifact": "ab" * 32}}, "/weights/artifact", "upload the file first"),
        ("torchvision:resnet18", {"weights": {"pretrained": "V9"}}, "/weights/pretrained", "no weights 'V9'"),
        ("planted:vgg", {"classes": ["one"]}, "/classes", "1 classes are named, the network has 24 outputs"),
        ("planted:vgg", {"input": {"resize": 32}}, "/input/crop", "give crop"),
        ("planted:vgg", {"input": {"resize": [2, 2]}}, "/input", "does not take images of 2 x 2"),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_with_what_is_wrong(driver, source, given, pointer, match):
    problem = driver.failure(driver.queue_model("broken", source, **{"input": SMALL} | given))
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == pointer
    assert re.search(match, problem["detail"])
    assert_nothing_left(driver)


def test_weights_that_do_not_fit_name_the_keys(driver, tmp_path):
    state = models.resnet18(weights=None).state_dict()
    state["layer9.weight"] = state.pop("layer1.0.conv1.weight")
    weights = stored(driver, {key: value.contiguous() for key, value in state.items()}, tmp_path)
    before = files(driver)
    problem = driver.failure(driver.queue_model("r", "torchvision:resnet18", weights=weights, input=SMALL))
    assert problem["errors"][0]["pointer"].startswith("/weights")
    assert "layer1.0.conv1.weight" in problem["detail"]
    assert "layer9.weight" in problem["detail"]
    assert_nothing_left(driver, before)


class Bomb:
    def __reduce__(self):
        return (print, ("code ran",))


def test_pickled_code_is_refused_and_does_not_run(driver, tmp_path, capfd):
    weights = stored(driver, {"weight": Bomb()}, tmp_path, torch.save)
    before = files(driver)
    problem = driver.failure(driver.queue_model("r", "torchvision:resnet18", weights=weights, input=SMALL))
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"].startswith("/weights")
    assert "code ran" not in capfd.readouterr().out
    assert_nothing_left(driver, before)


def test_of_two_registrations_of_one_name_the_later_is_a_conflict(driver_on_each):
    one = driver_on_each.queue_model("same", "planted:vgg", input=SMALL)
    other = driver_on_each.queue_model("same", "planted:colors", input=SMALL)
    driver_on_each.run(2)
    jobs = {driver_on_each.job(job_id).state: driver_on_each.job(job_id) for job_id in (one, other)}
    assert set(jobs) == {"succeeded", "failed"}
    problem = jobs["failed"].error
    assert (problem["status"], problem["errors"][0]["pointer"]) == (409, "/name")
    assert driver_on_each.count(Model) == 1
    with driver_on_each.sessions() as session:
        assert session.scalars(sa.select(Model.source)).one() == jobs["succeeded"].params["source"]


def test_of_two_datasets_of_one_name_the_later_is_a_conflict(driver_on_each):
    write(driver_on_each)
    one = driver_on_each.queue_dataset("same", location={"path": "world"})
    other = driver_on_each.queue_dataset("same", location={"path": "world"}, grid=7)
    driver_on_each.run(2)
    states = sorted(driver_on_each.job(job_id).state for job_id in (one, other))
    assert states == ["failed", "succeeded"]
    assert driver_on_each.count(Dataset) == 1


def spoil_concepts(folder):
    (folder / "concepts.csv").write_text("category,number,name\nobject,1,tree\npart,1,leaf\npart,2,roof\n")


def spoil_image(folder):
    data = (folder / "images" / "003.png").read_bytes()
    (folder / "images" / "003.png").write_bytes(data[: len(data) // 2])


def spoil_mask(folder):
    (folder / "masks" / "part" / "005.png").write_bytes(b"no picture")


def spoil_names(folder):
    (folder / "masks" / "part" / "005.png").rename(folder / "masks" / "part" / "other.png")


def spoil_all(folder):
    (folder / "concepts.csv").unlink()


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (spoil_concepts, r"masks/object/\d+.png has numbers that stand for no concept: 2"),
        (spoil_image, "images/003.png .*truncated"),
        (spoil_mask, "masks/part/005.png holds no PNG image"),
        (spoil_names, "masks/part/other.png belongs to no image"),
        (spoil_all, "concepts.csv is missing"),
    ],
)
def test_a_dataset_with_faults_fails_naming_the_file(driver, spoil, match):
    spoil(write(driver))
    problem = driver.failure(driver.queue_dataset("world"))
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"].startswith("/location")
    assert re.search(match, problem["detail"])
    assert_nothing_left(driver)


def test_after_the_fault_is_mended_the_retry_registers(driver):
    folder = write(driver)
    spoil_image(folder)
    job_id = driver.queue_dataset("world")
    driver.failure(job_id)
    for path in folder.rglob("003.png"):
        path.unlink()
    driver.retry(job_id)
    driver.done(job_id)
    with driver.sessions() as session:
        assert session.scalars(sa.select(Dataset.images)).one() == 8


def test_images_that_changed_after_the_registration_fail_the_job_and_name_the_file(driver):
    folder = write(driver)
    driver.queue_dataset("world")
    driver.queue_model("model", "planted:vgg", input=SMALL)
    driver.run()
    (folder / "images" / "004.png").write_bytes((folder / "images" / "005.png").read_bytes())
    problem = driver.failure(driver.queue_dissection("model", "world", ["7"], grid=8))
    assert problem["status"] == 409
    assert "004.png" in problem["detail"]
    assert driver.count(LayerDissection) == 0
