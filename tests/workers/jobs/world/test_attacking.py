"""What attacks do to the built-in classifier's last layer, against loops over images and units."""

import numpy as np
import pytest
import torch

from workers.analysis.attacks.registry import find_attack
from workers.jobs.world import attacking, page
from workers.jobs.world.attacking import METHOD, SPEC, attack
from workers.networks.pixels import normalize
from workers.scenes.classifier import as_input, load_classifier
from workers.scenes.renderer import SCENES, render

TARGET, STEPS = "beach", {"steps": 12, "binary_search_steps": 1, "initial_constant": 10.0}
GOAL = SCENES.index(TARGET)
UNITS = 128


@pytest.fixture(scope="module")
def network():
    return load_classifier()


@pytest.fixture(scope="module")
def images():
    return np.stack([render(2, index).image for index in range(6)])


@pytest.fixture(scope="module")
def order():
    """Units in an order of each class's own."""
    return np.stack([np.random.default_rng(c).permutation(UNITS) for c in range(len(SCENES))])


@torch.inference_mode()
def see(network, pixels):
    """What an image (3, 64, 64) from 0 to 1 is taken for, and the peaks of the last layer."""
    maps = network.features((pixels[None] - 0.5) / 0.25)
    return int(network.classifier(maps.amax((2, 3))).argmax()), maps[0].amax((1, 2)).double().numpy()


def test_groups_are_of_the_classes_that_images_became_and_were(network, images, order, monkeypatch):
    monkeypatch.setattr(attacking, "IMAGES", 3)
    predicted = network(as_input(images)).argmax(1).tolist()
    classes = np.array(predicted)
    classes[1] = GOAL  # left out, as what it shows is the target
    found = attack(network, order, images, classes, TARGET, STEPS)

    chosen = [i for i in range(6) if predicted[i] != GOAL and classes[i] != GOAL][:3]
    assert 1 not in chosen
    method, moved, shares, far = find_attack(METHOD, STEPS), {"target": [], "source": [], "others": []}, [], []
    sizes = {name: [] for name in moved}
    for i in chosen:
        original = torch.tensor(images[i]).permute(2, 0, 1) / 255
        labels, goals = torch.tensor([predicted[i]]), torch.tensor([GOAL])
        adversarial = method(lambda x: network(normalize(x, SPEC)), original[None], labels, goals, lambda: None)
        result, after = see(network, adversarial.adversarial[0])
        source, before = see(network, original)
        if result != GOAL:
            continue
        members = {"target": order[GOAL][:4], "source": order[source][:4]}
        important = {*members["target"], *members["source"]}
        members["others"] = [unit for unit in range(UNITS) if unit not in important]
        for name, units in members.items():
            moved[name].append(np.mean([after[unit] - before[unit] for unit in units]))
            sizes[name].append(np.mean([abs(after[unit] - before[unit]) for unit in units]))
        ten = sorted(range(UNITS), key=lambda unit: -abs(after[unit] - before[unit]))[:10]
        shares.append(len({*ten} & important) / 10)
        far.append(float((adversarial.adversarial[0] - original).norm()))
    assert far, "no image was fooled: nothing is tested"
    assert (found.images, found.fooled) == (3, len(far))
    assert found.mean_l2 == pytest.approx(np.mean(far), rel=1e-4)
    for name, values in moved.items():
        assert found.groups[name]["mean"] == pytest.approx(np.mean(values), abs=1e-4)
        assert found.groups[name]["absolute_mean"] == pytest.approx(np.mean(sizes[name]), abs=1e-4)
    assert found.most_moved["mean"] == pytest.approx(np.mean(shares))


def test_what_is_between_the_marks_is_replaced_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "world.md"
    monkeypatch.setattr(page, "PAGE", path)
    path.write_text("before\n<!-- a -->\nold\n<!-- b -->\nafter\n<!-- c -->\nkept\n<!-- d -->\n")
    page.fill_in("<!-- a -->", "<!-- b -->", ["", "new", ""])
    assert path.read_text() == "before\n<!-- a -->\n\nnew\n\n<!-- b -->\nafter\n<!-- c -->\nkept\n<!-- d -->\n"
