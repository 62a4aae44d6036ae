"""A network in two halves, before and behind a layer, so that any maps can be put in between."""

import logging
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from service.errors import Invalid
from workers.networks.footprint import batch_size
from workers.networks.maps import as_map
from workers.networks.network import Network
from workers.networks.tails.anatomy import find_front
from workers.networks.tails.checking import CLOSE, TRIED, noise
from workers.networks.tails.graph import FEW, MORE, Graph, compare
from workers.networks.tails.opening import find_layer
from workers.networks.tails.rows import RowLimit, count_rows, in_parts
from workers.networks.tails.schedule import Schedule
from workers.networks.tails.tail import OUTPUT, Kept
from workers.networks.tails.trace import IMAGES, CannotCut, trace
from workers.networks.taps import count_calls, edit, stream

__all__ = ["Halves", "Kept", "open_halves", "repeat"]

log = logging.getLogger(__name__)

INPUTS = "inputs"
"""Of what is kept where the whole network has to run again: what it was given."""


class Halves(Protocol):
    """A network before and behind a layer."""

    @property
    def cut(self) -> bool:
        """Whether only what follows the layer runs behind it, and not the whole network."""

    @property
    def reason(self) -> str | None:
        """Why the network could not be cut."""

    @property
    def units(self) -> int:
        """Units of the layer."""

    def front(self, inputs: Tensor) -> Kept:
        """Run the network on inputs (n, ...) up to the layer and return what is kept of each.

        All of it is on the network's device, inputs first; `output` is always there. Rows may be chosen and repeated.
        Raises Invalid where the memory does not suffice for a single input.
        """

    def maps(self, kept: Mapping[str, Tensor]) -> Tensor:
        """View the layer's kept outputs as maps (n, U, h, w)."""

    def back(self, kept: Mapping[str, Tensor], maps: Tensor) -> Tensor:
        """Return the network's outputs (n, ...) with these maps (n, U, h, w) in place of the layer's own.

        Raises Invalid where the memory does not suffice for a single input.
        """


def repeat(kept: Mapping[str, Tensor], times: int) -> Kept:
    """Repeat each row of what was kept so many times: (n, ...) -> (n * times, ...)."""
    return {name: value.repeat_interleave(times, 0) for name, value in kept.items()}


def open_halves(network: Network, layer: str, memory_bytes: int) -> Halves:
    """Cut a network at a layer, or take the whole network where it cannot be cut.

    Raises
    ------
    Invalid
        If no layer has this name, its output is no map, or the network's output does not depend on it.
    """
    units = find_layer(network, layer).units
    whole = WholeHalves(network, layer, units, memory_bytes)
    tried = _Trial(whole)
    if torch.equal(tried.untouched, tried.changed):
        raise Invalid(f"what the network puts out does not depend on layer {layer!r}; name a layer before it", "/layer")
    try:
        cut = CutHalves(whole, memory_bytes)
        tried.check(cut)
    except Exception as error:  # a network can do anything when it is looked at closely
        whole.reason = str(error) if isinstance(error, CannotCut) else f"{type(error).__name__}: {error}"
        log.info("the whole network runs for layer %s: %s", layer, whole.reason)
        return whole
    return cut


class WholeHalves:
    """Runs the whole network for the front and, with the layer's maps replaced, for the back; see `Halves`."""

    cut = False

    def __init__(self, network: Network, layer: str, units: int, memory_bytes: int) -> None:
        self.network, self.layer, self.units = network, layer, units
        self.reason: str | None = None
        with torch.inference_mode():
            self.calls = count_calls(network.module, [layer], network.blank(1))[layer]
            self.limit = RowLimit(batch_size(network.module, network.blank(1), memory_bytes))

    def front(self, inputs: Tensor) -> Kept:
        """Keep the inputs themselves and the layer's maps."""
        device = self.network.device
        parts = in_parts(len(inputs), self.limit, device, lambda part: self._read(inputs[part].to(device)))
        return {INPUTS: inputs.to(device), OUTPUT: torch.cat([*parts])}

    def _read(self, inputs: Tensor) -> Tensor:
        maps: list[Tensor] = []
        consumers = {self.layer: lambda found: maps.append(found.clone())}
        with stream(self.network.module, consumers, {self.layer: self.calls}, self.network.size):
            self.network.module(inputs.clone())
        return maps[0]

    def maps(self, kept: Mapping[str, Tensor]) -> Tensor:
        """Return the kept maps."""
        return kept[OUTPUT]

    def back(self, kept: Mapping[str, Tensor], maps: Tensor) -> Tensor:
        """Run the whole network with its layer's maps replaced."""
        parts = in_parts(
            len(maps), self.limit, self.network.device, lambda part: self._resume(kept[INPUTS][part], maps[part])
        )
        return torch.cat([*parts])

    def _resume(self, inputs: Tensor, maps: Tensor) -> Tensor:
        def replace(found: Tensor) -> None:
            found.copy_(maps)

        network = self.network
        with edit(network.module, self.layer, self.calls, replace, network.size):
            outputs: Tensor = network.module(inputs.clone())
        return outputs


class CutHalves:
    """Runs only the nodes before, or behind, the layer; see `Halves`.

    Raises
    ------
    CannotCut
        If something that the back needs is not there input by input, or the network cannot be traced.
    """

    cut, reason = True, None

    def __init__(self, whole: WholeHalves, memory_bytes: int) -> None:
        self.network, self.units = whole.network, whole.units
        graph = self._graph = _trace(whole)
        tail = graph.after(graph.layer)
        self._front = find_front(graph, tail)
        before, behind = [graph.layer, *self._front], [*graph.constants(tail), *tail]
        self._before = Schedule(graph, graph.before(before), before)
        self._behind = Schedule(graph, sorted(behind, key=lambda node: node.index), {graph.logits})
        row, largest = self._behind.row_bytes(), self._behind.largest_bytes()
        self._inputs = whole.limit
        self._limit = RowLimit(count_rows(row, largest, self.network.device, memory_bytes))

    def front(self, inputs: Tensor) -> Kept:
        """Keep the layer's outputs and what else goes into the back."""
        device = self.network.device
        parts = [*in_parts(len(inputs), self._inputs, device, lambda part: self._read(inputs[part].to(device)))]
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    def _read(self, inputs: Tensor) -> Kept:
        values = {IMAGES: inputs}
        self._before.run(values, len(inputs), {})
        beside = {f"front{index}": values[of] for index, of in enumerate(self._front)}
        return {OUTPUT: values[self._graph.layer], **beside}

    def maps(self, kept: Mapping[str, Tensor]) -> Tensor:
        """View the kept outputs as maps."""
        maps = as_map(kept[OUTPUT], len(kept[OUTPUT]), self.network.size)
        assert maps is not None
        return maps

    def back(self, kept: Mapping[str, Tensor], maps: Tensor) -> Tensor:
        """Run the nodes behind the layer."""
        device = self.network.device
        return torch.cat([*in_parts(len(maps), self._limit, device, lambda part: self._resume(kept, maps, part))])

    def _resume(self, kept: Mapping[str, Tensor], maps: Tensor, part: slice) -> Tensor:
        mine = {name: value[part] for name, value in kept.items()}
        mine[OUTPUT] = mine[OUTPUT].clone()
        self.maps(mine).copy_(maps[part])
        values = {of: mine[f"front{index}"] for index, of in enumerate(self._front)}
        values[self._graph.layer] = mine[OUTPUT]
        self._behind.run(values, len(mine[OUTPUT]), {})
        return values[self._graph.logits]


def _trace(whole: WholeHalves) -> Graph:
    network, inputs = whole.network, noise(whole.network, MORE)
    layer = network.module.get_submodule(whole.layer)
    few, more = (trace(network.module, layer, whole.calls, inputs[:count].clone()) for count in (FEW, MORE))
    return compare(few, more)


class _Trial:
    """What the whole network puts out for noise, with its own maps and with others: a cut one must say the same."""

    def __init__(self, whole: WholeHalves) -> None:
        self.inputs = noise(whole.network, TRIED)
        kept = whole.front(self.inputs)
        self.maps = whole.maps(kept)
        self.others = self.maps + (float(self.maps.std()) or 1.0) * (1 + self.maps.flip(0, 1).sign())
        self.untouched, self.changed = (whole.back(kept, maps) for maps in (self.maps, self.others))

    def check(self, cut: CutHalves) -> None:
        """Raise CannotCut where a cut network computes otherwise."""
        kept = cut.front(self.inputs)
        if not _alike(cut.maps(kept), self.maps):
            raise CannotCut("cut up, it does not compute the layer's output")
        both = torch.stack([self.maps, self.others], 1).flatten(0, 1)  # the two of each input beside each other
        outputs = cut.back(repeat(kept, 2), both)
        if not (_alike(outputs[::2], self.untouched) and _alike(outputs[1::2], self.changed)):
            raise CannotCut("cut up, it does not compute what it computes as a whole")


def _alike(found: Tensor, right: Tensor) -> bool:
    return found.shape == right.shape and torch.allclose(found, right, rtol=0, atol=CLOSE * float(right.abs().max()))
