"""The networks of the built-in world as a model's source, `builtin:<name>`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from service.errors import Invalid
from workers.scenes.classifier import INPUT, WEIGHTS, SceneClassifier, calibrated
from workers.scenes.renderer import SCENES


class ScenesClassifier:
    """The classifier of the built-in scenes."""

    kind = "classifier"
    input: Mapping[str, Any] = INPUT
    classes = SCENES
    concepts = ()

    def weights(self) -> Path:
        """The weights that ship with the package."""
        return WEIGHTS

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Nothing: there is one layout of its weights."""
        return state

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """The network with random weights; where none are to be loaded, its norms are calibrated."""
        return calibrated(SceneClassifier()) if state is None else SceneClassifier()


NETWORKS = {"scenes-classifier": ScenesClassifier}


def source(name: str, pretrained: str | None) -> ScenesClassifier:
    """Find a built-in network; raise Invalid for a name that there is none of, or for named weights."""
    if name not in NETWORKS:
        raise Invalid(f"there is no built-in network {name!r}; there are {', '.join(NETWORKS)}", "/source")
    if pretrained is not None:
        raise Invalid(
            f"builtin:{name} has the weights that it ships with; leave `pretrained` out", "/weights/pretrained"
        )
    return NETWORKS[name]()
