"""What can be exported of each kind of job."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from service.errors import Invalid
from service.results.exporting import (
    ablation_report,
    ablations,
    attack_report,
    attacks,
    dissection_report,
    dissections,
    intervention_report,
    interventions,
)
from service.results.exporting.ablations import open_ablation
from service.results.exporting.attacks import open_attack
from service.results.exporting.dissections import open_dissection
from service.results.exporting.interventions import open_intervention
from service.results.exporting.pruned import PrunedFile
from service.results.exporting.rows import RowTable, Subject


@dataclass(frozen=True)
class ExportKind:
    """How jobs of a kind are exported; what `open` returns is what the others take."""

    name: str
    open: Callable[[Session, Subject, str | None], Any]
    rows: Mapping[str, Callable[[Any], RowTable]]
    """By name, the default first."""
    report: Callable[[Any], Iterator[bytes]]
    prune: Callable[[Session, Any, str, int], PrunedFile] | None = None

    def choose_rows(self, name: str | None) -> str:
        """The name of the rows that are asked for; raise Invalid where the kind has none such."""
        chosen = name or next(iter(self.rows))
        if chosen not in self.rows:
            raise Invalid(
                f"a job of kind {self.name} has no rows {chosen!r}; it has {', '.join(self.rows)}", "query:rows"
            )
        return chosen


KINDS: Mapping[str, ExportKind] = {
    "dissection": ExportKind("dissection", open_dissection, dissections.ROWS, dissection_report.write),
    "ablation": ExportKind("ablation", open_ablation, ablations.ROWS, ablation_report.write, ablations.prune),
    "attack": ExportKind("attack", open_attack, attacks.ROWS, attack_report.write),
    "intervention": ExportKind("intervention", open_intervention, interventions.ROWS, intervention_report.write),
}
