"""What lies behind a layer: where its units stay apart, where they meet, and what else goes in there."""

from collections.abc import Sequence

import torch

from workers.networks.tails.graph import FEW, Graph, Node
from workers.networks.tails.owners import Owners, find_owners
from workers.networks.tails.schedule import Schedule
from workers.networks.tails.trace import CannotCut, Of, name_of

SUMS = {"linear": -1, "conv2d": 0}
"""Operators that are linear in their first argument, and the dimension of an image over which they sum."""


class Anatomy:
    """The nodes behind a layer, sorted by what they do to its units.

    Raises
    ------
    CannotCut
        If something that goes in beside the layer's output is not there image by image.
    """

    def __init__(self, graph: Graph, own: Owners, units: int) -> None:
        self.graph, self.units = graph, units
        tail = graph.after(graph.layer)
        self.reached = any(node.index == graph.logits.call for node in tail)
        """Whether the logits depend on the layer."""
        self.front = find_front(graph, tail)
        """What goes in beside the layer's output."""
        self.owners = find_owners(graph, own, tail)
        """Owners of every value in which the units are kept apart, the layer's output first."""
        mixing = [node for node in tail if Of(node.index, 0) not in self.owners]
        self.read = {use for node in mixing for use in node.inputs if use in self.owners}
        """Of those values the ones that are read where the units meet."""
        self.sums = {node.index: node for node in mixing if self._is_sum(node)}
        """Nodes in which removing some units changes a sum by what these put in."""
        self.apart = self._schedule([node for node in tail if Of(node.index, 0) in self.owners], self.read)
        self.mixing = self._schedule(mixing, {graph.logits})
        self.whole = Schedule(graph, [*graph.nodes.values()], {graph.layer, graph.logits, *self.front})

    def row_bytes(self) -> int:
        """Most bytes of a row's values that are alive at once."""
        return max(1, self.mixing.row_bytes())

    def image_bytes(self) -> int:
        """Bytes that an image takes before any condition: values with all units and with none, and sums of both."""
        twice = [*self.read, *(Of(index, 0) for index in self.sums)]
        held = sum(self.graph.shape(of).nbytes for of in [*self.front, *twice, *twice]) // FEW
        return held + 2 * self.apart.row_bytes()

    def _is_sum(self, node: Node) -> bool:
        axis = SUMS.get(name_of(node.operator))
        if axis is None or node.inputs != [*node.args[:1]] or node.args[0] not in self.owners:
            return False
        dimensions = len(self.graph.shape(node.args[0]).sizes) - 1
        return node.argument("groups") in (None, 1) and self.owners[node.args[0]].axis == axis % dimensions

    def _schedule(self, nodes: Sequence[Node], needed: set[Of]) -> Schedule:
        chosen = {node.index: node for node in [*self.graph.constants(nodes), *nodes]}
        return Schedule(self.graph, [chosen[index] for index in sorted(chosen)], needed)


def find_front(graph: Graph, tail: Sequence[Node]) -> list[Of]:
    """What goes into the tail beside the layer's output; raise CannotCut where it is not there image by image."""
    behind = {node.index for node in tail}
    uses = {use: None for node in tail for use in node.inputs if use.call not in behind and use in graph.live}
    front = [use for use in uses if use != graph.layer]
    for of in [graph.layer, *front]:
        if of not in graph.split or graph.shape(of).dtype != torch.float32:
            raise CannotCut("it hands on something that is not float32, or not one of each image, past the layer")
    return front
