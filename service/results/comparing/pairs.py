"""Which layer of one job is compared with which of another, and whether their units correspond."""

from collections.abc import Sequence
from typing import NamedTuple

from service.catalog.queries import near
from service.errors import Invalid


class DissectedLayer(NamedTuple):
    """A layer that a job dissected; `dissection_id` is what its units are found by."""

    dissection_id: int
    name: str
    units: int
    source: str


class Pair(NamedTuple):
    """Two layers that are compared."""

    a: DissectedLayer
    b: DissectedLayer

    @property
    def by_unit(self) -> bool:
        """Whether an index names the same unit in both: the same layer of one architecture."""
        return (self.a.name, self.a.units, self.a.source) == (self.b.name, self.b.units, self.b.source)


class Pairs(NamedTuple):
    """The layers that are compared, and the names of those that have no counterpart."""

    pairs: list[Pair]
    only_in_a: list[str]
    only_in_b: list[str]


def choose_pairs(
    a: Sequence[DissectedLayer], b: Sequence[DissectedLayer], layer_a: str | None, layer_b: str | None
) -> Pairs:
    """Pair the layers named, else those of one name, else the only one of either; raise Invalid where none pair up."""
    a, b = _named(a, layer_a, "a"), _named(b, layer_b, "b")
    if len(a) == len(b) == 1:
        return Pairs([Pair(a[0], b[0])], [], [])
    counterparts = {layer.name: layer for layer in b}
    pairs = [Pair(layer, counterparts[layer.name]) for layer in a if layer.name in counterparts]
    if not pairs:
        raise Invalid(
            f"no layer has the same name in both jobs; choose with layer_a one of {_list(a)} and with layer_b "
            f"one of {_list(b)}",
            "query:layer_a" if layer_a is None else "query:layer_b",
        )
    shared = {pair.a.name for pair in pairs}
    return Pairs(pairs, *([layer.name for layer in side if layer.name not in shared] for side in (a, b)))


def corresponding(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs whose units correspond; raise Invalid where there are none."""
    found = [pair for pair in pairs if pair.by_unit]
    if not found:
        raise Invalid(
            "units are compared one by one only between two dissections of the same layer of one architecture; "
            "these layers are compared by concept",
            "query:layer_b",
        )
    return found


def _named(layers: Sequence[DissectedLayer], name: str | None, side: str) -> list[DissectedLayer]:
    found = [layer for layer in layers if name in (None, layer.name)]
    if not found:
        close = near(name or "", [layer.name for layer in layers])
        raise Invalid(f"job {side} has no layer {name!r}, but {_list(layers)}{close}", f"query:layer_{side}")
    return found


def _list(layers: Sequence[DissectedLayer]) -> str:
    return ", ".join(repr(layer.name) for layer in layers)
