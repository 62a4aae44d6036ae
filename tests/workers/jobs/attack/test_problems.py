"""What cannot be attacked is refused with the reason, and borders at which an attack must not stumble."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from service.errors import Invalid
from service.results.attacks.tables import Attack as AttackRow
from tests.workers.jobs import planted, worlds
from tests.workers.jobs.attack.conftest import CW, INPUT, OUTPUTS
from tests.workers.networks.exporting import archive
from workers.analysis.attacks import registry
from workers.analysis.attacks.fgsm import FGSM
from workers.analysis.attacks.registry import Description, Parameter


class Rounding(nn.Module):
    """Its output hangs on the pixels, and its gradient is zero everywhere."""

    def __init__(self):
        super().__init__()
        self.read = nn.Conv2d(3, 6, 3)

    def forward(self, images):
        return self.read((images * 8).round() / 8).mean((2, 3))


class Choosing(Rounding):
    """Its output is whole numbers, which have no gradient."""

    def forward(self, images):
        values = self.read(images).mean((2, 3))
        return torch.where(values == values.amax(1, keepdim=True), 1.0, 0.0)


class Opposite(nn.Module):
    """Its outputs always have the same sum, as those of a softmax."""

    def __init__(self):
        super().__init__()
        self.read = nn.Conv2d(3, 3, 3)

    def forward(self, images):
        values = self.read(images).mean((2, 3))
        return torch.cat([values, -values], 1)


@pytest.fixture
def networks(monkeypatch):
    monkeypatch.setitem(planted.NETWORKS, "rounding", Rounding)
    monkeypatch.setitem(planted.NETWORKS, "choosing", Choosing)
    monkeypatch.setitem(planted.NETWORKS, "opposite", Opposite)


@pytest.mark.parametrize(
    ("network", "words"),
    [("rounding", "its pixels is zero, as behind a step that rounds"), ("choosing", "has no gradient: some step")],
)
def test_networks_without_a_gradient(zoo, networks, network, words):
    zoo.done(zoo.queue_model(network, f"planted:{network}", input=INPUT, classes=OUTPUTS))
    problem = zoo.failure(zoo.queue_attack(network, "animals"))
    assert "the network cannot be attacked: " in problem["detail"]
    assert words in problem["detail"]
    assert problem["status"] == 422
    assert problem["errors"][0]["pointer"] == "/model"
    assert zoo.count(AttackRow) == 0


def test_a_sum_that_never_changes_hides_no_gradient(zoo, networks):
    zoo.done(zoo.queue_model("opposite", "planted:opposite", input=INPUT, classes=OUTPUTS))
    [found] = zoo.attack("opposite", "animals", settings=CW, images="all", target="elk").summary["targets"]
    assert found["images"] == 16


def test_an_exported_network_without_a_gradient(zoo):
    digest = zoo.store.put(archive(Choosing().eval(), torch.zeros(2, 3, 24, 24)))
    weights = {"artifact": digest}
    zoo.done(zoo.queue_model("exported", "exported", weights=weights, input=INPUT, classes=OUTPUTS))
    problem = zoo.failure(zoo.queue_attack("exported", "animals"))
    assert "the network cannot be attacked: the network's output has no gradient" in problem["detail"]


def write_grey(folder, level):
    """Images of one grey each, of two classes."""
    for name, offset in (("a", 0), ("b", 1)):
        (folder / name).mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), level + offset, np.uint8)).save(folder / name / "0.png")


@pytest.mark.parametrize(
    ("level", "words"),
    [(250, "is infinite or no number"), (229, "is infinite or no number"), (222, "original or on its way")],
    ids=["image", "gradient", "way"],
)
def test_networks_that_put_out_no_numbers(zoo, level, words):
    write_grey(zoo.settings.import_dir / "grey", level)
    zoo.done(zoo.queue_dataset("grey", format="folder"))
    zoo.done(zoo.queue_model("broken", "planted:broken", input={"resize": [8, 8]}, classes=["a", "b", "c"]))
    settings = {"steps": 3, "step_size": 0.1, "epsilon": 0.3, "stop_at_success": False}
    given = {"method": "pgd-linf", "settings": settings, "target": "c", "images": "all"}
    problem = zoo.failure(zoo.queue_attack("broken", "grey", **given))
    assert words in problem["detail"]
    assert problem["errors"][0]["pointer"] == "/model"


def test_no_steps_change_nothing(zoo, read):
    for name, settings in (
        ("carlini-wagner-l2", CW | {"steps": 0}),
        ("pgd-l2", {"steps": 0}),
        ("fgsm", {"epsilon": 0}),
    ):
        job = zoo.attack("model", "animals", method=name, settings=settings, layer="5", target="ant")
        [found] = read(zoo, job).values()
        assert {row.outcome for row in found.images} == {"failed"}
        assert (found.figures["success_rate"], found.figures["l2"]) == (0, {"mean": None, "median": None})
        assert found.figures["layers"][0]["silencing"] is None
        assert found.figures["accuracy"]["budgets"] == [0]
        assert not found.shifts
        assert not found.adversarials


def test_a_target_without_an_image(zoo, read):
    """Every image is a dog's or taken for one."""
    worlds.write_classes(zoo.settings.import_dir / "dogs", {"dog": 3}, seed=4)
    zoo.done(zoo.queue_dataset("dogs", format="folder"))
    job = zoo.attack("model", "dogs", layer="5", target=["dog", "ant"], settings=CW)
    found = read(zoo, job)
    assert (found["dog"].images, found["dog"].figures["images"]) == ([], 0)
    assert (found["dog"].figures["success_rate"], found["dog"].figures["accuracy"]) == (None, None)
    assert found["ant"].figures["images"] == 3
    alone = zoo.attack("model", "dogs", target="dog", settings=CW)
    assert zoo.stages(alone) == ["prepare", "classify", "report"]


def test_one_image_has_no_interval(zoo, read):
    job = zoo.attack("model", "animals", layer="5", target="ant", settings=CW, max_images=1)
    [found] = read(zoo, job).values()
    assert [row.outcome for row in found.images] == ["succeeded"]
    assert all(row.mean_peak_change_low is None for row in found.shifts.values())
    assert len(found.shifts) == 12


def test_only_the_first_are_kept(zoo, read):
    job = zoo.attack("model", "animals", target="ant", settings=CW, keep=2)
    [found] = read(zoo, job).values()
    assert list(found.adversarials) == [0, 1]
    assert len(found.images) > 2
    assert job.summary["layers"] == []
    assert list(job.summary["pictures"]) == ["accuracy"]


UNKNOWN = {"method": "magic"}, "/method", "the attacks are carlini-wagner-l2, deepfool-l2, fgsm, others-"
TARGETED = {"method": "others-own", "target": "ant"}, "/target", "others-own leaves a class"
SETTING = {"method": "others-own", "settings": {"power": 3}}, "/settings/power", "power is 3; it goes from 0 to 1"
STRANGE = {"method": "others-own", "settings": {"color": 3}}, "/settings/color", "its parameters are power"


def by_power(power):
    return FGSM(power)


class OtherPackage(list):
    names = {"others-own"}  # noqa: RUF012

    def __getitem__(self, name):
        return self

    def load(self):
        return Description("linf", False, {"power": Parameter(0.5, 0, 1)}, by_power)


@pytest.mark.parametrize(("given", "pointer", "words"), [UNKNOWN, TARGETED, SETTING, STRANGE])
def test_attacks_of_other_packages_are_checked_by_workers(zoo, monkeypatch, given, pointer, words):
    monkeypatch.setattr(registry, "entry_points", lambda group: OtherPackage())
    problem = zoo.failure(zoo.queue_attack("model", "animals", **given))
    assert words in problem["detail"]
    assert problem["errors"][0]["pointer"] == pointer


def test_an_attack_of_another_package(zoo, read, monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: OtherPackage())
    theirs, ours = (
        zoo.attack("model", "animals", method=method, settings=settings)
        for method, settings in (("others-own", {"power": 0.1}), ("fgsm", {"epsilon": 0.1}))
    )
    assert theirs.params["settings"] == {"power": 0.1}
    assert theirs.summary["targets"] == ours.summary["targets"]
    assert ours.summary["targets"][0]["success_rate"] > 0


def test_a_model_that_is_gone_cannot_be_shown_images(zoo):
    with pytest.raises(Invalid, match="no model is named 'modl'; did you mean 'model'"):
        zoo.queue_attack("model", "animals", transfer=["modl"])
