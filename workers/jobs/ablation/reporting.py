"""The last shard: curves, importance, matrices and pictures, from what was ranked and removed."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.catalog.queries import classes_of
from service.catalog.tables import Model
from service.database import reading
from service.results.effects.queries import unit_ious
from workers.analysis.ablation.importance import correlate, importance, mean_iou_by_importance
from workers.jobs.ablation.curves import Curves
from workers.jobs.ablation.images import EVALUATION, SETS, open_sets, wanted_classes
from workers.jobs.ablation.pictures import draw_curves, draw_distribution, draw_importance
from workers.jobs.ablation.plan import removals
from workers.jobs.ablation.ranking import Changes, Order, Untouched
from workers.jobs.ablation.removing import Removed
from workers.jobs.drawing import SVG_TYPE
from workers.jobs.kind import ShardContext
from workers.jobs.subjects import open_network
from workers.networks.pruning import find_zeroing, pack

NPY_TYPE, SAFETENSORS_TYPE = "application/x-npy", "application/octet-stream"


class Report:
    """Everything of an ablation that is not a row."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.payload, self.params = context, context.payload, context.job.params
        self.sets = open_sets(context)
        self.ranking, self.evaluation = (Changes.load(self._path(name)) for name in SETS)
        self.untouched, self.order = Untouched.load(self._path("untouched")), Order.load(self._path("order"))
        self.units = self.payload["units"]
        self.artifacts: list[tuple[str, int, str]] = []

    def _path(self, name: str) -> Any:
        return self.context.scratch / f"{self.payload['ranked']}-{name}.npz"

    def run(self) -> dict[str, Any]:
        """Store the artifacts, write the report and return the name of its file."""
        curves = self._curves()
        together = curves.together()
        found = self._importance()
        summary = {
            **self._head(),
            "matrices": self._matrices(),
            "curves": together,
            "importance": found,
            "pictures": self._pictures(together, found),
            "pruning": self._pruning(),
        }
        by_class = {str(c): curves.of_class(column) for column, c in enumerate(self._wanted())}
        report = {"summary": summary, "curves": by_class, "artifacts": self.artifacts}
        name = f"{self.context.stage}-{self.context.index}-{self.context.attempt}.json"
        (self.context.scratch / name).write_text(json.dumps(report, allow_nan=False))
        return {"report": name}

    def _wanted(self) -> list[int]:
        return wanted_classes(self.sets, self.params["classes"])

    def _curves(self) -> Curves:
        sizes, wanted = self.payload["sizes"], self._wanted()
        return Curves(
            sizes=sizes,
            columns=[int(np.flatnonzero(self.order.classes == c)[0]) for c in wanted],
            everything=removals(len(sizes), len(wanted), self.payload["draws"]),
            removed=[Removed.load(self.context.scratch / file) for file in self.payload["removed"]],
            untouched=self.untouched,
            classes=self.sets[EVALUATION].classes,
        )

    def _head(self) -> dict[str, Any]:
        with reading(self.context.sessions) as session:
            outputs = classes_of(session, session.get_one(Model, self.context.job.model_id))
        ranking, evaluation = self.untouched.all_class.tolist()
        images = {name: len(self.sets[name].indices) for name in SETS}
        return {
            "layer": self.params["layer"],
            "units": self.units,
            "classes": [outputs[c] for c in self.order.classes.tolist()],
            "mode": self.params["mode"],
            "rank_by": self.params["rank_by"],
            "cut": self.payload["cut"],
            "reason": self.payload["reason"],
            "ranking": {"images": images["ranking"], "all_class_accuracy": ranking},
            "evaluation": {
                "images": images["evaluation"],
                "all_class_accuracy": evaluation,
                "balanced_accuracy": float(self.untouched.balanced_accuracy.mean()),
            },
        }

    def _matrices(self) -> dict[str, Any]:
        changes = {
            name: {field: self._store_matrix(values) for field, values in vars(of).items()}
            for name, of in zip(SETS, (self.ranking, self.evaluation), strict=True)
        }
        return {**changes, "coactivation": self._store_matrix(self.order.coactivation)}

    def _store_matrix(self, values: NDArray[np.float64]) -> str:
        buffer = io.BytesIO()
        np.save(buffer, values.astype(np.float32), allow_pickle=False)
        return self._store(buffer.getvalue(), NPY_TYPE)

    def _store(self, data: bytes, media_type: str) -> str:
        digest = self.context.store.put(data)
        self.artifacts.append((digest, len(data), media_type))
        return digest

    def _importance(self) -> dict[str, Any]:
        counts = importance(self.order.order)
        found: dict[str, Any] = {
            "counts": counts.tolist(),
            "dissection": self.params["dissection"],
            "pearson": None,
            "spearman": None,
            "by_importance": [],
        }
        ious = self._ious()
        if ious is None:
            return found
        together = correlate(counts, ious)
        found["by_importance"] = mean_iou_by_importance(counts, ious)
        if together.pearson is not None:
            found["pearson"] = {"r": together.pearson, "p_value": together.pearson_p}
            found["spearman"] = {"rho": together.spearman, "p_value": together.spearman_p}
        return found

    def _ious(self) -> NDArray[np.float64] | None:
        """The best IoU of each removed unit, where the job names a dissection."""
        if self.params["dissection"] is None:
            return None
        with reading(self.context.sessions) as session:
            ious = unit_ious(session, self.context.job.team_id, self.params["dissection"], self.params["layer"])
        return np.array([ious[unit] for unit in self.units])

    def _pictures(self, curves: dict[str, Any], found: Mapping[str, Any]) -> dict[str, str]:
        drawn = {
            "curves": draw_curves(curves, len(self.units)),
            "distribution": draw_distribution(curves),
        }
        ious = self._ious()
        if ious is not None:
            drawn["importance"] = draw_importance(found["by_importance"], found["counts"], ious.tolist(), found)
        return {name: self._store(svg, SVG_TYPE) for name, svg in drawn.items()}

    def _pruning(self) -> dict[str, Any]:
        """How the weights say that units are removed, and all of the weights."""
        if self.params["mode"] != "zero":
            return {"exact": False, "reason": "units were set to their mean, which no weight of 0 does"}
        network = open_network(self.context)
        zeroing = find_zeroing(network, self.params["layer"])
        if isinstance(zeroing, str):
            return {"exact": False, "reason": zeroing}
        weights = self._store(pack(network), SAFETENSORS_TYPE)
        return {"exact": True, "tensors": [list(tensor) for tensor in zeroing.tensors], "weights": weights}
