"""The attacks that a request may name, and what each one takes; the attacks themselves are the workers'."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.errors import Invalid

Value = bool | int | float
WORDS = {bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Parameter:
    """One setting; its type is that of its default."""

    default: Value
    minimum: float | None = None
    maximum: float | None = None
    exclusive: bool = False
    """Whether the minimum itself is not allowed."""


@dataclass(frozen=True)
class Method:
    """An attack: whether it takes a target, its settings, and settings that go by one name."""

    targeted: bool
    parameters: Mapping[str, Parameter]
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def check(self, method: str, name: str, value: Value) -> None:
        """Raise Invalid where there is no such setting, or it does not take the value."""
        if name not in self.parameters:
            known = ", ".join(self.parameters)
            raise Invalid(f"{method} has no setting {name!r}; its settings are {known}", f"/settings/{name}")
        one = self.parameters[name]
        kinds = {bool: bool, int: int, float: int | float}[type(one.default)]
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(one.default, bool):
            raise Invalid(f"{value!r} is not {WORDS[type(one.default)]}", f"/settings/{name}")
        if one.minimum is None or one.maximum is None:
            return
        if not one.minimum <= value <= one.maximum or (one.exclusive and value == one.minimum):
            above = "above" if one.exclusive else "from"
            raise Invalid(f"{name} goes {above} {one.minimum:g} to {one.maximum:g}", f"/settings/{name}")


def _pgd(epsilon: float, step_size: float, largest: float) -> Method:
    parameters = {
        "epsilon": Parameter(epsilon, 0, largest),
        "step_size": Parameter(step_size, 0, largest),
        "steps": Parameter(40, 0, 100_000),
        "random_starts": Parameter(1, 0, 1000),
        "seed": Parameter(0, 0, 2**63 - 1),
        "stop_at_success": Parameter(True),
    }
    return Method(True, parameters)


_CARLINI_WAGNER = {
    "steps": Parameter(1000, 0, 100_000),
    "binary_search_steps": Parameter(5, 0, 100),
    "learning_rate": Parameter(5e-3, 0, 10, exclusive=True),
    "initial_constant": Parameter(1e-2, 0, 1e10, exclusive=True),
    "confidence": Parameter(0.0, 0, 1e6),
    "abort_early": Parameter(True),
}
_PRESETS: Mapping[str, Mapping[str, Value]] = {
    "pnas2020": {
        "steps": 1000,
        "binary_search_steps": 5,
        "learning_rate": 5e-3,
        "initial_constant": 1e-2,
        "confidence": 0,
    },
    "carlini2017": {
        "steps": 10000,
        "binary_search_steps": 9,
        "learning_rate": 1e-2,
        "initial_constant": 1e-3,
        "confidence": 0,
    },
}
_DEEPFOOL = {
    "steps": Parameter(50, 0, 100_000),
    "candidates": Parameter(10, 2, 1000),
    "overshoot": Parameter(0.02, 0, 10),
}

METHODS: Mapping[str, Method] = {
    "carlini-wagner-l2": Method(True, _CARLINI_WAGNER, _PRESETS),
    "pgd-linf": _pgd(8 / 255, 2 / 255, 1),
    "pgd-l2": _pgd(0.5, 0.125, 1000),
    "fgsm": Method(True, {"epsilon": Parameter(8 / 255, 0, 1)}),
    "deepfool-l2": Method(False, _DEEPFOOL),
}
"""Those that come with the service; other packages' are known to workers."""
