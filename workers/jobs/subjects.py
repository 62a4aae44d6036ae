"""What a shard studies: the network, the images and their labels, kept warm in the process."""

import copy
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from service.artifacts.store import ArtifactStore
from service.catalog.tables import Dataset, Model
from service.database import reading
from service.errors import Conflict
from service.settings import Settings
from workers.jobs.kind import ShardContext
from workers.networks.footprint import batch_size
from workers.networks.network import Network, load
from workers.networks.taps import count_calls
from workers.probes.probe import Probe
from workers.probes.registration import open_probe
from workers.probes.segmentation import Segmentation

WARM = 2
"""Networks, and datasets, that a process keeps."""


UNTRAINED_SEED = 0


@dataclass(frozen=True)
class Subject:
    """A job's network and images, and the labels that it asks for."""

    network: Network
    probe: Probe
    segmentation: Segmentation


def open_subject(context: ShardContext) -> Subject:
    """Load what the job studies; raise Conflict where it is not any more what was registered."""
    with reading(context.sessions) as session:
        model = session.get_one(Model, context.job.model_id)
        dataset = session.get_one(Dataset, context.job.dataset_id)
    network = _network(
        model.source, _text(model.weights), _text(model.input), context.store.root, context.settings.device
    )
    if network.digest != model.digest:
        raise Conflict(f"model {model.name!r} does not load with the weights it was registered with; register it again")
    location, root = _text(dataset.location), context.store.root
    probe = _probe(dataset.format, location, dataset.manifest, context.settings, root)
    return Subject(network, probe, Segmentation(probe, context.job.params["segmentation"]))


def open_untrained(context: ShardContext) -> Network:
    """Load the architecture of the job's model with weights drawn by seed: the control `untrained`."""
    with reading(context.sessions) as session:
        model = session.get_one(Model, context.job.model_id)
    return _untrained(
        model.source, _text(model.weights), _text(model.input), context.store.root, context.settings.device
    )


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)


@lru_cache(WARM)
def _network(source: str, weights: str, input: str, root: Path, device: str) -> Network:
    return load(source, json.loads(weights), json.loads(input), [], ArtifactStore(root), torch.device(device))


@lru_cache(WARM)
def _untrained(source: str, weights: str, input: str, root: Path, device: str) -> Network:
    if source != "exported":
        return _network(source, _text({"seed": UNTRAINED_SEED}), input, root, device)
    from workers.networks.exported import untrained

    network = copy.deepcopy(_network(source, weights, input, root, device))
    untrained(network.module, UNTRAINED_SEED)
    return network


@lru_cache(WARM)
def _probe(format: str, location: str, manifest: str, settings: Settings, root: Path) -> Probe:
    store = ArtifactStore(root)
    return open_probe(format, json.loads(location), store.path(manifest).read_text(), settings, store)


@lru_cache(WARM)
def largest_batch(network: Network, memory_bytes: int) -> int:
    """Images that the network takes at once within the memory."""
    with torch.inference_mode():
        blank = torch.zeros(1, 3, *network.input.size, device=network.device)
        return batch_size(network.module, blank, memory_bytes)


@lru_cache(WARM)
def calls_of(network: Network, layers: tuple[str, ...]) -> dict[str, int]:
    """How often each layer runs in a forward pass."""
    with torch.inference_mode():
        blank = torch.zeros(1, 3, *network.input.size, device=network.device)
        return count_calls(network.module, layers, blank)
