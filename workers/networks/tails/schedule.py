"""Nodes run one after the other, each value held no longer than it is needed."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from typing import Any

from torch import Tensor

from workers.networks.tails.graph import FEW, Graph, Node
from workers.networks.tails.trace import Of

Values = MutableMapping[Of, Any]


class Schedule:
    """Some nodes of a graph, and which of what they put out is needed in the end."""

    def __init__(self, graph: Graph, nodes: Sequence[Node], needed: Collection[Of]) -> None:
        self._graph, self.nodes, self._needed = graph, nodes, set(needed)
        self._frees = self._find_last_uses()
        self._functions = [self._pick_function(node, uses) for uses in [_count_uses(graph)] for node in nodes]

    def run(self, values: Values, rows: int, instead: Mapping[int, Callable[[], Tensor]]) -> None:
        """Run the nodes on values of so many rows; `instead` holds what computes some of the nodes in another way."""
        for node, function, frees in zip(self.nodes, self._functions, self._frees, strict=True):
            if node.index in instead:
                result: Any = instead[node.index]()
            else:
                args, options = node.fill(values, rows)
                result = function(*args, **options)
            for index, output in enumerate(result if isinstance(result, tuple | list) else (result,)):
                values[Of(node.index, index)] = output
            for of in frees:
                values.pop(of, None)

    def row_bytes(self) -> int:
        """Most bytes of a row's values that are alive at once."""
        alive: dict[Of, int] = {}
        most = 0
        for node, frees in zip(self.nodes, self._frees, strict=True):
            for use in node.inputs:
                alive.setdefault(use, self._graph.shape(use).nbytes // FEW)
            for index, shape in enumerate(node.shapes):
                alive[Of(node.index, index)] = shape.nbytes // FEW if shape else 0
            most = max(most, sum(alive.values()))
            for of in frees:
                alive.pop(of, None)
        return most

    def largest_bytes(self) -> int:
        """Bytes of the largest value of a row."""
        return max((shape.nbytes // FEW for node in self.nodes for shape in node.shapes if shape), default=1)

    def _find_last_uses(self) -> list[set[Of]]:
        needed, frees = set(self._needed), []
        for node in reversed(self.nodes):
            uses = {*node.inputs, *(Of(node.index, output) for output in range(len(node.shapes)))}
            frees.append(uses - needed)
            needed |= uses
        return frees[::-1]

    def _pick_function(self, node: Node, uses: Counter[Of]) -> Callable[..., Any]:
        """Let a node overwrite its first argument, as the network does, where nothing else is there to see it."""
        first = node.args[0] if node.args else None
        if not isinstance(first, Of) or node.function is node.operator or uses[first] > 1 or first in self._needed:
            return node.function
        maker = next((other for other in self.nodes if other.index == first.call), None)
        return node.operator if maker and self._makes_new(maker, first) else node.function

    def _makes_new(self, maker: Node, of: Of) -> bool:
        # what makes something new of two images may pass on what it is given of one, if it says that it may
        shares = any(result.alias_info for result in maker.operator._schema.returns)
        return maker.function is not maker.operator or (self._graph.shape(of).fresh and not shares)


def _count_uses(graph: Graph) -> Counter[Of]:
    return Counter(use for node in graph.nodes.values() for use in node.inputs)
