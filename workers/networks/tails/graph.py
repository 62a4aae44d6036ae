"""What a network computes for any number of images, found by comparing what it computed for two and for three."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverload

from workers.networks.tails.trace import IMAGES, Call, CannotCut, Of, Shape, Trace, find_argument, rebuild, uses_in

FEW, MORE = 2, 3
"""Images of the two passes that are compared."""


class Rows(NamedTuple):
    """As an argument: a number that depends on how many images there are."""

    factor: int
    offset: int


@dataclass(frozen=True, eq=False)
class Node:
    """A call that is repeated for other images."""

    index: int
    function: Callable[..., Any]
    """Leaves what it is given as it is."""
    operator: OpOverload
    """What the network called; may have written to its first argument."""
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    shapes: tuple[Shape | None, ...]
    """Of its outputs for FEW images."""

    @property
    def inputs(self) -> list[Of]:
        """Every output of a call that it takes."""
        return uses_in((*self.args, *self.options.values()))

    def argument(self, name: str) -> Any:
        """Value of an argument or option of the operator by its name."""
        return find_argument(self.operator, self.args, self.options, name)

    def fill(self, values: Mapping[Of, Any], rows: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments and options for so many images."""
        args = tuple(_fill(arg, values, rows) for arg in self.args)
        return args, {name: _fill(value, values, rows) for name, value in self.options.items()}


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in their order, those that the logits or the layer's output need."""

    images: Shape
    nodes: dict[int, Node]
    layer: Of
    logits: Of
    split: frozenset[Of]
    """Outputs that hold one entry an image, along their first dimension."""
    live: frozenset[Of]
    """Outputs that depend on the images; others depend on nothing but how many these are."""

    def shape(self, of: Of) -> Shape:
        """Shape of an output for FEW images."""
        shape = self.images if of == IMAGES else self.nodes[of.call].shapes[of.output]
        assert shape is not None
        return shape

    def constants(self, nodes: Iterable[Node]) -> list[Node]:
        """Nodes that these need and that depend on nothing but how many images there are."""
        found: set[int] = set()
        waiting = [use for node in nodes for use in node.inputs]
        while waiting:
            use = waiting.pop()
            if use not in self.live and use.call not in found:
                found.add(use.call)
                waiting += self.nodes[use.call].inputs
        return [self.nodes[index] for index in sorted(found)]

    def before(self, outputs: Iterable[Of]) -> list[Node]:
        """Nodes that these outputs need, in order."""
        found = {of.call for of in outputs}
        for node in reversed(self.nodes.values()):
            if node.index in found:
                found.update(use.call for use in node.inputs)
        return [node for node in self.nodes.values() if node.index in found]

    def after(self, of: Of) -> list[Node]:
        """Nodes that depend on an output."""
        found: set[int] = set()
        for node in self.nodes.values():
            if any(use == of or use.call in found for use in node.inputs):
                found.add(node.index)
        return [self.nodes[index] for index in sorted(found)]


def compare(few: Trace, more: Trace) -> Graph:
    """Find what depends on the number of images.

    Raises
    ------
    CannotCut
        If the network computes otherwise for another number of images.
    """
    if len(few.calls) != len(more.calls) or (few.layer, few.logits) != (more.layer, more.logits):
        _differ()
    graph = _Comparison(few, more)
    for one, other in zip(few.calls, more.calls, strict=True):
        graph.add(one, other)
    images = Shape(tuple(few.images.shape), few.images.dtype, True)
    return Graph(images, graph.needed(), few.layer, few.logits, frozenset(graph.split), frozenset(graph.live))


class _Comparison:
    def __init__(self, few: Trace, more: Trace) -> None:
        self.few, self.more = few, more
        self.nodes: list[Node] = []
        self.fixed: dict[Of, Tensor] = {}
        self.split = {IMAGES}
        self.live = {IMAGES}

    def add(self, one: Call, other: Call) -> None:
        if one.function != other.function or one.options.keys() != other.options.keys():
            _differ()
        index = len(self.nodes)
        args = self._merge(one.args, other.args)
        options = {name: self._merge(value, other.options[name]) for name, value in one.options.items()}
        node = Node(index, _pure(one.function), one.function, args, options, one.shapes)
        if any(use in self.live for use in node.inputs):
            self.live.update(Of(index, output) for output in range(len(node.shapes)))
        self.nodes.append(node)
        for output, (shape, larger) in enumerate(zip(one.shapes, other.shapes, strict=True)):
            if shape and larger and (shape.sizes[:1], larger.sizes[:1]) == ((FEW,), (MORE,)):
                self.split.add(Of(index, output))
        for output, (value, same) in enumerate(zip(one.constants, other.constants, strict=True)):
            if isinstance(value, Tensor) and _equal(value, same):
                self.fixed[Of(index, output)] = value

    def _merge(self, one: Any, other: Any) -> Any:
        if isinstance(one, Of) or isinstance(other, Of):
            return self.fixed.get(one, one) if one == other else _differ()
        if isinstance(one, tuple | list) and type(one) is type(other) and len(one) == len(other):
            return rebuild([*zip(one, other, strict=True)], lambda pair: self._merge(*pair))
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            return one if one is other or _equal(one, other) else _differ()
        if type(one) is int and type(other) is int and one != other:
            factor = (other - one) // (MORE - FEW)
            return Rows(factor, one - factor * FEW)
        return one if type(one) is type(other) and one == other else _differ()

    def needed(self) -> dict[int, Node]:
        """Nodes that the logits or the layer's output depend on, in order."""
        found = {self.few.logits.call, self.few.layer.call}
        for node in reversed(self.nodes):
            if node.index in found:
                found.update(use.call for use in node.inputs)
        return {index: self.nodes[index] for index in sorted(found - {IMAGES.call})}


def _differ() -> Any:
    raise CannotCut("it computes otherwise for another number of images")


def _equal(one: Tensor, other: Any) -> bool:
    return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)


def _pure(operator: OpOverload) -> Callable[..., Any]:
    """What computes the same as an operator and writes to nothing that it is given."""
    written = [argument.is_write for argument in operator._schema.arguments]
    if not any(written):
        return operator
    if written[0] and not any(written[1:]):
        name = operator._schema.name.partition("::")[2]
        packet = getattr(getattr(torch.ops, operator.namespace), name.removesuffix("_"), None)
        if packet is not None and name.endswith("_") and operator._overloadname in packet.overloads():
            pure: OpOverload = getattr(packet, operator._overloadname)
            return pure
        return lambda first, *args, **options: operator(first.clone(), *args, **options)
    raise CannotCut(f"it calls {operator}, which writes to several tensors")


def _fill(argument: Any, values: Mapping[Of, Any], rows: int) -> Any:
    if isinstance(argument, Of):
        return values[argument]
    if isinstance(argument, Rows):
        return argument.factor * rows + argument.offset
    return rebuild(argument, lambda item: _fill(item, values, rows))
