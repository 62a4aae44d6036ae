"""The last shard of an attack: the figures of every target, and pictures of them."""

import json
import uuid
from typing import Any

import numpy as np

from service.database import reading
from service.results.attacks.queries import important_units, labelled_units
from service.results.attacks.tables import OUTCOMES
from workers.analysis.attacks.registry import describe_attack
from workers.analysis.attacks.units import mean_intervals, moved_most
from workers.jobs.attack.attacking import SUCCEEDED
from workers.jobs.attack.figures import (
    IMPORTANT,
    Attacked,
    LayerKnowledge,
    layer_figures,
    robustness,
    transfer_figures,
)
from workers.jobs.attack.pictures import draw_accuracy, draw_groups, draw_silencing
from workers.jobs.attack.studying import Studying
from workers.jobs.drawing import SVG_TYPE


class Reporting(Studying):
    """The shard that reports."""

    def run(self) -> dict[str, Any]:
        """Write the report and return the name of its file."""
        self.artifacts: list[tuple[str, int, str]] = []
        knowledge = [self._know(layer) for layer in self.params["layer"]]
        targets = [self._report(number, knowledge) for number in range(len(self.targets))]
        figures = [target["figures"] for target in targets]
        summary = {
            "method": self.params["method"],
            "settings": self.params["settings"],
            "layers": self.params["layer"],
            "targets": figures,
            "pictures": self._pictures(figures),
        }
        report = {"summary": summary, "targets": targets, "artifacts": self.artifacts}
        (self.context.scratch / f"{self.name}.json").write_text(json.dumps(report, allow_nan=False))
        return {"report": f"{self.name}.json"}

    def _know(self, layer: str) -> LayerKnowledge:
        """What the job's ablation and dissection found of a layer."""
        ablation, dissection = self.params["ablations"][layer], self.params["dissections"][layer]
        team_id = self.context.job.team_id
        with reading(self.context.sessions) as session:
            found = {} if ablation is None else important_units(session, team_id, uuid.UUID(ablation), layer, IMPORTANT)
            labels = [] if dissection is None else labelled_units(session, team_id, uuid.UUID(dissection), layer)
        return LayerKnowledge(layer, ablation, dissection, found, labels)

    def _report(self, number: int, knowledge: list[LayerKnowledge]) -> dict[str, Any]:
        """The figures of a target, its images and how the units moved."""
        files = self.payload["attacked"][number]
        if not files:
            return {"target": self._position(number), "figures": self._nothing(number), "images": [], "shifts": []}
        attacked = Attacked(self.context.scratch, files, len(knowledge))
        self.artifacts += [tuple(artifact) for note in attacked.notes for artifact in note["artifacts"]]
        classes = self.images.classes[attacked.outcomes.images]
        norm = describe_attack(self.params["method"]).norm
        figures = {
            "target": self._name(number),
            **robustness(attacked, norm, classes),
            "layers": [self._layer(attacked, place, known) for place, known in enumerate(knowledge)],
            "transfers": [self._transfer(attacked, model) for model in self.params["transfer"]],
        }
        return {
            "target": self._position(number),
            "figures": figures,
            "images": self._images(attacked),
            "shifts": self._shifts(attacked),
        }

    def _layer(self, attacked: Attacked, place: int, known: LayerKnowledge) -> dict[str, Any]:
        self.context.check()
        return layer_figures(attacked, place, known)

    def _nothing(self, number: int) -> dict[str, Any]:
        """The figures where no image was there to be attacked."""
        outcomes = dict.fromkeys(OUTCOMES, 0)
        empty = {"median": None, "mean": None}
        return {
            "target": self._name(number),
            "images": 0,
            "outcomes": outcomes,
            "success_rate": None,
            "l2": empty,
            "linf": empty,
            "accuracy": None,
            "layers": [],
            "transfers": [],
        }

    def _name(self, number: int) -> str | None:
        target = self.targets[number]
        return self.outputs[target] if isinstance(target, int) else target

    def _position(self, number: int) -> int | None:
        target = self.targets[number]
        return target if isinstance(target, int) else None

    def _transfer(self, attacked: Attacked, model: str) -> dict[str, Any]:
        wanted = [self.outputs[c] if c >= 0 else None for c in attacked.outcomes.wanted[attacked.fooled].tolist()]
        return transfer_figures(model, attacked.transfers(model), wanted)

    def _images(self, attacked: Attacked) -> list[dict[str, Any]]:
        """A row for each image, classes by their positions."""
        found, kept = attacked.outcomes, attacked.kept
        places = {row: place for place, row in enumerate(attacked.fooled.tolist())}
        images = self.images.images
        rows = []
        for row, place in enumerate(found.images.tolist()):
            image, success = images[place], found.outcomes[row] == SUCCEEDED
            rows.append(
                {
                    "position": row,
                    "image": image.name,
                    "digest": image.digest,
                    "true": int(self.images.classes[place]),
                    "source": int(found.sources[row]),
                    "target": int(found.wanted[row]) if found.wanted[row] >= 0 else None,
                    "result": int(found.results[row]),
                    "outcome": OUTCOMES[found.outcomes[row]],
                    "l2": float(found.l2[row]) if success else None,
                    "linf": float(found.linf[row]) if success else None,
                    "restored_by": self._restored(attacked, places[row]) if success else None,
                    "transfers": self._shown_to(attacked, places[row]) if success else None,
                    **dict.fromkeys(("original", "adversarial", "picture")),
                    **kept.get(row, {}),
                }
            )
        return rows

    def _restored(self, attacked: Attacked, place: int) -> dict[str, int | None]:
        """By layer the fewest of the units moved most that bring the prediction back when silenced."""
        found: dict[str, int | None] = {}
        for layer, watched in zip(self.params["layer"], attacked.watched, strict=True):
            assert watched is not None
            sizes = watched.sizes[watched.restored[place]].tolist()
            found[layer] = min(sizes, default=None)
        return found

    def _shown_to(self, attacked: Attacked, place: int) -> dict[str, list[str]]:
        return {model: attacked.transfers(model)[place] for model in self.params["transfer"]}

    def _shifts(self, attacked: Attacked) -> list[dict[str, Any]]:
        """How the units of each layer moved, over the fooled images."""
        rows = []
        for layer, watched in zip(self.params["layer"], attacked.watched, strict=True):
            if watched is None:
                continue
            changes = watched.after.astype(np.float64) - watched.before
            means = changes.mean(axis=0)
            known = len(changes) > 1
            low, high = mean_intervals(changes) if known else (means, means)
            order = moved_most(means[None])[0].tolist()
            ranks = {unit: rank for rank, unit in enumerate(order, start=1)}
            rows += [
                {
                    "layer": layer,
                    "unit": unit,
                    "mean": float(mean),
                    "low": float(low[unit]) if known else None,
                    "high": float(high[unit]) if known else None,
                    "rank": ranks[unit],
                }
                for unit, mean in enumerate(means.tolist())
            ]
        return rows

    def _pictures(self, figures: list[dict[str, Any]]) -> dict[str, str]:
        drawn = {"accuracy": draw_accuracy(figures)}
        if any(layer["groups"] for target in figures for layer in target["layers"]):
            drawn["groups"] = draw_groups(figures)
        if any(layer["silencing"] for target in figures for layer in target["layers"]):
            drawn["silencing"] = draw_silencing(figures)
        return {name: self._store(svg) for name, svg in drawn.items()}

    def _store(self, svg: bytes) -> str:
        digest = self.context.store.put(svg)
        self.artifacts.append((digest, len(svg), SVG_TYPE))
        return digest
