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
from workers.networks.footprint import HELD_OUTPUTS, batch_size
from workers.networks.inputs import Geometry, InputSpec, Size, preprocess
from workers.networks.network import Network
from workers.networks.tails.rows import RowLimit, in_parts
from workers.probes.label_cache import LabelCache
from workers.probes.layout import Concept

MEMORY_BYTES = 2**28
"""What images that are segmented together may take, unless told otherwise."""


class Segmenter:
    """A network whose logits give each pixel one concept or none of each category; may be called from any thread.

    Each image is segmented alone, so that its labels depend on nothing but the image and the network.
    """

    def __init__(
        self,
        digest: str,
        spec: InputSpec,
        outputs: Sequence[Sequence[str] | None],
        load: Callable[[], Network],
        cache: LabelCache,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        """Describe a registered segmenter; `load` is called where the cache does not have an image's labels."""
        self.concepts = [Concept(*output) for output in outputs if output]
        self.channels = list(dict.fromkeys(concept.category for concept in self.concepts))
        places = {concept: label for label, concept in enumerate(self.concepts, start=1)}
        self._label_of = np.array([places[Concept(*output)] if output else 0 for output in outputs], np.uint16)
        self._rivals = [
            np.array([i for i, output in enumerate(outputs) if not output or output[0] == channel])
            for channel in self.channels
        ]
        self._digest, self._spec, self._load, self._cache = digest, spec, load, cache
        self._lock, self._memory_bytes = Lock(), memory_bytes

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
        if labels is None or labels.ndim == 2:  # kept when all categories were still rivals
            labels = self._segment(image)
            self._cache.put(self._digest, digest, labels)
        return self._lay_out(labels, (image.height, image.width), geometry, grid)

    def label(self, images: Sequence[Image.Image], grid: int) -> NDArray[np.uint16]:
        """Label the cells of a grid over whole images of one size: (n, channels, grid, grid), otherwise as `labels`.

        Images pass the network together, and nothing is read from, or put into, the cache.
        """
        size = (images[0].height, images[0].width)
        with self._lock:
            network = self._load()
            # a single one passes alone whatever fits, and a painting does not wait for the trial
            limit = RowLimit(self._count_together(network) if len(images) > 1 else 1)
            parts = in_parts(len(images), limit, network.device, lambda part: self._run(network, images[part]))
            labels = [labels for part in parts for labels in part]
        return np.stack([self._lay_out(each, size, Geometry(None, size), grid) for each in labels])

    def _count_together(self, network: Network) -> int:
        """How many images the memory takes at once, with their outputs at every pixel."""
        height, width = self._spec.size
        outputs = self._memory_bytes // (4 * HELD_OUTPUTS * len(self._label_of) * height * width)
        with torch.inference_mode():
            return max(1, min(outputs, batch_size(network.module, network.blank(1), self._memory_bytes)))

    def _lay_out(
        self, labels: NDArray[np.uint16], image_size: Size, geometry: Geometry, grid: int
    ) -> NDArray[np.uint16]:
        """From labels of the segmenter's input (channels, h, w) to those of the grid's cells (channels, G, G)."""
        return np.array([self._sample(channel, image_size, geometry, grid) for channel in labels], np.uint16)

    def _segment(self, image: Image.Image) -> NDArray[np.uint16]:
        """Label each pixel of the segmenter's input, (channels, h, w)."""
        with self._lock:
            network = self._load()
            with torch.inference_mode():
                labels: NDArray[np.uint16] = self._run(network, [image])[0]
        return labels

    def _run(self, network: Network, images: Sequence[Image.Image]) -> NDArray[np.uint16]:
        """Label each pixel of the segmenter's inputs, (n, channels, h, w)."""
        inputs = torch.stack([preprocess(image, self._spec) for image in images])
        logits = _logits(network.module(inputs.to(network.device)), self._spec.size)
        channels = [self._label_of[rivals[logits[:, rivals].argmax(1).cpu().numpy()]] for rivals in self._rivals]
        return np.stack(channels, axis=1)

    def _sample(
        self, labels: NDArray[np.uint16], image_size: Size, geometry: Geometry, grid: int
    ) -> NDArray[np.uint16]:
        height, width = self._spec.geometry.resized(image_size)
        top, left = self._spec.geometry.offset(image_size)
        # undo the crop: what it cut off is unlabelled, what it added is dropped
        whole = np.asarray(Image.fromarray(labels).crop((-left, -top, width - left, height - top)))
        rows, columns = geometry.sample_positions(image_size, grid, (height, width))
        return np.where((rows >= 0)[:, None] & (columns >= 0), whole[np.ix_(rows, columns)], np.uint16(0))


def _logits(logits: Tensor, size: Size) -> Tensor:
    """The outputs at each pixel of the inputs: (n, C, h, w) -> (n, C, H, W)."""
    if not logits.isfinite().all():
        raise Invalid("the segmenter's output is not finite; its weights are not sound", "/segmentation")
    if logits.shape[2:] != size:
        logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    return logits
