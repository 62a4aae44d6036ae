"""What pictures are like as a whole: by a layer of a classifier, or by their colours."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.catalog.queries import get_model
from service.database import reading
from workers.analysis.interventions.realism import pooled_maps, pooled_pixels
from workers.jobs.kind import ShardContext
from workers.jobs.subjects import open_model
from workers.networks.network import Network
from workers.networks.pixels import LEVELS, fit, normalize
from workers.networks.taps import tap


class Features:
    """The features that the job's realism is told by."""

    def __init__(self, context: ShardContext) -> None:
        self.wanted = context.job.params["realism"]
        self.device = torch.device(context.settings.device)
        self.network = self._open(context) if self.wanted else None

    def _open(self, context: ShardContext) -> Network:
        with reading(context.sessions) as session:
            model = get_model(session, context.job.team_id, self.wanted["model"]).model
        return open_model(context, model)

    @torch.inference_mode()
    def of(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (n, D) of pictures (n, H, W, 3)."""
        pixels = torch.from_numpy(pictures).to(self.device).permute(0, 3, 1, 2).float() / LEVELS
        found: NDArray[np.float32] = self._features(pixels).float().cpu().numpy()
        return found

    def _features(self, pixels: Tensor) -> Tensor:
        if self.network is None:
            return pooled_pixels(pixels)
        with tap(self.network.module, [self.wanted["layer"]]) as maps:
            self.network.module(normalize(fit(pixels, self.network.input), self.network.input))
            return pooled_maps(maps[self.wanted["layer"]])
