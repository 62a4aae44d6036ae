"""Generators of progressively grown GANs as they were published: source `progressive-gan`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.progressive_gan import ProgressiveGenerator

LARGEST = 1024
"""Pixels along each side of the largest published pictures."""
OLD_LAYER = re.compile(r"features\.(\d+)\.")
REMEDY = "upload the generator's checkpoint, whose keys are layer1.conv.weight or features.0.conv.weight and so on"


def source(name: str, pretrained: str | None) -> "ProgressiveGan":
    """Take up an uploaded checkpoint; raise Invalid where a name or pretrained weights are asked for."""
    if name or pretrained is not None:
        raise Invalid(
            "the source 'progressive-gan' has no names; upload a checkpoint and give it as an artifact", "/source"
        )
    return ProgressiveGan()


@dataclass(frozen=True)
class ProgressiveGan:
    """A generator whose file tells the length of its latents, the units of its layers and its resolution."""

    kind: str = "generator"
    input: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    concepts: tuple[tuple[str, str] | None, ...] = ()

    def weights(self) -> Path:
        """Raise Invalid, for the source ships with none."""
        raise Invalid(f"progressive-gan comes without weights: {REMEDY}", "/weights")

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """Build the generator with the sizes of a state dict; raise Invalid where it tells none."""
        if state is None:
            raise Invalid(f"the sizes of a progressive GAN are in its file; {REMEDY}", "/weights")
        sizes = _sizes(_rename(state))
        return ProgressiveGenerator(2 ** len(sizes), sizes)

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Spell the older keys, `features.0.conv.weight` and `output.wscale.b`, as the newer checkpoints do."""
        return _rename(state)


def _rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`features.{i}.` becomes `layer{i + 1}.`, `output.` becomes `output_RxR.`."""
    named = {OLD_LAYER.sub(lambda match: f"layer{int(match[1]) + 1}.", key): state[key] for key in state}
    side = 2 ** (1 + len(_weights(named)) // 2)
    return {re.sub(r"^output\.", f"output_{side}x{side}.", key): tensor for key, tensor in named.items()}


def _sizes(state: Mapping[str, Tensor]) -> list[int]:
    """Length of a latent, then the units of each resolution (Bau et al., PNAS 2020, public code)."""
    weights = _weights(state)
    if len(weights) < 2 or len(weights) % 2 or any(weight.ndim != 4 for weight in weights):
        raise Invalid(
            f"the weights hold {len(weights)} layers of a progressive GAN, not pairs of them; {REMEDY}", "/weights"
        )
    if 2 ** (1 + len(weights) // 2) > LARGEST:
        raise Invalid(f"{len(weights)} layers would make pictures of more than {LARGEST} pixels' side", "/weights")
    return [weights[0].shape[1], *(weight.shape[0] for weight in weights[::2])]


def _weights(state: Mapping[str, Tensor]) -> list[Tensor]:
    names = (f"layer{number}.conv.weight" for number in count(1))
    return [state[name] for name in takewhile(state.__contains__, names)]
