"""What a shard studies: the network, the images and their labels, kept warm in the process."""

import copy
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from service.artifacts.store import ArtifactStore
from service.catalog.queries import get_model
from service.catalog.tables import Dataset, Model
from service.database import reading
from service.errors import Conflict
from service.jobs.segmentation import MAX_SEGMENTATIONS, SEGMENTER
from service.settings import Settings
from workers.jobs.kind import WorkContext
from workers.networks.exported import untrained
from workers.networks.footprint import batch_size
from workers.networks.inputs import InputSpec
from workers.networks.network import Network, load
from workers.networks.taps import count_calls
from workers.probes.generated import Labels
from workers.probes.label_cache import LabelCache
from workers.probes.probe import Probe
from workers.probes.registration import open_probe
from workers.probes.segmenters import Segmenter

WARM = 2
"""Networks, and datasets, that a process keeps."""


UNTRAINED_SEED = 0
BUILT_BY_FILE = ("exported", "progressive-gan")
"""Sources whose networks cannot be built without their file."""


def open_network(context: WorkContext) -> Network:
    """Load the job's model; raise Conflict where it is not any more what was registered."""
    with reading(context.sessions) as session:
        model = session.get_one(Model, context.job.model_id)
    return open_model(context, model)


open_generator = open_network
"""The same for a job whose check lets generators alone through."""


def open_labels(context: WorkContext) -> Labels:
    """Open the ways to label pictures that the job names; no segmenter is loaded before a picture needs it."""
    params = context.job.params
    return Labels(params["segmentation"], segmenters_of(context), params["halves"])


def open_model(context: WorkContext, model: Model) -> Network:
    """Load a classifier or a generator; raise Conflict where it is not any more what was registered."""
    network = _network(model.source, *_given(model), model.kind, context.store.root, context.settings.device)
    _check_digest(network, model)
    return network


def open_images(context: WorkContext, dataset: Dataset) -> Probe:
    """Open a dataset as it was when it was registered."""
    location, root = _text(dataset.location), context.store.root
    return _probe(dataset.format, location, dataset.manifest, context.settings, root)


def _check_digest(network: Network, model: Model) -> None:
    if network.digest != model.digest:
        raise Conflict(f"model {model.name!r} does not load with the weights it was registered with; register it again")


def segmenters_of(context: WorkContext) -> dict[str, Segmenter]:
    """The segmenters that the job names; none is loaded before an image needs it."""
    kinds = [kind for kind in context.job.params["segmentation"] if kind.startswith(SEGMENTER)]
    with reading(context.sessions) as session:
        models = [get_model(session, context.job.team_id, kind.removeprefix(SEGMENTER)).model for kind in kinds]
    return {kind: _segmenter(model, context) for kind, model in zip(kinds, models, strict=True)}


def _segmenter(model: Model, context: WorkContext) -> Segmenter:
    def load_checked() -> Network:
        texts = (_text(model.weights), _text(model.input), _text(model.concepts))
        network = _segmenting_network(model.source, *texts, context.store.root, context.settings.device)
        _check_digest(network, model)
        return network

    spec, cache, memory_bytes = (
        InputSpec.from_json(model.input),
        _label_cache(context.settings),
        context.settings.memory_bytes,
    )
    return Segmenter(model.digest, spec, model.concepts or [], load_checked, cache, memory_bytes // 2)


def open_untrained(context: WorkContext) -> Network:
    """Load the architecture of the job's model with weights drawn by seed: the control `untrained`."""
    with reading(context.sessions) as session:
        model = session.get_one(Model, context.job.model_id)
    return _untrained(model.source, *_given(model), model.kind, context.store.root, context.settings.device)


def _given(model: Model) -> tuple[str, str]:
    return _text(model.weights), _text(model.input)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@lru_cache(WARM)
def _network(source: str, weights: str, input: str, kind: str, root: Path, device: str) -> Network:
    store = ArtifactStore(root)
    return load(source, json.loads(weights), json.loads(input), [], store, torch.device(device), kind=kind)


@lru_cache(MAX_SEGMENTATIONS)
def _segmenting_network(source: str, weights: str, input: str, concepts: str, root: Path, device: str) -> Network:
    store, outputs = ArtifactStore(root), json.loads(concepts)
    where = torch.device(device)
    return load(source, json.loads(weights), json.loads(input), [], store, where, kind="segmenter", concepts=outputs)


@lru_cache(WARM)
def _label_cache(settings: Settings) -> LabelCache:
    return LabelCache(settings.segmentation_dir, settings.segmentation_cache_bytes)


@lru_cache(WARM)
def _untrained(source: str, weights: str, input: str, kind: str, root: Path, device: str) -> Network:
    if source not in BUILT_BY_FILE:
        return _network(source, _text({"seed": UNTRAINED_SEED}), input, kind, root, device)
    network = copy.deepcopy(_network(source, weights, input, kind, root, device))
    untrained(network.module, UNTRAINED_SEED)
    return network


@lru_cache(WARM)
def _probe(format: str, location: str, manifest: str, settings: Settings, root: Path) -> Probe:
    store = ArtifactStore(root)
    return open_probe(format, json.loads(location), store.path(manifest).read_text(), settings, store)


@lru_cache(WARM)
def largest_batch(network: Network, memory_bytes: int) -> int:
    """Images, or latents, that the network takes at once within the memory."""
    with torch.inference_mode():
        return batch_size(network.module, network.blank(1), memory_bytes)


@lru_cache(WARM)
def calls_of(network: Network, layers: tuple[str, ...]) -> dict[str, int]:
    """How often each layer runs in a forward pass."""
    with torch.inference_mode():
        return count_calls(network.module, layers, network.blank(1))
