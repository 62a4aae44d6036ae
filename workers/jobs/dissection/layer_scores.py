"""What the shards of the stage `score` found of one layer, joined."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.analysis.controls import corrected_p_values, p_values

PRESENCE = ("average_precision", "auroc", "equal_error_threshold", "balanced_accuracy")


class LayerScores:
    """Scores of pairs and units, by unit and concept index."""

    def __init__(self, scratch: Path, names: Sequence[str]) -> None:
        self.histograms: dict[int, dict[str, Any]] = {}
        self.intervals: dict[int, tuple[float, float]] = {}
        self._presence: dict[tuple[int, int], dict[str, float | None]] = {}
        self._reached: dict[int, NDArray[np.int64]] = {}
        self._best: list[NDArray[np.float64]] = []
        for name in names:
            with np.load(scratch / f"{name}.npz", allow_pickle=False) as arrays:
                self._take(arrays)
            rows = json.loads((scratch / f"{name}.json").read_text())
            self.histograms |= {int(unit): row for unit, row in rows.items()}

    def _take(self, arrays: Any) -> None:
        pairs = zip(arrays["pair_units"].tolist(), arrays["pair_concepts"].tolist(), strict=True)
        values = zip(*(arrays[name].tolist() for name in PRESENCE), strict=True)
        for pair, scores in zip(pairs, values, strict=True):
            self._presence[pair] = {n: None if np.isnan(s) else s for n, s in zip(PRESENCE, scores, strict=True)}
        units = arrays["units"].tolist()
        ends = zip(arrays["iou_low"].tolist(), arrays["iou_high"].tolist(), strict=True)
        self.intervals |= dict(zip(units, ends, strict=True))
        if "best" in arrays:
            self._reached |= dict(zip(units, arrays["reached"], strict=True))
            self._best.append(arrays["best"])

    def of(self, unit: int, concept: int, iou: float, *, label: bool) -> dict[str, float | None]:
        """The scores of a stored pair, by the names of the columns; the interval is the label's alone."""
        found = dict(self._presence[unit, concept])
        if label:
            found["iou_low"], found["iou_high"] = self.intervals[unit]
        if self._best:
            found["p_value"] = float(p_values(self._reached[unit][concept]))
            found["p_value_corrected"] = float(corrected_p_values(np.array(iou), self._best_of_all()))
        return found

    def _best_of_all(self) -> NDArray[np.float64]:
        best: NDArray[np.float64] = np.max([block.max(axis=0) for block in self._best], axis=0)
        return best

    def permutation(self, best_ious: NDArray[np.float64], cutoff: float) -> dict[str, Any] | None:
        """What shuffled masks give, beside the labels' real IoUs (U,); None where that was not asked for.

        `detectors` and `mean_best_iou` are means over the permutations; `highest_iou` is the IoU that the best of all
        units and concepts stays below in 95 % of them, and `significant` the labels with a corrected p of at most 0.05.
        """
        if not self._best:
            return None
        best = np.concatenate(self._best)  # (U, P)
        corrected = corrected_p_values(best_ious, self._best_of_all())
        return {
            "permutations": best.shape[1],
            "detectors": float((best > cutoff).sum(axis=0).mean()),
            "mean_best_iou": float(best.mean()),
            "highest_iou": float(np.quantile(best.max(axis=0), 0.95)),
            "significant": int((corrected <= 0.05).sum()),
        }
