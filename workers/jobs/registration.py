"""Job kind `registration`: load a network or read a dataset once, and write its row when it is sound."""

from collections.abc import Sequence
from typing import Any

import torch
from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import write_dataset, write_model
from service.jobs.fingerprints import ANALYSIS_VERSIONS
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan
from workers.networks.layers import LayerInfo, forward_seconds, list_layers
from workers.networks.network import load
from workers.networks.tails.seconds import tail_seconds
from workers.probes.registration import register

MANIFEST_TYPE = "application/jsonl"


class Registration:
    """One shard does it all; see `workers.jobs.kind.JobKind`."""

    name = "registration"
    version = ANALYSIS_VERSIONS["registration"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """Nothing is left after the first stage."""
        return None

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Find out all that the row will say."""
        return _try_model(context) if context.job.params["what"] == "model" else _try_dataset(context)

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write the row; raise Conflict where its name was taken meanwhile."""
        write = _write_model if context.job.params["what"] == "model" else _write_dataset
        return write(session, context, finished[0].results[0])


def _try_model(context: ShardContext) -> dict[str, Any]:
    params = context.job.params
    device = torch.device(context.settings.device)
    wanted = (params["source"], params["weights"], params["input"], params["classes"] or [])
    concepts = [concept and (concept["category"], concept["name"]) for concept in params["concepts"] or []]
    network = load(*wanted, context.store, device, kind=params["kind"], concepts=concepts)
    context.check()
    layers, seconds = list_layers(network), forward_seconds(network)
    return {
        "kind": network.kind,
        "input": network.takes.to_json(),
        "classes": network.classes,
        "concepts": network.concepts or None,
        "digest": network.digest,
        "layers": layers,
        "forward_seconds": seconds,
        "tail_seconds": tail_seconds(network, layers, seconds),
    }


def _write_model(session: Session, context: ShardContext, found: dict[str, Any]) -> dict[str, Any]:
    params = context.job.params
    wanted = {key: params[key] for key in ("name", "source", "weights")}
    layers = [LayerInfo(*layer) for layer in found["layers"]]
    write_model(session, context.job.team_id, **wanted, **(found | {"layers": layers}))
    return {"model": params["name"], "layers": len(layers), "classes": len(found["classes"])}


def _try_dataset(context: ShardContext) -> dict[str, Any]:
    params = context.job.params
    wanted = (params["format"], params["location"])
    found = register(*wanted, context.settings, context.store, context.check, scenes=params["scenes"])
    return {
        "manifest": context.store.put(found.manifest.encode()),
        "images": found.images,
        "concepts": found.concepts,
        "classes": found.classes,
        "grid": params["grid"] or found.grid,
    }


def _write_dataset(session: Session, context: ShardContext, found: dict[str, Any]) -> dict[str, Any]:
    params, team_id = context.job.params, context.job.team_id
    size = context.store.path(found["manifest"]).stat().st_size
    record_artifacts(session, team_id, [(found["manifest"], size, MANIFEST_TYPE)])
    wanted = {key: params[key] for key in ("name", "format", "location")}
    concepts = [(category, name) for category, name in found["concepts"]]
    write_dataset(session, team_id, **wanted, **(found | {"concepts": concepts}))
    return {"dataset": params["name"], "images": found["images"], "concepts": len(concepts)}
