"""A shard of images under attack: what became of each, and what it did to the units."""

import io
import json
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from service.database import reading
from service.errors import Invalid
from service.jobs.queries import find_job
from service.results.attacks.queries import labelled_units
from workers.analysis.attacks.errors import NotDifferentiable, NotFinite
from workers.analysis.attacks.robustness import distances
from workers.jobs.attack.panels import Dissected, panel
from workers.jobs.attack.plan import choose, goals
from workers.jobs.attack.studying import Studying
from workers.jobs.attack.transfer import Others
from workers.jobs.attack.watching import Watch
from workers.jobs.kind import ShardContext
from workers.jobs.stored import Stored
from workers.networks.pixels import LEVELS, logits_of, normalize, pixels_of

SUCCEEDED, FAILED, ALREADY_TARGET, MISCLASSIFIED = range(4)
"""Positions of the outcomes in `service.results.attacks.tables.OUTCOMES`."""
NPY_TYPE, PNG_TYPE = "application/x-npy", "image/png"


@dataclass(frozen=True)
class Outcomes(Stored):
    """What became of m images: their places, classes before, wanted (-1: any other) and after, and the distances."""

    images: NDArray[np.int64]
    sources: NDArray[np.int64]
    wanted: NDArray[np.int64]
    results: NDArray[np.int64]
    outcomes: NDArray[np.int64]
    l2: NDArray[np.float64]
    linf: NDArray[np.float64]


class Attacking(Studying):
    """A shard that attacks."""

    def __init__(self, context: ShardContext) -> None:
        super().__init__(context)
        self.target = self.targets[self.payload["target"]]
        known = self.classified()
        goal, classes = goals(self.target, known.least), self.images.classes
        chosen = np.flatnonzero(choose(self.params["images"], goal, known.predicted, classes))
        self.places = chosen[self.payload["start"] : self.payload["stop"]]
        self.sources = known.predicted[self.places].astype(np.int64)
        self.wanted = np.full(len(self.places), -1) if goal is None else goal[self.places]
        self.artifacts: list[tuple[str, int, str]] = []

    def run(self) -> dict[str, Any]:
        """Attack, look at what came of it, and write it down."""
        originals = self._originals()
        before = self._before()
        attacked = self._attack(originals, before == FAILED)
        outcomes = self._judge(originals, attacked, before)
        outcomes.save(self.context.scratch / f"{self.name}.npz")
        fooled = np.flatnonzero(outcomes.outcomes == SUCCEEDED)
        notes = self._look(originals, attacked, fooled) if len(fooled) else {"fooled": 0, "kept": {}, "artifacts": []}
        (self.context.scratch / f"{self.name}.json").write_text(json.dumps(notes, allow_nan=False))
        return {"attacked": self.name}

    def _originals(self) -> Tensor:
        """The images as the network sees them, pixels (m, 3, H, W) from 0 to 1."""
        spec = self.network.input
        images = [pixels_of(self.images.probe.image(self.images.indices[place]), spec) for place in self.places]
        return torch.stack(images).to(self.network.device)

    def _look(self, originals: Tensor, attacked: Tensor, fooled: NDArray[np.int64]) -> dict[str, Any]:
        """Watch the units on the fooled images, show these to other networks, and keep some of them."""
        watches = [Watch(self.network, layer, self.context.check) for layer in self.params["layer"]]
        numbers = [self.images.indices[place] for place in self.places[fooled]]
        for number, watch in enumerate(watches):
            found = watch.look(originals[fooled], attacked[fooled], self.sources[fooled], numbers)
            found.save(self.context.scratch / f"{self.name}-{number}.npz")
        return {
            "fooled": len(fooled),
            "transfers": Others(self.context, self.outputs).look(originals, attacked, fooled),
            "kept": self._keep_some(originals, attacked, watches, fooled.tolist()),
            "artifacts": self.artifacts,
        }

    def _before(self) -> NDArray[np.int64]:
        """The outcomes of images that need no attack; FAILED where one is to be tried."""
        if self.target is None:
            wrong = self.sources != self.images.classes[self.places]
            return np.where(wrong, MISCLASSIFIED, FAILED)
        return np.where(self.sources == self.wanted, ALREADY_TARGET, FAILED)

    def _attack(self, originals: Tensor, tried: NDArray[np.bool_]) -> Tensor:
        """The attacked images; what was not tried, or did not succeed, stays its original."""
        rows = np.flatnonzero(tried)
        if not len(rows):
            return originals.clone()
        device = originals.device
        labels, wanted, numbers = (
            torch.from_numpy(np.ascontiguousarray(values)).to(device)
            for values in (self.sources[rows], self.wanted[rows], self.places[rows])
        )
        attack, logits = self.attack(), logits_of(self.network)
        try:
            goals = None if self.target is None else wanted
            found = attack(logits, originals[rows], labels, goals, self.context.check, numbers)
        except (NotFinite, NotDifferentiable) as error:
            raise Invalid(f"the network cannot be attacked: {error}", "/model") from error
        attacked = originals.clone()
        attacked[rows] = found.adversarial
        return attacked

    @torch.inference_mode()
    def _judge(self, originals: Tensor, attacked: Tensor, before: NDArray[np.int64]) -> Outcomes:
        """Classify every attacked image by itself, as whoever downloads one does, and say what came of it."""
        results = np.array(
            [int(self.network.module(normalize(image[None], self.network.input)).argmax()) for image in attacked],
            np.int64,
        )
        reached = results != self.sources if self.target is None else results == self.wanted
        outcomes = np.where((before == FAILED) & reached, SUCCEEDED, before)
        results = np.where(outcomes == SUCCEEDED, results, self.sources)
        l2, linf = (values.cpu().numpy() for values in distances(originals, attacked))
        return Outcomes(self.places, self.sources, self.wanted, results, outcomes, l2, linf)

    def _keep_some(
        self, originals: Tensor, attacked: Tensor, watches: list[Watch], fooled: list[int]
    ) -> dict[int, dict[str, str]]:
        """The artifacts of those of the fooled images that are among the first so many of the target."""
        rows = [row for row in fooled if self.payload["start"] + row < self.params["keep"]]
        shown = [found for watch in watches if (found := self._dissected(watch))] if rows else []
        return {row: self._keep(originals[row], attacked[row], shown) for row in rows}

    def _keep(self, original: Tensor, attacked: Tensor, shown: list[Dissected]) -> dict[str, str]:
        """Store an image, what the attack made of it, and a picture of both."""
        self.context.check()
        adversarial = attacked.float().cpu().numpy()
        buffer = io.BytesIO()
        np.save(buffer, adversarial, allow_pickle=False)
        levels = (original.cpu() * LEVELS).round().to(torch.uint8).permute(1, 2, 0).numpy()
        return {
            "original": self._store_png(levels),
            "adversarial": self._store(buffer.getvalue(), NPY_TYPE),
            "picture": self._store_png(panel(original, attacked, shown)),
        }

    def _dissected(self, watch: Watch) -> Dissected | None:
        """A layer with its units' thresholds by the job's dissection of it; None without one."""
        if self.params["dissections"][watch.layer] is None:
            return None
        team_id, job_id = self.context.job.team_id, uuid.UUID(self.params["dissections"][watch.layer])
        with reading(self.context.sessions) as session:
            units = labelled_units(session, team_id, job_id, watch.layer)
            mode = find_job(session, team_id, job_id).params["upsampling"]
        return Dissected(watch, [unit.threshold for unit in units], mode)

    def _store_png(self, pixels: NDArray[np.uint8]) -> str:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return self._store(buffer.getvalue(), PNG_TYPE)

    def _store(self, data: bytes, media_type: str) -> str:
        digest = self.context.store.put(data)
        self.artifacts.append((digest, len(data), media_type))
        return digest
