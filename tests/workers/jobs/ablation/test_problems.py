"""What cannot be ablated is refused with what would do."""

import shutil

import pytest

from service.errors import Invalid
from service.results.effects.tables import LayerAblation
from tests.workers.jobs import worlds
from tests.workers.jobs.ablation.conftest import CLASSES


@pytest.fixture
def ready(zoo):
    zoo.done(zoo.queue_model("model", "planted:classifier", input={"resize": [24, 24]}, classes=CLASSES))
    return zoo


@pytest.mark.parametrize(
    ("params", "pointer", "words"),
    [
        ({"units": [0, 12]}, "/units/1", "units 0 to 11"),
        ({"sizes": [1, 13]}, "/sizes/1", "13 of them cannot be removed"),
        ({"units": [1, 2], "sizes": [3]}, "/sizes/0", "there are 2 units"),
        ({"classes": ["ant", "anf"]}, "/classes/1", "did you mean 'ant'"),
        ({"classes": ["cat"]}, "/classes/0", "no image of class 'cat'"),
        ({"layer": "conv9"}, "/layer", "has no layer 'conv9'"),
        ({"ranking_dataset": "evaluated"}, "/ranking_dataset", "splits the images"),
        ({"ranking_dataset": "rankd"}, "/ranking_dataset", "did you mean 'ranked'"),
        ({"dissection": "01936f3e-0000-7000-8000-000000000000"}, "/dissection", "has dissected layer '5'"),
    ],
)
def test_what_is_known_is_refused_at_once(ready, params, pointer, words):
    with pytest.raises(Invalid, match=words) as caught:
        ready.queue_ablation("model", "evaluated", **({"layer": "5", "ranking_dataset": "ranked"} | params))
    assert caught.value.errors[0]["pointer"] == pointer


def test_scratch_space_that_is_not_there_is_told_with_what_would_fit(ready):
    from service.jobs.ablation import check_ablation
    from service.jobs.requests import JobRequestSchema

    body = {"kind": "ablation", "model": "model", "dataset": "evaluated", "layer": "2"}
    with ready.sessions() as session, pytest.raises(Invalid, match=r'"max_images": \d+ would fit') as caught:
        check_ablation(session, ready.team_id, JobRequestSchema().load(body), 100_000)
    assert caught.value.errors[0]["pointer"] == "/max_images"


def test_a_class_that_the_model_lacks(ready):
    worlds.write_classes(ready.settings.import_dir / "apes", {"ant": 2, "ape": 2})
    ready.done(ready.queue_dataset("apes", format="folder"))
    with pytest.raises(Invalid, match="lacks classes of 'apes': 'ape'"):
        ready.queue_ablation("model", "apes", "5")


def test_images_without_classes(ready):
    worlds.noise(4).write(ready.settings.import_dir / "noise")
    ready.done(ready.queue_dataset("noise"))
    with pytest.raises(Invalid, match="have no classes"):
        ready.queue_ablation("model", "noise", "5")


def test_images_that_rank_and_evaluate(ready):
    worlds.write_classes(ready.settings.import_dir / "both", {"ant": 3, "dog": 3}, seed=5)
    twin = ready.settings.import_dir / "evaluated" / "ant" / "002.png"
    shutil.copy(twin, ready.settings.import_dir / "both" / "dog" / "twin.png")
    ready.done(ready.queue_dataset("both", format="folder"))
    problem = ready.failure(ready.queue_ablation("model", "evaluated", "5", ranking_dataset="both"))
    assert "1 images of the dataset are in the ranking dataset as well: 'ant/002.png' is 'dog/twin.png'" in str(problem)
    assert problem["errors"][0]["pointer"] == "/ranking_dataset"
    assert ready.count(LayerAblation) == 0


def test_one_image_a_class_where_two_are_needed(ready):
    worlds.write_classes(ready.settings.import_dir / "lone", {"ant": 1, "bee": 4, "fox": 1})
    ready.done(ready.queue_dataset("lone", format="folder"))
    problem = ready.failure(ready.queue_ablation("model", "lone", "5"))
    assert "2 classes have one image where two are needed" in problem["detail"]
    assert "'ant', 'fox'" in problem["detail"]


def test_copies_of_an_image_stay_on_one_side(ready):
    folder = ready.settings.import_dir / "copies"
    worlds.write_classes(folder, {"ant": 4, "dog": 4})
    for number in range(4):
        shutil.copy(folder / "ant" / f"{number:03}.png", folder / "ant" / f"{number:03}-copy.png")
    ready.done(ready.queue_dataset("copies", format="folder"))
    summary = ready.ablate("model", "copies", "5", sizes=[1]).summary
    assert (summary["ranking"]["images"], summary["evaluation"]["images"]) == (6, 6)


@pytest.mark.parametrize(("layer", "words"), [("1", "are the classes themselves"), ("absent", "has no layer")])
def test_layers_that_say_nothing_of_classes(zoo, layer, words):
    zoo.done(zoo.queue_model("heads", "planted:colors", input={"resize": [8, 8]}, classes=[*CLASSES, "gnu", "hen"]))
    try:
        problem = zoo.failure(zoo.queue_ablation("heads", "evaluated", layer))
        assert words in problem["detail"]
    except Invalid as error:
        assert words in error.detail


def test_a_class_with_one_evaluation_image_has_no_interval(zoo, read):
    worlds.write_classes(zoo.settings.import_dir / "few", {"ant": 1, "dog": 5}, seed=9)
    zoo.done(zoo.queue_dataset("few", format="folder"))
    zoo.done(zoo.queue_model("model", "planted:classifier", input={"resize": [24, 24]}, classes=CLASSES))
    job = zoo.ablate("model", "few", "5", ranking_dataset="ranked", sizes=[2])
    found = read(zoo, job)
    lone = [row for (_, name), row in found.effects.items() if name == "ant"]
    assert lone
    assert all(row.uncertain and row.accuracy_change_low is None for row in lone)
    assert all(row.accuracy_change_low is None for row in found.units.values())
    assert found.classes["ant"].curves["most"][0]["change_low"] is None
    assert job.summary["curves"]["most"][0]["change_low"] is None
