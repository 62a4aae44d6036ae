"""What an image costs from a layer on."""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils.flop_counter import FlopCounterMode

from workers.networks.layers import LayerInfo
from workers.networks.network import Network
from workers.networks.tails.anatomy import SUMS
from workers.networks.tails.graph import FEW
from workers.networks.tails.owners import BY_CHANNEL, MOVES, POINTWISE, REDUCTIONS
from workers.networks.tails.trace import IMAGES, Call, Of, Recorder, find_argument, name_of, uses_in

log = logging.getLogger(__name__)

APART = MOVES | POINTWISE | BY_CHANNEL | REDUCTIONS
"""Operators that keep units apart, mostly; it is not looked at closely here."""
VALUE = 20
"""Operations in whose time a value is written."""
Flags = NDArray[np.bool_]


def tail_seconds(network: Network, layers: Sequence[LayerInfo], forward_seconds: float) -> dict[str, float]:
    """Estimate the seconds that an image takes for each unit removed, for the layers at which the network can be cut.

    They are the share of a pass's operations that follow the layer, as one traced pass shows it; the first sum over its
    units costs no more than one of them. Where that pass fails, or for a network that is no classifier, none are known.
    """
    if network.kind != "classifier":
        return {}
    try:
        shares = _Pass(network, layers).shares()
    except Exception:  # a network can do anything when it is looked at closely; a dissection does not
        log.info("what follows each layer is not known", exc_info=True)
        return {}
    return {name: share * forward_seconds for name, share in shares.items()}


class _CountingRecorder(Recorder):  # type: ignore[no-untyped-call]
    """Notes the operations of every call as well."""

    def __init__(self, images: Tensor, counter: FlopCounterMode) -> None:
        super().__init__(images)
        self.operations: list[int] = []
        self._counter = counter

    def __torch_dispatch__(self, function: OpOverload, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = self._counter.get_total_flops()
        result = super().__torch_dispatch__(function, types, args, kwargs)
        self.operations.append(self._counter.get_total_flops() - before)
        return result


class _Pass:
    """A pass through the network, and for every call the layers (L,) that it follows."""

    def __init__(self, network: Network, layers: Sequence[LayerInfo]) -> None:
        self.layers = layers
        self.units = np.array([layer.units for layer in layers])
        self.made_by: dict[str, Of] = {}
        images = network.blank(FEW)
        counter = FlopCounterMode(display=False)
        recorder = _CountingRecorder(images, counter)
        with torch.inference_mode(), ExitStack() as hooks, counter, recorder:
            for layer in layers:
                module = network.module.get_submodule(layer.name)
                hooks.enter_context(module.register_forward_hook(self._note(layer.name, recorder)))
            result = network.module(images)
        self.logits = recorder.find(result)
        self.calls, self.operations = recorder.trace.calls, recorder.operations
        self.none: Flags = np.zeros(len(layers), np.bool_)
        self.own: dict[Of, Flags] = {}
        for index, layer in enumerate(layers):
            self.own.setdefault(self.made_by[layer.name], self.none.copy())[index] = True
        self.behind: list[Flags] = []
        self.apart: list[Flags] = []

    def _note(self, name: str, recorder: Recorder) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self.made_by[name] = recorder.find(output)

        return hook

    def shares(self) -> dict[str, float]:
        """Share of all operations that follow each layer, of those behind which the network can be cut."""
        whole, costs, uncut = 0.0, np.zeros(len(self.layers)), self.none.copy()
        for call, operations in zip(self.calls, self.operations, strict=True):
            writing = VALUE * sum(prod(shape.sizes) for shape in call.shapes if shape)
            sums = self._follow(call, uncut)
            mixing = self.behind[-1] & ~self.apart[-1]
            costs += mixing * (writing + operations / np.where(sums, self.units, 1))
            whole += writing + operations
        known = self.behind[self.logits.call] & ~self.apart[self.logits.call] & ~uncut
        return {self.layers[index].name: float(costs[index] / whole) for index in np.flatnonzero(known).tolist()}

    def _follow(self, call: Call, uncut: Flags) -> Flags:
        """Note the layers that a call follows, and after which units are still apart; return those that it sums up."""
        uses = [use for use in uses_in((*call.args, *call.options.values())) if self._is_live(use)]
        behind, mixed = self.none.copy(), self.none.copy()
        for use in uses:
            behind |= self._find_behind(use)
            mixed |= self._find_behind(use) & ~self._find_apart(use)
        for use in uses:
            if self._find_sizes(use)[:1] != (FEW,):
                uncut |= behind & ~self._find_behind(use)  # it would have to be kept, and is not there image by image
        name, groups = name_of(call.function), find_argument(call.function, call.args, call.options, "groups")
        unmixed = behind & ~mixed
        self.behind.append(behind)
        apart = name in APART or torch.Tag.pointwise in call.function.tags or (groups or 1) > 1
        self.apart.append(unmixed if apart else self.none)
        return unmixed if name in SUMS else self.none

    def _is_live(self, use: Of) -> bool:
        return use == IMAGES or not self.calls[use.call].constants

    def _find_sizes(self, use: Of) -> tuple[int, ...]:
        shape = self.calls[use.call].shapes[use.output] if use != IMAGES else None
        return shape.sizes if shape else (FEW,)

    def _own(self, use: Of) -> Flags:
        """Tell which layers put this out."""
        return self.own.get(use, self.none)

    def _find_behind(self, use: Of) -> Flags:
        return self._own(use) | (self.none if use == IMAGES else self.behind[use.call])

    def _find_apart(self, use: Of) -> Flags:
        return self._own(use) | (self.none if use == IMAGES else self.apart[use.call])
