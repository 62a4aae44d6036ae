"""Images on their way through the networks of a job, in batches that fit the memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from service.errors import Invalid
from service.jobs.estimates import ROTATION, UNTRAINED
from workers.analysis.collecting import BatchMaps, batch_maps
from workers.analysis.controls import random_rotation, rotate
from workers.analysis.upsampling import Mode
from workers.jobs.dissection.images import Subject
from workers.jobs.dissection.views import View
from workers.jobs.kind import ShardContext
from workers.jobs.subjects import calls_of, largest_batch, open_untrained
from workers.networks.footprint import is_out_of_memory
from workers.networks.precision import as_input, in_precision
from workers.networks.taps import stream

Images = NDArray[np.int64]
Keep = Callable[[], None]
"""Adds what was read of a batch to what was kept of those before."""
Consumer = Callable[[BatchMaps, Images], Keep]
"""Reads a view's maps of a batch; what it returns is called once the batch has passed the whole network."""


class Forward:
    """The networks of a job and the size of batch that they take."""

    def __init__(self, context: ShardContext, subject: Subject) -> None:
        params = context.job.params
        self.grid: int = params["grid"]
        self.mode: Mode = params["upsampling"]
        self.calls = calls_of(subject.network, tuple(params["layers"]))
        self.precision: str = params["precision"]
        trained = in_precision(subject.network, self.precision)
        self.modules: dict[str | None, nn.Module] = {None: trained, ROTATION: trained}
        if UNTRAINED in params["controls"]:
            self.modules[UNTRAINED] = in_precision(open_untrained(context), self.precision)
        self.device, self.size = subject.network.device, subject.network.size
        self.batch = largest_batch(subject.network, context.settings.memory_bytes // 2)

    def run(self, inputs: Tensor, images: Images, consumers: Mapping[View, Consumer]) -> Tensor | None:
        """Pass images (B, 3, H, W), or latents, and hand each view's maps to its consumer.

        Fewer pass at a time where memory ends. Returned are the outputs (B, ...) of the network as it was trained, None
        where no view needs it to run.
        """
        outputs: list[Tensor] = []
        start = 0
        while start < len(images):
            part = slice(start, start + self.batch)
            kept: list[Keep] = []
            found = self._try(inputs[part], images[part], consumers, kept)
            if found is None:
                self._halve()
                continue
            for keep in kept:
                keep()
            outputs += found
            start = part.stop
        return torch.cat(outputs) if outputs else None

    def _try(
        self, inputs: Tensor, images: Images, consumers: Mapping[View, Consumer], kept: list[Keep]
    ) -> list[Tensor] | None:
        """Have the consumers read, and return the trained network's outputs; None where the memory did not suffice."""
        outputs: list[Tensor] = []
        try:
            with torch.inference_mode():
                for module, views in self._by_module(consumers).items():
                    handlers = self._handlers(views, images, consumers, kept)
                    with stream(module, handlers, self.calls, self.size):
                        found = module(as_input(inputs, self.device, self.precision))
                    outputs += [found] if module is self.modules[None] else []
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return None
        return outputs

    def _by_module(self, views: Iterable[View]) -> dict[nn.Module, list[View]]:
        """The views that one pass through each module serves."""
        grouped: dict[nn.Module, list[View]] = {}
        for view in views:
            grouped.setdefault(self.modules[view.control], []).append(view)
        return grouped

    def _handlers(
        self, views: Sequence[View], images: Images, consumers: Mapping[View, Consumer], kept: list[Keep]
    ) -> dict[str, Callable[[Tensor], None]]:
        def handler(layer: str) -> Callable[[Tensor], None]:
            mine = [view for view in views if view.layer == layer]

            def handle(maps: Tensor) -> None:
                for view in mine:
                    kept.append(consumers[view](self._reduce(maps, view), images))

            return handle

        return {layer: handler(layer) for layer in {view.layer: None for view in views}}

    def _reduce(self, maps: Tensor, view: View) -> BatchMaps:
        if view.control == ROTATION:
            maps = rotate(maps.float(), _rotation(maps.shape[1], maps.device))
        try:
            return batch_maps(maps, self.grid, self.mode)
        except ValueError as error:
            raise Invalid(
                f"layer {view.layer!r}, {error}: the network does not compute on these images", "/layers"
            ) from None

    def _halve(self) -> None:
        if self.batch == 1:
            raise Invalid("the memory does not suffice for a single image; dissect fewer layers at a time", "/layers")
        self.batch //= 2
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


@lru_cache(256)
def _rotation(units: int, device: torch.device) -> Tensor:
    return random_rotation(units).to(device)
