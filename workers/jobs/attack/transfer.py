"""Whether attacked images fool other networks, too."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from service.catalog.queries import classes_of, get_model
from service.database import reading
from workers.jobs.kind import ShardContext
from workers.jobs.subjects import open_model
from workers.networks.pixels import fit, normalize


class Others:
    """The other classifiers that a job names."""

    def __init__(self, context: ShardContext, outputs: list[str]) -> None:
        self.context, self.outputs = context, outputs

    def look(self, originals: Tensor, attacked: Tensor, fooled: NDArray[Any]) -> dict[str, list[list[str]]]:
        """By model, for each fooled image the names of the classes that it takes it for before and after."""
        return {
            name: self._classes(name, originals[fooled], attacked[fooled])
            for name in self.context.job.params["transfer"]
        }

    def _classes(self, name: str, originals: Tensor, attacked: Tensor) -> list[list[str]]:
        with reading(self.context.sessions) as session:
            model = get_model(session, self.context.job.team_id, name).model
            names = classes_of(session, model)
        network = open_model(self.context, model)
        found = []
        for pair in zip(originals, attacked, strict=True):
            self.context.check()
            with torch.inference_mode():
                pixels = [fit(image[None].to(network.device), network.input) for image in pair]
                logits = [network.module(normalize(image, network.input)) for image in pixels]
            found.append([names[int(values.argmax())] for values in logits])
        return found
