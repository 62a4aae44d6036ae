"""Networks of timm: source `timm:<name>`, such as `timm:vit_tiny_patch16_224`."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import floor
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import hf_hub_download
from timm.data.imagenet_info import ImageNetInfo
from timm.models import PretrainedCfg
from torch import Tensor, nn

from service.errors import Invalid, Unavailable
from workers.networks.downloads import REMEDY

IMAGENET = 1000
SAFE_FILE = "model.safetensors"


def source(name: str, pretrained: str | None) -> "TimmNetwork":
    """Find a network, with its pretrained weights where their tag is named; raise Invalid for an unknown name."""
    if name not in (names := timm.list_models()):
        near = get_close_matches(name, names, n=5, cutoff=0.4)
        raise Invalid(
            f"timm has no network {name!r}; near it are {', '.join(near) or 'none'}, all are in timm.list_models(); "
            'the tag of its weights is given apart, as {"pretrained": "<tag>"}',
            "/source",
        )
    usual = timm.get_pretrained_cfg(name)
    assert usual is not None
    if pretrained is None:
        return TimmNetwork(name, usual, named=False)
    published = _list_published(name)
    if pretrained not in published:
        raise Invalid(
            f"timm has no weights {pretrained!r} of {name}; there are {', '.join(published) or 'none'}",
            "/weights/pretrained",
        )
    return TimmNetwork(name, published[pretrained], named=True)


def _list_published(name: str) -> dict[str, PretrainedCfg]:
    """Weights by their tags, those alone that the hub has as safetensors."""
    tags = [tagged.partition(".")[2] for tagged in timm.list_pretrained(f"{name}.*")]
    described = {tag: timm.get_pretrained_cfg(f"{name}.{tag}") for tag in tags}
    return {tag: weights for tag, weights in described.items() if weights and weights.hf_hub_id}


@dataclass(frozen=True)
class TimmNetwork:
    """A network of timm and the description of the published weights whose conventions it follows."""

    name: str
    published: PretrainedCfg
    named: bool
    """Whether these weights were asked for; else they only tell the usual input and outputs."""
    kind = "classifier"
    concepts = ()

    @property
    def input(self) -> Mapping[str, Any]:
        """Size, crop, mean and standard deviation of the published weights; resized bilinearly, bicubic or not."""
        height, width = self._size
        resized = [floor(side / self.published.crop_pct) for side in (height, width)]
        squashed = self.published.crop_mode == "squash" or height != width
        return {
            "resize": resized if squashed else resized[0],
            "crop": [height, width],
            "mean": list(self.published.mean),
            "std": list(self.published.std),
        }

    @property
    def classes(self) -> Sequence[str]:
        """The 1,000 names of ImageNet where the network tells as many classes apart."""
        if self.published.num_classes != IMAGENET:
            return ()
        known = ImageNetInfo()
        return [known.index_to_description(index).partition(",")[0] for index in range(IMAGENET)]

    def weights(self) -> Path:
        """Download the published weights into the hub's cache if they are not there; Unavailable if that fails."""
        if not self.named:
            raise Invalid(f"timm:{self.name} comes without weights: give an artifact, pretrained or seed", "/weights")
        repository = str(self.published.hf_hub_id)
        try:
            return Path(hf_hub_download(repository, SAFE_FILE))
        except Exception as error:  # what the hub raises is of many kinds
            raise Unavailable(
                f"{SAFE_FILE} of {repository} could not be downloaded ({error}); {REMEDY}", "/weights/pretrained"
            ) from error

    def build(self, size: tuple[int, int], state: Mapping[str, Tensor] | None) -> nn.Module:
        """Build the network for that size, with as many outputs as the state's head has."""
        resized: dict[str, Any] = {"img_size": size} if self.published.fixed_input_size and size != self._size else {}
        try:
            return timm.create_model(self.name, num_classes=self._count_outputs(state or {}), **resized)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise Invalid(f"{self.name} does not take images of {size[0]} x {size[1]}: {error}", "/input") from error

    def adapt(self, state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
        """Rename, and resize position embeddings, as timm does with older checkpoints of this architecture."""
        convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
        try:
            return dict(convert(state, network)) if convert else state
        except Exception as error:  # it takes the layout of a checkpoint for granted
            raise Invalid(f"the weights are none of {self.name}: {error!r}", "/weights") from error

    @property
    def _size(self) -> tuple[int, int]:
        _, height, width = self.published.input_size
        return height, width

    def _count_outputs(self, state: Mapping[str, Tensor]) -> int:
        heads = self.published.classifier
        head = state.get(f"{heads if isinstance(heads, str) or not heads else heads[0]}.weight")
        return self.published.num_classes if head is None else len(head)
