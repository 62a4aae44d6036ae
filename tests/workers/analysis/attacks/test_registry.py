"""Attacks by name: ours, those of other packages, and what is refused."""

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from workers.analysis.attacks import registry
from workers.analysis.attacks.carlini_wagner import CarliniWagnerL2
from workers.analysis.attacks.deepfool import DeepFoolL2
from workers.analysis.attacks.errors import BadParameter, UnknownAttack
from workers.analysis.attacks.fgsm import FGSM
from workers.analysis.attacks.pgd import PGD
from workers.analysis.attacks.registry import ATTACKS, Description, Parameter, describe_attack, find_attack

FOREIGN = Description("linf", False, {"size": Parameter(1.0, 0, 2)}, dict)


def test_every_attack_has_its_defaults():
    assert find_attack("carlini-wagner-l2", {}) == CarliniWagnerL2(1000, 5, 5e-3, 1e-2, 0.0, True)
    assert find_attack("pgd-linf", {}) == PGD("linf", 8 / 255, 2 / 255, 40, 1)
    assert find_attack("pgd-l2", {"epsilon": 1, "seed": 7}) == PGD("l2", 1, 0.125, 40, 1, 7)
    assert find_attack("fgsm", {}) == FGSM(8 / 255)
    assert find_attack("deepfool-l2", {"candidates": 3}) == DeepFoolL2(50, 3, 0.02)
    assert [name for name, one in ATTACKS.items() if not one.targeted] == ["deepfool-l2"]


def test_presets_are_parameters():
    for description in ATTACKS.values():
        for preset in description.presets.values():
            assert preset.keys() <= description.parameters.keys()
    preset = ATTACKS["carlini-wagner-l2"].presets["carlini2017"]
    assert find_attack("carlini-wagner-l2", preset) == CarliniWagnerL2(10000, 9, 1e-2, 1e-3)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_ends_of_ranges_are_taken_and_what_is_beyond_is_not(name):
    for key, parameter in ATTACKS[name].parameters.items():
        if parameter.minimum is None:
            continue
        find_attack(name, {key: parameter.maximum})
        for wrong in (parameter.minimum - 1, parameter.maximum * 2, float("nan"), "1", None, True):
            with pytest.raises(BadParameter) as caught:
                find_attack(name, {key: wrong})
            assert caught.value.parameter == key
        if parameter.exclusive:
            with pytest.raises(BadParameter, match="above 0"):
                find_attack(name, {key: parameter.minimum})
        else:
            find_attack(name, {key: parameter.minimum})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"step": 5}, "no parameter 'step'; its parameters are steps, "),
        ({"steps": 1.5}, "1.5 is not a whole number"),
        ({"steps": -1}, "steps is -1; it goes from 0 to 100000"),
        ({"abort_early": 1}, "1 is not true or false"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; it goes above 0 to 10"),
    ],
)
def test_bad_parameters_say_what_would_do(params, message):
    with pytest.raises(BadParameter, match=message) as caught:
        find_attack("carlini-wagner-l2", params)
    assert [caught.value.parameter] == list(params)


def test_unknown_names_say_which_there_are():
    with pytest.raises(UnknownAttack, match=r"'pgd-linff'.*carlini-wagner-l2, deepfool-l2.*did you mean 'pgd-linf'\?"):
        find_attack("pgd-linff", {})


def test_another_package_adds_attacks(monkeypatch):
    entry = EntryPoint("theirs", f"{__name__}:FOREIGN", "unitatlas.attacks")
    monkeypatch.setattr(EntryPoint, "load", lambda self: FOREIGN)
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([entry]).select(group=group))
    assert describe_attack("theirs") is FOREIGN
    assert find_attack("theirs", {}) == {"size": 1.0}
    assert find_attack("theirs", {"size": 2}) == {"size": 2}
    with pytest.raises(UnknownAttack, match="theirs"):
        find_attack("thiers", {})
