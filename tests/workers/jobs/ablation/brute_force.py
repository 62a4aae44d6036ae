"""What an ablation must find, by the long way: a whole forward pass for every set of units, and loops over images.

Nothing here is shared with the code under test but the order of the images.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


def logits_without(
    module: nn.Module, layer: str, images: torch.Tensor, units: Sequence[int], values: Sequence[float] | None = None
) -> np.ndarray:
    """The logits with units of a layer's maps set to 0, or to values."""

    def silence(_module, _inputs, output):
        output = output.clone()
        for place, unit in enumerate(units):
            output[:, unit] = 0.0 if values is None else values[place]
        return output

    hook = module.get_submodule(layer).register_forward_hook(silence)
    with torch.no_grad():
        found = module(images).double().numpy()
    hook.remove()
    return found


@dataclass
class Judged:
    """One class, from logits and true classes."""

    recall: float
    rejection: float
    all_class: float
    log_probability: float
    called: list[bool]

    @property
    def balanced(self) -> float:
        return (self.recall + self.rejection) / 2


def judge(logits: np.ndarray, classes: Sequence[int], wanted: int) -> Judged:
    called = [int(np.argmax(row)) for row in logits]
    own = [answer == wanted for answer, true in zip(called, classes, strict=True) if true == wanted]
    others = [answer != wanted for answer, true in zip(called, classes, strict=True) if true != wanted]
    recalls = [
        np.mean([answer == c for answer, true in zip(called, classes, strict=True) if true == c])
        for c in sorted(set(classes))
    ]
    likely = [
        row[true] - np.log(np.sum(np.exp(row))) for row, true in zip(logits, classes, strict=True) if true == wanted
    ]
    return Judged(
        float(np.mean(own)),
        float(np.mean(others)),
        float(np.mean(recalls)),
        float(np.mean(likely)),
        [answer == wanted for answer in called],
    )


def margin(logits: np.ndarray, wanted: int) -> list[float]:
    return [float(row[wanted] - max(np.delete(row, wanted))) for row in logits]


def auroc(scores: Sequence[float], is_class: Sequence[bool]) -> float:
    own = [score for score, yes in zip(scores, is_class, strict=True) if yes]
    others = [score for score, yes in zip(scores, is_class, strict=True) if not yes]
    won = [1.0 if one > other else 0.5 if one == other else 0.0 for one in own for other in others]
    return float(np.mean(won))


def balanced_at(scores: Sequence[float], is_class: Sequence[bool], cut: float) -> float:
    own = [score > cut for score, yes in zip(scores, is_class, strict=True) if yes]
    others = [score <= cut for score, yes in zip(scores, is_class, strict=True) if not yes]
    return float(np.mean(own) + np.mean(others)) / 2


def best_balanced(scores: Sequence[float], is_class: Sequence[bool]) -> float:
    """The best balanced accuracy that any cut reaches."""
    return max(balanced_at(scores, is_class, cut) for cut in [min(scores) - 1, *scores])
