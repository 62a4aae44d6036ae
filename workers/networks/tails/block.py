"""Images behind a cut, ready for conditions."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from workers.networks.tails.anatomy import Anatomy
from workers.networks.tails.apart import Pair, Value
from workers.networks.tails.rows import RowLimit, Segment, changed_segments, sweep
from workers.networks.tails.sums import Sum
from workers.networks.tails.tail import Condition, Result
from workers.networks.tails.trace import Of

Front = Mapping[Of, Tensor]


class CutBlock:
    """Images for which the nodes behind the layer run; see `workers.networks.tails.tail.Block`."""

    def __init__(self, anatomy: Anatomy, limit: RowLimit, outputs: Pair, front: Front, logits: Tensor) -> None:
        self.logits = logits
        self._anatomy, self._limit, self._front = anatomy, limit, front
        full, removed = (self._run_apart(output) for output in outputs)
        pairs = {of: Pair(full[of], removed[of]) for of in anatomy.read}
        device = logits.device
        self._values = {of: Value(pair, anatomy.owners[of], anatomy.units, device) for of, pair in pairs.items()}
        sums = {index: Sum(node, self._values[node.args[0]]) for index, node in anatomy.sums.items()}
        # where a difference is no number, the sum is computed from what it sums
        self._sums = {index: each for index, each in sums.items() if each.finite}
        self._changed = self._find_changed()

    def run(self, conditions: Sequence[Condition]) -> Iterator[Result]:
        """Run the nodes on every image on which anything changes before the units meet."""
        segments = changed_segments(conditions, self._changed)
        return sweep(segments, self._limit, self._compute, self.logits[:0])

    def _run_apart(self, output: Tensor) -> dict[Of, Tensor]:
        values = {**self._front, self._anatomy.graph.layer: output}
        self._anatomy.apart.run(values, len(output), {})
        return {of: values[of] for of in self._anatomy.read}

    def _find_changed(self) -> Tensor:
        changed = torch.zeros(len(self.logits), self._anatomy.units, dtype=torch.bool, device=self.logits.device)
        for value in self._values.values():
            changed |= value.find_changed()
        return changed

    def _compute(self, segments: Sequence[Segment]) -> Tensor:
        rows = _Rows(self._front, self._values, segments)
        instead = {index: partial(each.rows, segments, rows.images) for index, each in self._sums.items()}
        self._anatomy.mixing.run(rows, len(rows.images), instead)
        return rows[self._anatomy.graph.logits]


class _Rows(dict[Of, Tensor]):
    """Values of rows, an image and a condition each; what is there image by image is fetched when it is first read."""

    def __init__(self, front: Front, values: Mapping[Of, Value], segments: Sequence[Segment]) -> None:
        super().__init__()
        self.images = torch.cat([segment.images for segment in segments])
        self._front, self._values, self._segments = front, values, segments

    def __missing__(self, of: Of) -> Tensor:
        if of in self._front:
            self[of] = self._front[of].index_select(0, self.images)
        else:
            self[of] = self._values[of].rows(self._segments, self.images)
        return self[of]
