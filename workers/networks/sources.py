"""Where architectures come from: one source a file, found by the word before the colon of a model's `source`."""

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from service.errors import Invalid
from workers.networks import exported, places365_source, progressive_gan_source, torchvision_source


class Architecture(Protocol):
    """One network that a source can build, and what the source knows of it.

    The objects that entry points of group `unitatlas.networks` return have these members; they need to inherit nothing.
    """

    @property
    def kind(self) -> str | None:
        """What the network is, `classifier`, `segmenter` or `generator`; None where it is what it is registered as."""

    @property
    def input(self) -> Mapping[str, Any]:
        """Fields of the input description that go with its weights; what a model is registered with wins.

        Of a generator `latent` and `range`, see `workers.networks.latents.LatentSpec`; where the file alone tells the
        length of a latent, the network that `build` returns has it as its attribute `latent`.
        """

    @property
    def classes(self) -> Sequence[str]:
        """Names of a classifier's outputs that go with its weights, or none."""

    @property
    def concepts(self) -> Sequence[tuple[str, str] | None]:
        """What a segmenter's outputs stand for, (category, name) or None, with its weights; or nothing."""

    def weights(self) -> Path:
        """File with the weights that were asked for by name, or that ship with it; raise Invalid if there are none."""

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """Build the network, drawing its parameters from torch's default generator.

        `size` is the height and width of its input, of no meaning for a generator; a state dict tells what it leaves
        open, such as the number of outputs. Nothing of the state is loaded yet.
        """

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Rename what checkpoints call otherwise than the network that `build` returned."""


Source = Callable[[str, str | None], Architecture | exported.ExportedArchive]
"""From the name after the colon and the name of pretrained weights; raises Invalid for names it does not know."""


def _timm(name: str, pretrained: str | None) -> Architecture:
    from workers.networks import timm_source  # importing timm takes seconds: only who uses it waits for them

    return timm_source.source(name, pretrained)


SOURCES: dict[str, Source] = {
    "exported": exported.source,
    "places365": places365_source.source,
    "progressive-gan": progressive_gan_source.source,
    "timm": _timm,
    "torchvision": torchvision_source.source,
}


def find_architecture(source: str, pretrained: str | None) -> Architecture | exported.ExportedArchive:
    """Look up what a model's `source` names; raise Invalid that says which sources or names there are."""
    prefix, _, name = source.partition(":")
    if prefix in SOURCES:
        return SOURCES[prefix](name, pretrained)
    others = entry_points(group="unitatlas.networks")
    if prefix in others.names:
        found: Source = others[prefix].load()
        return found(name, pretrained)
    known = sorted({*SOURCES, *others.names})
    near = get_close_matches(prefix, known, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    raise Invalid(f"there is no source {prefix!r}; the sources are {', '.join(known)}{meant}", "/source")
