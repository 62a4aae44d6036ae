"""What a shard of an attack works on: network, images and targets, and what the images are taken for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.catalog.queries import classes_of
from service.catalog.tables import Dataset, Model
from service.database import reading
from service.errors import Invalid
from workers.analysis.attacks.attack import Attack
from workers.analysis.attacks.errors import BadParameter, NotDifferentiable, NotFinite, UnknownAttack
from workers.analysis.attacks.lanes import Lanes
from workers.analysis.attacks.registry import describe_attack, find_attack
from workers.jobs.attack.plan import choose, goals, payload_targets
from workers.jobs.kind import ShardContext
from workers.jobs.labelled import read_labelled
from workers.jobs.stored import Stored
from workers.jobs.subjects import largest_batch, open_images, open_network
from workers.networks.layers import list_layers, pick_layers
from workers.networks.pixels import logits_of, pixels_of
from workers.probes.loader import inputs

DECODING_THREADS = 2
TRIED = 4
"""Images on which the network is tried for a gradient."""


@dataclass(frozen=True)
class Classified(Stored):
    """What images (n,) are taken for, and which class they are least likely to be."""

    predicted: NDArray[np.int32]
    least: NDArray[np.int32]


class Studying:
    """A shard of an attack."""

    def __init__(self, context: ShardContext) -> None:
        self.context, self.payload, self.params = context, context.payload, context.job.params
        self.network = open_network(context)
        with reading(context.sessions) as session:
            model = session.get_one(Model, context.job.model_id)
            self.outputs = classes_of(session, model)
            dataset = session.get_one(Dataset, context.job.dataset_id)
        probe = open_images(context, dataset)
        self.images = read_labelled(probe, range(len(probe.images)), self.outputs, "/dataset")
        self.targets = payload_targets(self.params, self.outputs)
        self.name = f"{context.stage}-{context.index}-{context.attempt}"
        self.batch = largest_batch(self.network, context.settings.memory_bytes // 2)

    def attack(self) -> Attack:
        """The attack that the job names; raise Invalid where there is none such, or it does not take the settings."""
        try:
            return find_attack(self.params["method"], self.params["settings"])
        except UnknownAttack as error:
            raise Invalid(str(error), "/method") from error
        except BadParameter as error:
            raise Invalid(str(error), f"/settings/{error.parameter}") from error

    def prepare(self) -> dict[str, Any]:
        """Refuse what cannot be attacked before any image is."""
        self.attack()
        if self.targets != [None] and not describe_attack(self.params["method"]).targeted:
            raise Invalid(f"{self.params['method']} leaves a class and cannot be told for which", "/target")
        pick_layers(list_layers(self.network), self.params["layer"])
        check_differentiable(self)
        return {
            "images": len(self.images.indices),
            "targets": len(self.targets),
            "max_images": self.params["max_images"],
        }

    def classify(self) -> dict[str, Any]:
        """Find out what this shard's images are taken for, and count those of each target that are looked at."""
        rows = slice(self.payload["start"], self.payload["stop"])
        predicted, least = [], []
        for batch in inputs(
            self.images.probe, self.network.input, self.images.indices[rows], self.batch, DECODING_THREADS
        ):
            self.context.check()
            with torch.inference_mode():
                logits = self.network.module(batch.to(self.network.device))
            if not bool(logits.isfinite().all()):
                raise Invalid(
                    "the network's logits are not all numbers on these images: none can be attacked", "/model"
                )
            predicted.append(logits.argmax(1).cpu().numpy())
            least.append(logits.argmin(1).cpu().numpy())
        found = Classified(np.concatenate(predicted).astype(np.int32), np.concatenate(least).astype(np.int32))
        found.save(self.context.scratch / f"{self.name}.npz")
        classes = self.images.classes[rows]
        chosen = [choose(self.params["images"], goals(t, found.least), found.predicted, classes) for t in self.targets]
        return {"classified": f"{self.name}.npz", "chosen": [int(mask.sum()) for mask in chosen]}

    def classified(self) -> Classified:
        """What all images are taken for."""
        parts = [Classified.load(self.context.scratch / file) for file in self.payload["classified"]]
        return Classified(
            np.concatenate([part.predicted for part in parts]), np.concatenate([part.least for part in parts])
        )


def check_differentiable(shard: Studying) -> None:
    """Raise Invalid where the logits of the first images have no gradient by the pixels, or none but zeros."""
    network, probe = shard.network, shard.images.probe
    images = [pixels_of(probe.image(index), network.input) for index in shard.images.indices[:TRIED]]
    pixels = torch.stack([*images, torch.full_like(images[0], 0.5)]).to(network.device)
    try:
        _, slopes = Lanes(logits_of(network), pixels).gradients(
            pixels, torch.arange(len(pixels), device=pixels.device), _mixture
        )
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotDifferentiable, NotFinite) as error:
        raise Invalid(f"the network cannot be attacked: {error}", "/model") from error
    if not bool(slopes.any()):
        problem = "the gradient of its logits by its pixels is zero, as behind a step that rounds to whole numbers"
        raise Invalid(f"the network cannot be attacked: {problem}", "/model")


def _mixture(logits: Tensor, _: Tensor) -> Tensor:
    """All logits with different weights, for those of some networks always have the same sum."""
    return logits @ torch.arange(1.0, logits.shape[1] + 1, device=logits.device)
