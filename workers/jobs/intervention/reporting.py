"""The last shard of an intervention: the figures of every layer, and pictures before and after."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.results.interventions.tables import REMOVE
from workers.analysis.interventions.pixels import shows
from workers.jobs.drawing import SVG_TYPE
from workers.jobs.intervention.changing import Changing, Drawn, Levels
from workers.jobs.intervention.figures import LayerFigures
from workers.jobs.intervention.measuring import Measured
from workers.jobs.intervention.pictures import draw_cells, draw_curves, sheet
from workers.jobs.kind import ShardContext
from workers.probes.generated import picture_digest, picture_name

PNG_TYPE = "image/png"


class Reporting:
    """The shard that reports."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.params = context, context.job.params
        self.artifacts: list[tuple[str, int, str]] = []
        self.shown: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []

    def run(self) -> dict[str, Any]:
        """Write the report and return the name of its file."""
        layers = [self._layer(layer) for layer in self.context.payload["layers"]]
        figures = [layer["figures"] for layer in layers]
        names = ("action", "where", "latents", "segmentation", "halves", "grid", "target", "value", "random", "realism")
        summary = {name: self.params[name] for name in names} | {
            "layers": figures,
            "pictures": self._pictures(figures),
        }
        report = {"summary": summary, "layers": layers, "artifacts": self.artifacts}
        name = f"{self.context.stage}-{self.context.index}-{self.context.attempt}.json"
        (self.context.scratch / name).write_text(json.dumps(report, allow_nan=False))
        return {"report": name}

    def _layer(self, layer: Mapping[str, Any]) -> dict[str, Any]:
        """The figures of a layer, its rows, and its pictures."""
        changing = Changing(self.context, layer["layer"])
        measured = Measured.join([Measured.load(self.context.scratch / file) for file in layer["measured"]])
        found = LayerFigures(self.params, layer, changing.labels.concepts, changing.target, measured)
        sets = range(len(found.sets))
        return {
            "layer": found.name,
            "concepts": [list(concept) for concept in found.concepts],
            "target": found.target,
            "pictures": len(measured.before),
            "figures": found.figures(),
            "changes": [_placed(found, place, row) for place in sets for row in found.changes[place]],
            "contexts": [
                _placed(found, place, row) for place in sets if found.each_cell for row in found.contexts(place)
            ],
            "units": found.units(),
            "edited": Showing(self, changing, found, layer["levels"]).edited(),
        }

    def _pictures(self, figures: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        drawn = {"curves": self.store(draw_curves(figures, self.params), SVG_TYPE)}
        if any(layer["cells"] for layer in figures):
            drawn["cells"] = self.store(draw_cells(figures, self.params), SVG_TYPE)
        if self.shown:
            drawn["sheet"] = self.store_png(sheet(self.shown))
        return drawn

    def store(self, data: bytes, media_type: str) -> str:
        """Keep bytes as an artifact of the job."""
        digest = self.context.store.put(data)
        self.artifacts.append((digest, len(data), media_type))
        return digest

    def store_png(self, pixels: NDArray[np.uint8]) -> str:
        """Keep a picture (H, W, 3)."""
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return self.store(buffer.getvalue(), PNG_TYPE)


def _placed(found: LayerFigures, place: int, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with the set that it is about."""
    return {"order": found.sets[place].order, "size": found.sets[place].size, **row}


class Showing:
    """Some latents' pictures before and after the first order's largest set is changed."""

    def __init__(self, report: Reporting, changing: Changing, found: LayerFigures, levels: str | None) -> None:
        self.report, self.changing, self.found = report, changing, found
        self.levels = None if levels is None else Levels.load(report.context.scratch / levels)
        own = [place for place, edit in enumerate(found.sets) if edit.order == found.params["order"]]
        self.place = max(own, key=lambda place: found.sets[place].size)
        self.edit = found.sets[self.place]

    def edited(self) -> list[dict[str, Any]]:
        """A row for each picture that is kept."""
        rows: list[dict[str, Any]] = []
        chosen = self._choose()
        for kept in self.changing.kept(self.found.params["latents"], chosen):
            maps = self.changing.halves.maps(kept)
            places = chosen[len(rows) : len(rows) + len(maps)]
            areas = self.changing.areas(*maps.shape[2:])
            area = (
                areas[0] if len(areas) == 1 else self.changing.cells_at([self._cell(place) for place in places], maps)
            )
            before = self.changing.draw(kept, maps)
            after = self.changing.draw(kept, self.changing.change(maps, self.edit.units, self.levels, area))
            rows += [self._row(place, before, after, row) for row, place in enumerate(places)]
        return [{"position": position, **row} for position, row in enumerate(rows)]

    def _choose(self) -> list[int]:
        """The first latents, of those whose target is removed the first that show it."""
        target, before = self.found.target, self.found.measured.before
        showing = before[:, target] > 0 if target is not None and self._removes else np.ones(len(before), np.bool_)
        chosen: list[int] = np.flatnonzero(showing)[: self.found.params["keep"]].tolist()
        return chosen

    @property
    def _removes(self) -> bool:
        return bool(self.found.params["action"] == REMOVE)

    def _cell(self, place: int) -> int:
        """Of a latent the cell at which the change had the largest effect."""
        changes = self.found.measured.at_cells[self.place, place]
        return int(changes.argmin() if self._removes else changes.argmax())

    def _row(self, place: int, before: Drawn, after: Drawn, row: int) -> dict[str, Any]:
        latents, cell = self.found.params["latents"], self._cell(place) if self.found.each_cell else None
        number, width = latents["first"] + place, self.found.measured.at_cells.shape[3]
        pair = before.pictures[row], after.pictures[row]
        self.report.shown.append(pair)
        pixels = [self._pixels(drawn, row) for drawn in (before, after)]
        return {
            "name": picture_name(latents["seed"], number),
            "digest": picture_digest(self.changing.network.digest, latents["seed"], number),
            "order": self.edit.order,
            "size": self.edit.size,
            "row": None if cell is None else cell // width,
            "column": None if cell is None else cell % width,
            "pixels_before": pixels[0],
            "pixels_after": pixels[1],
            "before": self.report.store_png(pair[0]),
            "after": self.report.store_png(pair[1]),
        }

    def _pixels(self, drawn: Drawn, row: int) -> int | None:
        target = self.found.target
        return None if target is None else int(shows(drawn.labels[row : row + 1], target).sum())
