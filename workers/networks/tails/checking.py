"""A cut tail must say what the whole network says before it is trusted."""

import torch
from torch import Tensor

from service.errors import Invalid
from workers.networks.network import Network
from workers.networks.tails.cut import CutTail
from workers.networks.tails.refusals import classes_themselves, unreached
from workers.networks.tails.tail import LOGITS, Condition, Kept, Tail
from workers.networks.tails.trace import CannotCut
from workers.networks.tails.whole import WholeTail

SEED, TRIED = 0, 2
CLOSE = 1e-4
"""Of the logits' scale, by how much the two may differ."""
CLOSE_CHANGE, ROUNDING = 1e-2, 1e-5
"""Of what the removal changes; of the logits' scale, what is put down to rounding."""


def noise(network: Network, count: int) -> Tensor:
    """Draw images (count, 3, H, W), or latents, for trying a network, on its device."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.randn(network.blank(count).shape, generator=generator).to(network.device)


def check_alike(cut: CutTail, whole: WholeTail, expected: Kept) -> None:
    """Hold a cut tail against the whole network for some conditions; `expected` is what it kept of TRIED images.

    Raises
    ------
    CannotCut
        If the two differ.
    Invalid
        If what the units show does not reach the classes.
    """
    kept = cut.keep(noise(cut.network, TRIED))
    maps, untouched = whole.maps(expected), expected[LOGITS].to(cut.network.device)
    if not torch.allclose(cut.maps(kept), maps, rtol=0, atol=CLOSE * float(maps.abs().max())):
        raise CannotCut("cut up, it does not compute the layer's output")
    conditions, fill = _conditions(cut.units), _fill(maps)
    if not any(len(images) for _, images, _ in cut.block(kept, fill).run([range(cut.units)])):
        raise unreached(cut.layer)
    pairs = zip(_logits(cut, kept, fill, conditions), _logits(whole, expected, fill, conditions), strict=True)
    for found, right in [(kept[LOGITS].to(untouched.device), untouched), *pairs]:
        scale, change = float(right.abs().max()), float((right - untouched).abs().max())
        allowed = min(CLOSE * scale, max(CLOSE_CHANGE * change, ROUNDING * scale))
        if not bool(((found - right).abs() <= allowed).all()):
            raise CannotCut("cut up, it does not compute what it computes as a whole")


def check_single(whole: WholeTail, expected: Kept) -> None:
    """Raise Invalid where what the network says of an image depends on the images beside it."""
    together, alone = (kept[LOGITS][0] for kept in (expected, whole.keep(noise(whole.network, TRIED)[:1])))
    if not torch.allclose(together, alone, rtol=0, atol=CLOSE_CHANGE * float(together.abs().max())):
        raise Invalid("what the network says of an image depends on the images beside it", "/model")


def check_reached(whole: WholeTail, kept: Kept) -> None:
    """Raise Invalid where the classes do not depend on the layer, or are its units themselves."""
    ends = [0, whole.units - 1]
    *alone, none = _logits(whole, kept, _fill(whole.maps(kept)), [*([unit] for unit in ends), range(whole.units)])
    untouched = kept[LOGITS].to(none.device)
    if torch.equal(none, untouched):
        raise unreached(whole.layer)
    changed = [(logits != untouched).any(0).nonzero().flatten().tolist() for logits in alone]
    if whole.units == untouched.shape[1] and changed == [[unit] for unit in ends]:
        raise classes_themselves(whole.layer)


def _conditions(units: int) -> list[Condition]:
    """Choose a unit alone, a few together, and all but a few."""
    some = sorted({0, units // 3, 2 * units // 3})
    return [[units - 1], some, [unit for unit in range(units) if unit not in some[:2]]]


def _fill(maps: Tensor) -> Tensor:
    """Choose for each unit of some maps (B, U, h, w) a value that it does not have, but might."""
    generator = torch.Generator().manual_seed(SEED)
    return (float(maps.std()) or 1.0) * (1 + torch.rand(maps.shape[1], generator=generator))


def _logits(tail: Tail, kept: Kept, fill: Tensor, conditions: list[Condition]) -> list[Tensor]:
    """Logits (B, C) of all images under each condition."""
    block = tail.block(kept, fill)
    found = []
    for _, images, logits in block.run(conditions):
        found.append(block.logits.index_copy(0, images, logits))
    return found
