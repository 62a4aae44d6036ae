"""What a request may name is what workers have: the service knows the attacks without importing them."""

import dataclasses

import pytest

from service.errors import Invalid
from service.jobs.attack_methods import METHODS
from workers.analysis.attacks.errors import BadParameter
from workers.analysis.attacks.registry import ATTACKS, find_attack


def test_methods_are_the_attacks():
    assert METHODS.keys() == ATTACKS.keys()
    for name, method in METHODS.items():
        attack = ATTACKS[name]
        assert method.targeted == attack.targeted
        assert method.presets == attack.presets
        assert list(method.parameters) == list(attack.parameters)
        for key, parameter in method.parameters.items():
            theirs = attack.parameters[key]
            assert dataclasses.asdict(parameter) == dataclasses.asdict(theirs)
            assert type(parameter.default) is type(theirs.default)


STRANGE = [None, True, 0, 1, -1, 5, 10**9, 0.5, -0.5, 2.0, float("nan"), float("inf"), "1", [1]]


@pytest.mark.parametrize("name", METHODS)
def test_both_take_and_refuse_the_same_values(name):
    for key in [*METHODS[name].parameters, "momentum"]:
        for value in STRANGE:
            try:
                find_attack(name, {key: value})
                refused = False
            except BadParameter:
                refused = True
            try:
                METHODS[name].check(name, key, value)
                assert not refused, (key, value)
            except Invalid as error:
                assert refused, (key, value)
                assert error.errors[0]["pointer"] == f"/settings/{key}"
