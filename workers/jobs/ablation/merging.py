"""From what was ranked and reported to the rows that a team queries."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.artifacts.queries import record_artifacts
from service.catalog.queries import class_ids, layer_ids
from service.results.effects.queries import AblationResult, ClassResult, EffectResult, UnitResult, write_ablation
from workers.analysis.ablation.importance import importance, order_units, ranks
from workers.jobs.ablation.images import SETS
from workers.jobs.ablation.ranking import Certainty, Changes, Order, Untouched
from workers.jobs.kind import FinishedStage, ShardContext

UNITS_OF_CLASS = 50
"""The most important units of each class, whose effects are rows."""
CLASSES_OF_UNIT = 20
"""The most affected classes of each unit, whose effects are rows."""
SIGNIFICANT = 0.05


class Merging:
    """A finished ablation on its way into the database."""

    def __init__(self, context: ShardContext, finished: Sequence[FinishedStage]) -> None:
        self.context = context
        ranked = next(stage for stage in finished if stage.name == "rank").results[0]["ranked"]
        paths = {name: context.scratch / f"{ranked}-{name}.npz" for name in (*SETS, "certainty", "untouched", "order")}
        self.ranking, self.evaluation = (Changes.load(paths[name]) for name in SETS)
        self.certainty = Certainty.load(paths["certainty"])
        self.untouched, self.order = Untouched.load(paths["untouched"]), Order.load(paths["order"])
        self.units: list[int] = finished[0].results[0]["units"]
        self.report = json.loads((context.scratch / finished[-1].results[0]["report"]).read_text())

    def write(self, session: Session) -> dict[str, Any]:
        """Write the rows and return the job's summary."""
        job = self.context.job
        assert job.model_id is not None
        record_artifacts(session, job.team_id, [tuple(artifact) for artifact in self.report["artifacts"]])
        outputs = class_ids(session, job.model_id)
        classes = [outputs[position] for position in self.order.classes.tolist()]
        found = AblationResult(
            layer_id=layer_ids(session, job.model_id)[job.params["layer"]],
            units=self._units(),
            classes=self._classes(classes),
            effects=self._effects(classes),
        )
        write_ablation(session, job, found)
        summary: dict[str, Any] = self.report["summary"]
        return summary

    def _units(self) -> list[UnitResult]:
        certainty, counts = self.certainty, importance(self.order.order)
        known = bool(certainty.all_known)
        return [
            UnitResult(
                unit=unit,
                importance=int(counts[place]),
                accuracy_change=float(certainty.all_class[place]),
                accuracy_change_low=float(certainty.all_class_low[place]) if known else None,
                accuracy_change_high=float(certainty.all_class_high[place]) if known else None,
            )
            for place, unit in enumerate(self.units)
        ]

    def _classes(self, ids: Sequence[int]) -> list[ClassResult]:
        damaging = (self.certainty.p_value_corrected < SIGNIFICANT) & (self.evaluation.balanced_accuracy < 0)
        important, untouched, curves = damaging.sum(axis=0), self.untouched, self.report["curves"]
        return [
            ClassResult(
                class_id=ids[column],
                images=int(untouched.images[column]),
                recall=float(untouched.recall[column]),
                true_negative_rate=float(untouched.true_negative_rate[column]),
                balanced_accuracy=float(untouched.balanced_accuracy[column]),
                auroc=float(untouched.auroc[column]),
                important_units=int(important[column]),
                curves=curves.get(str(position)),
            )
            for column, position in enumerate(self.order.classes.tolist())
        ]

    def _effects(self, ids: Sequence[int]) -> Iterator[EffectResult]:
        """The effects that are kept as rows, by unit and class."""
        of_class, of_unit = ranks(self.order.order), self._class_ranks()
        kept = (of_class <= UNITS_OF_CLASS) | (of_unit <= CLASSES_OF_UNIT)
        for place, column in np.argwhere(kept).tolist():
            yield self._effect(place, column, ids[column], int(of_class[place, column]), int(of_unit[place, column]))

    def _class_ranks(self) -> NDArray[np.int64]:
        """Each class's place among those that a unit's removal damages most, (K, R)."""
        accuracy, likely = self.ranking.balanced_accuracy, self.ranking.log_probability
        return ranks(order_units(accuracy.T, likely.T, self.context.job.params["rank_by"])).T

    def _effect(self, place: int, column: int, class_id: int, rank: int, class_rank: int) -> EffectResult:
        pair = place, column
        ranking, found, certainty = self.ranking, self.evaluation, self.certainty
        known = bool(certainty.known[column])
        low, high = float(certainty.accuracy_low[pair]), float(certainty.accuracy_high[pair])

        def end(values: NDArray[np.float64]) -> float | None:
            return float(values[pair]) if known else None

        return EffectResult(
            class_id=class_id,
            unit=self.units[place],
            rank=rank,
            class_rank=class_rank,
            ranking_change=float(ranking.balanced_accuracy[pair]),
            ranking_log_probability_change=float(ranking.log_probability[pair]),
            recall_change=float(found.recall[pair]),
            recall_change_low=end(certainty.recall_low),
            recall_change_high=end(certainty.recall_high),
            true_negative_rate_change=float(found.true_negative_rate[pair]),
            true_negative_rate_change_low=end(certainty.true_negative_rate_low),
            true_negative_rate_change_high=end(certainty.true_negative_rate_high),
            accuracy_change=float(found.balanced_accuracy[pair]),
            accuracy_change_low=end(certainty.accuracy_low),
            accuracy_change_high=end(certainty.accuracy_high),
            uncertain=not known or low <= 0 <= high,
            log_probability_change=float(found.log_probability[pair]),
            p_value=float(certainty.p_value[pair]),
            p_value_corrected=float(certainty.p_value_corrected[pair]),
            coactivation=float(self.order.coactivation[pair]) if self.order.varies[pair] else None,
        )
