"""The tail of a network that cannot be cut: all of it runs, with the layer's output changed on the way."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from workers.networks.footprint import batch_size
from workers.networks.network import Network
from workers.networks.tails.rows import RowLimit, Segment, changed_segments, keep_all, sweep
from workers.networks.tails.tail import LOGITS, OUTPUT, Condition, Kept, Result
from workers.networks.taps import count_calls, edit, stream

PIXELS = "pixels"


class WholeTail:
    """Runs the whole network for every condition; see `workers.networks.tails.tail.Tail`."""

    cut = False

    def __init__(self, network: Network, layer: str, units: int, memory_bytes: int) -> None:
        self.network, self.layer, self.units = network, layer, units
        self.reason: str | None = None
        blank = network.blank(1)
        with torch.inference_mode():
            self.calls = count_calls(network.module, [layer], blank)[layer]
            self.limit = RowLimit(batch_size(network.module, blank, memory_bytes))
        self.image_bytes = blank.nbytes

    def keep(self, pixels: Tensor) -> Kept:
        """Keep the images themselves, the layer's maps and the logits."""
        return keep_all(pixels, self.limit, self.network.device, self._read)

    def _read(self, pixels: Tensor) -> Kept:
        maps: list[Tensor] = []
        consumers = {self.layer: lambda found: maps.append(found.clone())}
        with stream(self.network.module, consumers, {self.layer: self.calls}):
            logits = self.network.module(pixels.clone())
        return {PIXELS: pixels, OUTPUT: maps[0].float(), LOGITS: logits.float()}

    def maps(self, kept: Mapping[str, Tensor]) -> Tensor:
        """Return the kept maps (B, U, h, w)."""
        return kept[OUTPUT]

    def block(self, kept: Mapping[str, Tensor], fill: Tensor) -> "WholeBlock":
        """Take images to the device."""
        return WholeBlock(self, kept, fill)


class WholeBlock:
    """Images for which the whole network runs; see `workers.networks.tails.tail.Block`."""

    def __init__(self, tail: WholeTail, kept: Mapping[str, Tensor], fill: Tensor) -> None:
        device = tail.network.device
        self._tail, self._fill = tail, fill.to(device)[:, None, None]  # (U, 1, 1)
        self._pixels, self.logits = kept[PIXELS].to(device), kept[LOGITS].to(device)
        self._changed = (kept[OUTPUT] != fill[:, None, None].cpu()).any(-1).any(-1).to(device)  # (b, U)

    def run(self, conditions: Sequence[Condition]) -> Iterator[Result]:
        """Run the network on every image that has a map which becomes another."""
        segments = changed_segments(conditions, self._changed)
        return sweep(segments, self._tail.limit, self._compute, self.logits[:0])

    def _compute(self, segments: Sequence[Segment]) -> Tensor:
        def change(maps: Tensor) -> None:
            start = 0
            for segment in segments:
                stop = start + len(segment.images)
                maps[start:stop, list(segment.units)] = self._fill[list(segment.units)].to(maps.dtype)
                start = stop

        tail = self._tail
        with edit(tail.network.module, tail.layer, tail.calls, change):
            logits: Tensor = tail.network.module(self._pixels[torch.cat([segment.images for segment in segments])])
        return logits.float()
