"""A network ready for use: built by its source, filled with its weights, its input and outputs described."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.artifacts.store import ArtifactStore
from service.errors import Invalid, NotFound
from workers.networks.exported import ExportedArchive
from workers.networks.inputs import InputSpec, Size
from workers.networks.latents import LatentSpec
from workers.networks.sources import Architecture, find_architecture
from workers.networks.weights import Weights, fill, read_state

OUTPUTS = {
    "classifier": (2, "one value a class, (n, classes)"),
    "segmenter": (4, "one map of logits a concept, (n, concepts, h, w)"),
    "generator": (4, "one picture a latent, (n, 3, H, W)"),
}
"""What a network of each kind puts out for n images or latents: the number of dimensions, and in words."""
TRIED, CLOSE = 2, 1e-3
"""Latents that a generator is tried with, and by how much, of its largest output, a picture may differ in company."""


@dataclass(frozen=True, eq=False)
class Network:
    """A module in evaluation mode on its device, without gradients for its parameters, and what belongs to it."""

    module: nn.Module
    kind: str
    takes: InputSpec | LatentSpec
    """What it is given: images, or the latents of a generator."""
    classes: list[str]
    """Of a classifier: names of the outputs."""
    concepts: list[tuple[str, str] | None]
    """Of a segmenter: the (category, name) that each output stands for, None for one that stands for nothing."""
    digest: str
    """sha256 over source, weights, input and concepts; equal digests give equal figures."""
    device: torch.device

    @property
    def input(self) -> InputSpec:
        """How an image becomes the input of a classifier or segmenter."""
        assert isinstance(self.takes, InputSpec)
        return self.takes

    @property
    def latent(self) -> LatentSpec:
        """What a generator is given and makes."""
        assert isinstance(self.takes, LatentSpec)
        return self.takes

    @property
    def size(self) -> Size:
        """Height and width of the images that it is given, or of the pictures that it makes."""
        return self.takes.size

    def blank(self, count: int) -> Tensor:
        """Make inputs of zeros, images (n, 3, H, W) or latents, on its device."""
        return self.takes.blank(count).to(self.device)


def load(
    source: str,
    weights: Mapping[str, Any],
    input: Mapping[str, Any],
    classes: Sequence[str],
    store: ArtifactStore,
    device: torch.device,
    *,
    kind: str = "classifier",
    concepts: Sequence[Sequence[str] | None] = (),
) -> Network:
    """Build a network and try it: on a blank image, or a generator on two latents.

    Parameters
    ----------
    source, weights, input
        As a model is registered: `torchvision:vgg16`, `{"artifact": sha256}`, and the fields of the input
        description that differ from what the source knows.
    classes
        Names of a classifier's outputs; where empty, the names that the source knows, or else the outputs' numbers.
    store
        Where artifacts lie.
    device
        Where the network shall run.
    kind
        `classifier`, `segmenter` for a network whose output is one map of logits a concept, or `generator` for one that
        makes pictures of latents.
    concepts
        (category, name), or None, for each of a segmenter's outputs; where empty, what the source knows.

    Raises
    ------
    Invalid
        If a name is unknown, the network is of another kind, the weights do not fit or are unsafe, the network does
        not take such an input, or the classes or concepts are not as many as its outputs.
    Unavailable
        If pretrained weights cannot be downloaded.
    """
    wanted = Weights.from_json(weights)
    architecture = find_architecture(source, wanted.pretrained)
    _check_kind(source, architecture.kind, kind)
    file = _find_file(wanted, architecture, store)
    given = {**architecture.input, **input}
    spec = None if kind == "generator" else InputSpec.from_json(given)
    size = spec.size if spec else (0, 0)
    module = _build(architecture, size, file, wanted.seed, device).eval().requires_grad_(False).to(device)
    takes = spec or _try_generator(module, given, device)
    outputs = _count_outputs(module, kind, spec, device) if spec else 0
    names = _name_outputs(classes, architecture.classes, outputs) if kind == "classifier" else []
    meanings = _interpret_outputs(concepts, architecture.concepts, outputs) if kind == "segmenter" else []
    digest = _digest(source, wanted, file, takes, meanings)
    return Network(module, kind, takes, names, meanings, digest, device)


def _check_kind(source: str, is_kind: str | None, wanted: str) -> None:
    if is_kind not in (None, wanted):
        raise Invalid(f"{source} is a {is_kind}, no {wanted}; register it as kind {is_kind!r}", "/kind")


def _find_file(weights: Weights, architecture: Architecture | ExportedArchive, store: ArtifactStore) -> Path | None:
    """Return the file that the weights are in; None for weights drawn by seed."""
    if weights.seed is not None:
        return None
    if weights.artifact is None:
        return architecture.weights()
    try:
        return store.path(weights.artifact)
    except (Invalid, NotFound) as error:
        raise Invalid(f"{error.detail}; upload the file first", "/weights/artifact") from error


def _build(
    architecture: Architecture | ExportedArchive, size: Size, file: Path | None, seed: int | None, device: torch.device
) -> nn.Module:
    if isinstance(architecture, ExportedArchive):
        return architecture.open(file or architecture.weights(), device)
    state = None if file is None else read_state(file)
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also seed the accelerators' generators
        torch.default_generator.manual_seed(seed or 0)
        module = architecture.build(size, state)
    if state is not None:
        fill(module, architecture.adapt(state, module))
    return module


def _count_outputs(module: nn.Module, kind: str, spec: InputSpec, device: torch.device) -> int:
    images = f"images of {spec.size[0]} x {spec.size[1]}"
    return _try(module, kind, spec.blank(1).to(device), images, "/input").shape[1]


def _try_generator(module: nn.Module, given: Mapping[str, Any], device: torch.device) -> LatentSpec:
    """Find the size of a generator's pictures; a network that tells its `latent` need not be told the shape of one."""
    known = {"latent": [module.latent]} if isinstance(getattr(module, "latent", None), int) else {}
    spec = LatentSpec.from_json({**known, **given})
    latents = spec.draw(0, 0, TRIED).to(device)
    words = f"latents of {list(spec.shape)}"
    together, alone = (_try(module, "generator", some, words, "/input/latent") for some in (latents, latents[:1]))
    if len(together) != TRIED or together.shape[1] != 3:
        raise Invalid(f"the network is no generator: its output is not {OUTPUTS['generator'][1]}", "/source")
    if not torch.allclose(together[:1], alone, rtol=0, atol=CLOSE * float(alone.abs().max())):
        raise Invalid("the picture of a latent depends on chance, or on the latents beside it", "/source")
    height, width = alone.shape[2:]
    return replace(spec, size=(height, width))


def _try(module: nn.Module, kind: str, inputs: Tensor, words: str, pointer: str) -> Tensor:
    try:
        with torch.no_grad():
            output = module(inputs)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a network from an archive can raise anything
        raise Invalid(f"the network does not take {words}: {error}", pointer) from error
    dimensions, form = OUTPUTS[kind]
    if not isinstance(output, Tensor) or output.ndim != dimensions:
        raise Invalid(f"the network is no {kind}: its output is not {form}", "/source")
    return output


def _name_outputs(given: Sequence[str], known: Sequence[str], outputs: int) -> list[str]:
    if given and len(given) != outputs:
        raise Invalid(f"{len(given)} classes are named, the network has {outputs} outputs", "/classes")
    if given:
        return list(given)
    return list(known) if len(known) == outputs else [str(index) for index in range(outputs)]


def _interpret_outputs(
    given: Sequence[Sequence[str] | None], known: Sequence[Sequence[str] | None], outputs: int
) -> list[tuple[str, str] | None]:
    meanings = given or (known if len(known) == outputs else ())
    if len(meanings) != outputs:
        problem = f"{len(given)} concepts are given" if given else "what they stand for is not known"
        form = '{"category": ..., "name": ...} or null'
        raise Invalid(f"the network has {outputs} outputs, {problem}; give `concepts`, {form} for each", "/concepts")
    return [None if meaning is None else (meaning[0], meaning[1]) for meaning in meanings]


def _digest(
    source: str,
    weights: Weights,
    file: Path | None,
    spec: InputSpec | LatentSpec,
    concepts: Sequence[tuple[str, str] | None],
) -> str:
    identity: list[object] = [source, weights.artifact or (_hash(file) if file else weights.seed), spec.to_json()]
    identity += [concepts] if concepts else []
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
