"""The attacks that there are, by name, and what each one takes: as plain data, from which a schema can be made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, Literal

from workers.analysis.attacks.attack import Attack
from workers.analysis.attacks.carlini_wagner import PRESETS, CarliniWagnerL2
from workers.analysis.attacks.deepfool import DeepFoolL2
from workers.analysis.attacks.errors import BadParameter, UnknownAttack
from workers.analysis.attacks.fgsm import FGSM
from workers.analysis.attacks.pgd import PGD

Value = bool | int | float


@dataclass(frozen=True)
class Parameter:
    """One setting of an attack; its type is that of its default."""

    default: Value
    minimum: float | None = None
    maximum: float | None = None
    exclusive: bool = False
    """Whether the minimum itself is not allowed."""

    def check(self, name: str, value: Value) -> None:
        """Raise BadParameter if the value is of another type or out of range."""
        kinds = {bool: bool, int: int, float: int | float}[type(self.default)]
        if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(self.default, bool):
            raise BadParameter(name, f"{value!r} is not {_WORDS[type(self.default)]}")
        if self.minimum is None or self.maximum is None:
            return
        if not self.minimum <= value <= self.maximum or (self.exclusive and value == self.minimum):
            above = "above" if self.exclusive else "from"
            raise BadParameter(name, f"{name} is {value!r}; it goes {above} {self.minimum:g} to {self.maximum:g}")


_WORDS = {bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True)
class Description:
    """An attack before its settings are chosen.

    Objects of the entry point group `unitatlas.attacks` have these members; they need to inherit nothing.
    """

    norm: Literal["l2", "linf"]
    """The distance that it keeps small or within bounds."""
    targeted: bool
    """Whether it can be told which class the network shall say."""
    parameters: Mapping[str, Parameter]
    build: Callable[..., Attack]
    """From all parameters, by name."""
    presets: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """Parameters that go by one name."""


_STEPS, _SEED = Parameter(50, 0, 100_000), Parameter(0, 0, 2**63 - 1)
_SEARCH = {
    "steps": Parameter(1000, 0, 100_000),
    "binary_search_steps": Parameter(5, 0, 100),
    "learning_rate": Parameter(5e-3, 0, 10, exclusive=True),
    "initial_constant": Parameter(1e-2, 0, 1e10, exclusive=True),
    "confidence": Parameter(0.0, 0, 1e6),
    "abort_early": Parameter(True),
}


def _pgd(norm: Literal["l2", "linf"], epsilon: float, step_size: float) -> Description:
    largest = 1 if norm == "linf" else 1000
    parameters = {
        "epsilon": Parameter(epsilon, 0, largest),
        "step_size": Parameter(step_size, 0, largest),
        "steps": Parameter(40, 0, 100_000),
        "random_starts": Parameter(1, 0, 1000),
        "seed": _SEED,
        "stop_at_success": Parameter(True),
    }
    return Description(norm, True, parameters, lambda **given: PGD(norm=norm, **given))


ATTACKS: Mapping[str, Description] = MappingProxyType(
    {
        "carlini-wagner-l2": Description("l2", True, _SEARCH, CarliniWagnerL2, PRESETS),
        "pgd-linf": _pgd("linf", 8 / 255, 2 / 255),
        "pgd-l2": _pgd("l2", 0.5, 0.125),
        "fgsm": Description("linf", True, {"epsilon": Parameter(8 / 255, 0, 1)}, FGSM),
        "deepfool-l2": Description(
            "l2",
            False,
            {"steps": _STEPS, "candidates": Parameter(10, 2, 1000), "overshoot": Parameter(0.02, 0, 10)},
            DeepFoolL2,
        ),
    }
)


def describe_attack(name: str) -> Description:
    """Look up an attack, ours or another package's; raise UnknownAttack that says which there are."""
    if name in ATTACKS:
        return ATTACKS[name]
    others = entry_points(group="unitatlas.attacks")
    if name not in others.names:
        raise UnknownAttack(name, {*ATTACKS, *others.names})
    found: Description = others[name].load()
    return found


def find_attack(name: str, params: Mapping[str, Any]) -> Attack:
    """Make an attack from its name and those of its parameters that are not to have their defaults.

    Raises UnknownAttack, or BadParameter where it has no such parameter or does not take the value.
    """
    found = describe_attack(name)
    for given, value in params.items():
        if given not in found.parameters:
            known = ", ".join(found.parameters) or "none"
            raise BadParameter(given, f"{name} has no parameter {given!r}; its parameters are {known}")
        found.parameters[given].check(given, value)
    return found.build(**{**{key: one.default for key, one in found.parameters.items()}, **params})
