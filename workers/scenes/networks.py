"""The networks of the built-in world as a model's source, `builtin:<name>`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.progressive_gan import ProgressiveGenerator
from workers.scenes import classifier, generator, segmenter
from workers.scenes.renderer import SCENES


@dataclass(frozen=True)
class BuiltIn:
    """A network that comes with the package."""

    kind: str
    input: Mapping[str, Any]
    path: Path
    new: Callable[[], nn.Module]
    """Builds it with random weights."""
    prepare: Callable[[nn.Module], nn.Module] = lambda network: network
    """What a network that keeps its random weights needs besides."""
    classes: Sequence[str] = ()
    concepts: Sequence[tuple[str, str] | None] = ()

    def weights(self) -> Path:
        """The weights that ship with the package."""
        return self.path

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Nothing: there is one layout of its weights."""
        return state

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """The network with random weights; where none are to be loaded, it is prepared to do without."""
        return self.prepare(self.new()) if state is None else self.new()


def _generator() -> nn.Module:
    return ProgressiveGenerator(generator.RESOLUTION, generator.SIZES)


NETWORKS = {
    "scenes-classifier": BuiltIn(
        "classifier", classifier.INPUT, classifier.WEIGHTS, classifier.SceneClassifier, classifier.calibrated, SCENES
    ),
    "scenes-segmenter": BuiltIn(
        "segmenter", classifier.INPUT, segmenter.WEIGHTS, segmenter.SceneSegmenter, concepts=segmenter.OUTPUTS
    ),
    "scenes-generator": BuiltIn("generator", generator.INPUT, generator.WEIGHTS, _generator),
}


def source(name: str, pretrained: str | None) -> BuiltIn:
    """Find a built-in network; raise Invalid for a name that there is none of, or for named weights."""
    if name not in NETWORKS:
        raise Invalid(f"there is no built-in network {name!r}; there are {', '.join(NETWORKS)}", "/source")
    if pretrained is not None:
        raise Invalid(
            f"builtin:{name} has the weights that it ships with; leave `pretrained` out", "/weights/pretrained"
        )
    return NETWORKS[name]
