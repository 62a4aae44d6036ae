"""A network ready for use: built by its source, filled with its weights, its input and outputs described."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.artifacts.store import ArtifactStore
from service.errors import Invalid, NotFound
from workers.networks.exported import ExportedArchive
from workers.networks.inputs import InputSpec, Size
from workers.networks.sources import Architecture, find_architecture
from workers.networks.weights import Weights, fill, read_state

OUTPUTS = {
    "classifier": (2, "one value a class, (n, classes)"),
    "segmenter": (4, "one map of logits a concept, (n, concepts, h, w)"),
}
"""What a network of each kind puts out for n images: the number of dimensions, and in words."""


@dataclass(frozen=True, eq=False)
class Network:
    """A module in evaluation mode on its device, without gradients for its parameters, and what belongs to it."""

    module: nn.Module
    kind: str
    input: InputSpec
    classes: list[str]
    """Of a classifier: names of the outputs."""
    concepts: list[tuple[str, str] | None]
    """Of a segmenter: the (category, name) that each output stands for, None for one that stands for nothing."""
    digest: str
    """sha256 over source, weights, input and concepts; equal digests give equal figures."""
    device: torch.device


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
    """Build a network and try it on a blank image.

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
        `classifier`, or `segmenter` for a network whose output is one map of logits a concept.
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
    spec = InputSpec.from_json({**architecture.input, **input})
    file = _find_file(wanted, architecture, store)
    module = _build(architecture, spec.size, file, wanted.seed, device).eval().requires_grad_(False).to(device)
    outputs = _count_outputs(module, kind, spec.size, device)
    segmenting = kind == "segmenter"
    names = [] if segmenting else _name_outputs(classes, architecture.classes, outputs)
    meanings = _interpret_outputs(concepts, architecture.concepts, outputs) if segmenting else []
    digest = _digest(source, wanted, file, spec, meanings)
    return Network(module, kind, spec, names, meanings, digest, device)


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


def _count_outputs(module: nn.Module, kind: str, size: Size, device: torch.device) -> int:
    blank = torch.zeros(1, 3, *size, device=device)
    try:
        with torch.no_grad():
            output = module(blank)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # a network from an archive can raise anything
        raise Invalid(f"the network does not take images of {size[0]} x {size[1]}: {error}", "/input") from error
    dimensions, words = OUTPUTS[kind]
    if not isinstance(output, Tensor) or output.ndim != dimensions:
        raise Invalid(f"the network is no {kind}: its output is not {words}", "/source")
    return output.shape[1]


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
    source: str, weights: Weights, file: Path | None, spec: InputSpec, concepts: Sequence[tuple[str, str] | None]
) -> str:
    identity: list[object] = [source, weights.artifact or (_hash(file) if file else weights.seed), spec.to_json()]
    identity += [concepts] if concepts else []
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
