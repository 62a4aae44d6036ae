"""What can be wrong with an attack, before it starts or with the network that it meets."""

from collections.abc import Iterable
from difflib import get_close_matches


class NotFinite(ArithmeticError):
    """The network's output for an image, or its gradient, is infinite or no number."""


class NotDifferentiable(TypeError):
    """The network's output tells nothing of how it changes with the pixels."""


class UnknownAttack(LookupError):
    """There is no attack of this name; the message says which there are."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        super().__init__(f"there is no attack {name!r}; the attacks are {', '.join(names)}{meant}")


class BadParameter(ValueError):
    """An attack has no such parameter, or does not take this value for it."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter
        """Name of the parameter."""
