"""The kind `import` as the job runner sees it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from service.catalog.queries import concept_ids, layers_of, near
from service.catalog.tables import Layer, Model
from service.database import reading
from service.errors import Invalid
from service.jobs.fingerprints import ANALYSIS_VERSIONS
from service.results.queries import LabelResult, LayerResult, UnitResult, write_dissection
from workers.jobs.imports import clip_dissect, netdissect
from workers.jobs.imports.csv_rows import Rows, read_rows
from workers.jobs.imports.labels import ImportedUnit
from workers.jobs.kind import FinishedStage, JobView, ShardContext, StagePlan

READERS: Mapping[str, Callable[[Rows], Iterator[ImportedUnit]]] = {
    "netdissect": netdissect.read,
    "netdissect-lite": netdissect.read,
    "clip-dissect": clip_dissect.read,
}

Found = dict[str, dict[int, ImportedUnit]]
"""By layer and index."""


class Import:
    """One shard does it all; see `workers.jobs.kind.JobKind`."""

    name = "import"
    version = ANALYSIS_VERSIONS["import"]

    def plan(self, session: Session, job: JobView, finished: Sequence[FinishedStage]) -> StagePlan | None:
        """Nothing is left after the first stage."""
        return None

    def run(self, context: ShardContext) -> dict[str, Any]:
        """Check every row of the file."""
        with reading(context.sessions) as session:
            _read(context, _layers(session, context.job))
        return {}

    def merge(self, session: Session, context: ShardContext, finished: Sequence[FinishedStage]) -> dict[str, Any]:
        """Write the rows; the file, which cannot change, is read again, because that takes less than keeping them."""
        job = context.job
        layers = _layers(session, job)
        found = _read(context, layers)
        names = list(dict.fromkeys(label[:2] for unit in _all(found) for label in unit.labels))
        ids = dict(zip(names, concept_ids(session, job.team_id, names), strict=True))
        results = [
            LayerResult(layer_id=layers[layer].id, units=[_result(units[index], ids) for index in sorted(units)])
            for layer, units in found.items()
        ]
        write_dissection(session, job, results, method=job.params["format"])
        return {"format": job.params["format"], "layers": [_summary(job, *item) for item in found.items()]}


def _layers(session: Session, job: JobView) -> dict[str, Layer]:
    model = session.get_one(Model, job.model_id)
    return {layer.name: layer for layer in layers_of(session, model)}


def _read(context: ShardContext, layers: Mapping[str, Layer]) -> Found:
    params = context.job.params
    rows = read_rows(context.store.path(params["artifact"]).read_bytes())
    found: Found = {}
    for unit in READERS[params["format"]](rows):
        name = str(params["layer"] or unit.layer)
        if name not in layers:
            unit.row.fail(f"the model has no layer {name!r} with a map of units{near(name, layers)}")
        if unit.index >= layers[name].units:
            unit.row.fail(f"the layer {name!r} has {layers[name].units} units, so not {unit.row.cells['unit']}")
        if unit.index in found.setdefault(name, {}):
            unit.row.fail(f"the unit {unit.row.cells['unit']} of {name!r} is there twice")
        found[name][unit.index] = unit
    if not found:
        raise Invalid("the file has no rows of results", "/artifact")
    return found


def _all(found: Found) -> Iterator[ImportedUnit]:
    return (unit for units in found.values() for unit in units.values())


def _result(unit: ImportedUnit, ids: Mapping[tuple[str, str], int]) -> UnitResult:
    labels = [
        LabelResult(ids[label[:2]], rank, label.iou, label.intersection, label.union)
        for rank, label in enumerate(unit.labels, start=1)
    ]
    return UnitResult(index=unit.index, labels=labels, similarity=unit.similarity)


def _summary(job: JobView, layer: str, units: Mapping[int, ImportedUnit]) -> dict[str, Any]:
    best = [unit.labels[0].iou for unit in units.values() if unit.labels]
    detectors = sum(iou > job.params["cutoff"] for iou in best)
    return {"layer": layer, "units": len(units), "labelled": len(best), "detectors": detectors}
