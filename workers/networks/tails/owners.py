"""Which unit each entry of a tensor belongs to, as long as operations keep the units apart.

Behind a layer come operations in which no unit looks at another: activations, batch norms, pooling, depthwise
convolutions, rearrangements. What they put out when one unit is removed equals, where it belongs to that unit, what
they put out when all are removed, and elsewhere what they put out when none is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from workers.networks.tails.graph import FEW, Graph, Node
from workers.networks.tails.trace import Of, name_of, rebuild

NOBODY = 0
"""Owner of an entry that no unit has a part in; unit u is u + 1."""
POINTWISE = {"hardswish", "log_sigmoid", "masked_fill", "rsub", "where"}
"""Operators that compute each entry by itself, beside those that say so."""
_MOVES = """
    alias broadcast_to cat channel_shuffle chunk clone constant_pad_nd contiguous detach dropout expand expand_as
    feature_dropout flatten flip index index_select lift_fresh mT movedim narrow numpy_T pad permute pixel_shuffle
    pixel_unshuffle repeat reshape reshape_as _reshape_copy roll select slice split split_with_sizes squeeze stack
    swapaxes t tile to _to_copy transpose type_as unbind unflatten _unsafe_view unsqueeze view view_as
"""
MOVES = frozenset(_MOVES.split())
"""Operators that put entries elsewhere, or zeros beside them."""
_BY_CHANNEL = """
    adaptive_avg_pool2d adaptive_max_pool2d avg_pool2d batch_norm instance_norm max_pool2d max_pool2d_with_indices
    _native_batch_norm_legit_no_training prelu upsample_bicubic2d upsample_bilinear2d upsample_nearest2d
"""
BY_CHANNEL = frozenset(_BY_CHANNEL.split())
"""Operators that compute each channel, along dimension 1, by itself."""
REDUCTIONS = {"amax", "amin", "mean", "sum"}
LARGEST = 2**24
"""Up to here float32 holds every whole number."""


class Owners(NamedTuple):
    """Owners of an image's entries (d1, d2, ...); of size 1 along a dimension on which they do not depend."""

    table: Tensor

    @property
    def axis(self) -> int | None:
        """The one dimension of an image that they depend on."""
        axes = [dim for dim, size in enumerate(self.table.shape) if size > 1]
        return axes[0] if len(axes) == 1 else None


def find_owners(graph: Graph, start: Owners, tail: Sequence[Node]) -> dict[Of, Owners]:
    """Follow the units from the layer on, through the nodes behind it, as far as they are kept apart."""
    found = {graph.layer: start}
    behind = {node.index for node in tail}
    for node in tail:
        mixed = any(use.call in behind and use not in found for use in node.inputs)
        if not mixed and all(shape is not None for shape in node.shapes):
            owners = _follow(graph, node, found)
            if owners is not None:
                found.update({Of(node.index, output): each for output, each in enumerate(owners)})
    return found


def _follow(graph: Graph, node: Node, found: Mapping[Of, Owners]) -> list[Owners] | None:
    """Owners of a node's outputs, None where it mixes units."""
    name = name_of(node.operator)
    if name in MOVES:
        return _move(graph, node, found)
    if torch.Tag.pointwise in node.operator.tags or name in POINTWISE:
        return _combine(graph, node, found)
    first = node.args[0] if node.args else None
    alone = [use for use in node.inputs if use in found] == [first]
    if first is None or not alone or len(node.inputs) != 1:
        return None
    owners = found[first]
    if name in BY_CHANNEL and owners.axis == 0:
        return [owners] * len(node.shapes)
    if name == "conv2d" and owners.axis == 0:
        return _convolve_depthwise(owners, node)
    return _reduce(graph, node, owners) if name in REDUCTIONS else None


def _combine(graph: Graph, node: Node, found: Mapping[Of, Owners]) -> list[Owners] | None:
    """Owners after an operation on entries at the same place; None where two units meet there."""
    sizes = node.shapes[0].sizes[1:] if node.shapes[0] else ()
    table = torch.zeros([1] * len(sizes), dtype=torch.int64)
    for use in node.inputs:
        if use in found:
            other = found[use].table
            # dimensions are aligned from the last one on
            if len(graph.shape(use).sizes) != len(sizes) + 1:
                return None
            if bool(((table != NOBODY) & (other != NOBODY) & (table != other)).any()):
                return None
            table = torch.maximum(table, other)
    return [Owners(table)]


def _convolve_depthwise(owners: Owners, node: Node) -> list[Owners] | None:
    weight, groups = node.args[1], node.argument("groups")
    channels = owners.table.shape[0]
    if groups != channels or channels == 1:
        return None
    return [Owners(owners.table.repeat_interleave(len(weight) // channels, 0))]


def _reduce(graph: Graph, node: Node, owners: Owners) -> list[Owners] | None:
    dims, sizes = node.argument("dim"), graph.shape(node.args[0]).sizes
    summed = sorted({dim % len(sizes) for dim in ([dims] if isinstance(dims, int) else dims or [0])})
    if 0 in summed or any(owners.table.shape[dim - 1] > 1 for dim in summed):
        return None
    table = owners.table
    if not node.argument("keepdim"):
        table = table.squeeze([dim - 1 for dim in summed])
    return [Owners(table)]


def _move(graph: Graph, node: Node, found: Mapping[Of, Owners]) -> list[Owners] | None:
    """Owners after a rearrangement: it is done to them, with the image's number beside each."""
    base = 1 + max(int(owners.table.max()) for owners in found.values())
    shapes = [*node.shapes, *map(graph.shape, node.inputs)]
    exact = all(shape and shape.dtype in (torch.float32, torch.float64) for shape in shapes)
    if node.argument("value") or not exact or FEW * base > LARGEST:
        return None  # it pads with something else than zeros, or one of them cannot hold the numbers
    values = {use: _numbered(graph, use, found.get(use), base) for use in node.inputs}
    args, options = node.fill(values, FEW)
    moved = node.function(*_without_values(args), **options)
    outputs = moved if isinstance(moved, tuple | list) else (moved,)
    return _read_all([output.to("cpu", torch.int64) for output in outputs], base)


def _without_values(given: Any) -> Any:
    """Blank what a network's own tensors hold, unless they say where entries go."""
    if isinstance(given, Tensor):
        numbers = given.is_floating_point() and given.dtype != torch.float64
        return torch.zeros(given.shape, dtype=torch.float64) if numbers else given.cpu()
    return rebuild(given, _without_values)


def _numbered(graph: Graph, use: Of, owners: Owners | None, base: int) -> Tensor:
    sizes = graph.shape(use).sizes
    if use not in graph.split:
        return torch.zeros(sizes, dtype=torch.float64)
    images = torch.arange(sizes[0], dtype=torch.float64).view(-1, *[1] * (len(sizes) - 1)) * base
    return (images + (0 if owners is None else owners.table)).expand(sizes).contiguous()


def _read_all(moved: Sequence[Tensor], base: int) -> list[Owners] | None:
    found = []
    for output in moved:
        tables, images = output % base, output // base
        if len(output) != FEW or not bool(((images == _column(output)) | (tables == NOBODY)).all()):
            return None
        if not torch.equal(tables[0], tables[1]):
            return None
        found.append(compress(tables[0]))
    return found


def _column(output: Tensor) -> Tensor:
    return torch.arange(len(output)).view(-1, *[1] * (output.ndim - 1))


def compress(table: Tensor) -> Owners:
    """Leave out dimensions on which the owners (d1, d2, ...) do not depend, but for entries that nobody owns."""
    for dim in range(table.ndim):
        largest = table.amax(dim, keepdim=True)
        if bool(((table == largest) | (table == NOBODY)).all()):
            table = largest
    return Owners(table)
