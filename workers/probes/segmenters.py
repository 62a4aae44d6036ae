"""Networks that label images which have no masks."""

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from service.errors import Invalid
from workers.networks.inputs import Geometry, InputSpec, Size, preprocess
from workers.networks.network import Network
from workers.probes.label_cache import LabelCache
from workers.probes.layout import Concept


class Segmenter:
    """A network whose logits give each pixel one concept or none; may be called from any thread.

    Each image is segmented alone, so that its labels depend on nothing but the image and the network.
    """

    def __init__(
        self,
        digest: str,
        spec: InputSpec,
        outputs: Sequence[Sequence[str] | None],
        load: Callable[[], Network],
        cache: LabelCache,
    ) -> None:
        """Describe a registered segmenter; `load` is called where the cache does not have an image's labels."""
        self.concepts = [Concept(*output) for output in outputs if output]
        self.channels = list(dict.fromkeys(concept.category for concept in self.concepts))
        places = {concept: label for label, concept in enumerate(self.concepts, start=1)}
        self._label_of = np.array([places[Concept(*output)] if output else 0 for output in outputs], np.uint16)
        self._channel_of = np.array([-1, *(self.channels.index(concept.category) for concept in self.concepts)])
        self._digest, self._spec, self._load, self._cache = digest, spec, load, cache
        self._lock = Lock()

    def labels(self, image: Image.Image, digest: str, geometry: Geometry, grid: int) -> NDArray[np.uint16]:
        """Label the cells of a grid over the input of the network that is studied.

        Parameters
        ----------
        image, digest
            The image in mode RGB, and the sha256 of its file.
        geometry
            Where the input lies in the image.
        grid
            Number of cells along each side of the input.

        Returns
        -------
        NDArray[np.uint16]
            Shape (channels, grid, grid): 1 + position in `concepts`, 0 where there is none, no image, or a part of the
            image that the segmenter's own input leaves out.

        Raises
        ------
        Invalid
            The segmenter's output is not finite.
        """
        labels = self._cache.get(self._digest, digest)
        if labels is None:
            labels = self._segment(image)
            self._cache.put(self._digest, digest, labels)
        cells = self._sample(labels, (image.height, image.width), geometry, grid)  # (G, G)
        channels = np.arange(len(self.channels))[:, None, None]
        return np.where(self._channel_of[cells] == channels, cells, np.uint16(0))

    def _segment(self, image: Image.Image) -> NDArray[np.uint16]:
        """Label each pixel of the segmenter's input, (h, w)."""
        pixels = preprocess(image, self._spec)[None]
        with self._lock:
            network = self._load()
            with torch.inference_mode():
                outputs = _largest(network.module(pixels.to(network.device)), self._spec.size)
        labels: NDArray[np.uint16] = self._label_of[outputs]
        return labels

    def _sample(
        self, labels: NDArray[np.uint16], image_size: Size, geometry: Geometry, grid: int
    ) -> NDArray[np.uint16]:
        height, width = self._spec.geometry.resized(image_size)
        top, left = self._spec.geometry.offset(image_size)
        # undo the crop: what it cut off is unlabelled, what it added is dropped
        whole = np.asarray(Image.fromarray(labels).crop((-left, -top, width - left, height - top)))
        rows, columns = geometry.sample_positions(image_size, grid, (height, width))
        return np.where((rows >= 0)[:, None] & (columns >= 0), whole[np.ix_(rows, columns)], np.uint16(0))


def _largest(logits: Tensor, size: Size) -> NDArray[np.int64]:
    """The output with the largest logit at each pixel of the input: (1, C, h, w) -> (H, W)."""
    if not logits.isfinite().all():
        raise Invalid("the segmenter's output is not finite; its weights are not sound", "/segmentation")
    if logits.shape[2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    outputs: NDArray[np.int64] = logits[0].argmax(0).cpu().numpy()
    return outputs
