"""Label maps that segmenters made, kept on disk so that no image is segmented twice by the same network."""

import hashlib
import io
import logging
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIGEST_BYTES = 32
LEVEL = 1  # of compression: label maps are plain, and more gains little
SLACK = 0.05  # share of the bound that a process writes between two looks at all that is there

log = logging.getLogger(__name__)


class LabelCache:
    """Files named by segmenter and image; many processes may share them, and any file may vanish at any time."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._unpruned = max_bytes  # as if much had been written: whoever wrote before may have been ended

    def get(self, segmenter: str, image: str) -> NDArray[np.uint16] | None:
        """The labels, (h, w), that were put under these digests; None where there are none, or damaged ones."""
        try:
            return _decode(self._file(segmenter, image).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("the labels of image %s cannot be read and are made anew: %s", image, error)
            return None

    def put(self, segmenter: str, image: str, labels: NDArray[np.uint16]) -> None:
        """Keep labels, and forget the oldest where all together become too many; a full disk is no error."""
        data = _encode(labels)
        try:
            _write(self._file(segmenter, image), data)
        except OSError as error:
            log.warning("the labels of image %s are not kept: %s", image, error)
        self._unpruned += len(data)
        if self._unpruned > SLACK * self._max_bytes:
            self._prune()
            self._unpruned = 0

    def _file(self, segmenter: str, image: str) -> Path:
        return self._root / segmenter / image[:2] / image

    def _prune(self) -> None:
        kept = sorted(_files(self._root))
        excess = sum(size for _, size, _ in kept) - self._max_bytes
        for _, size, path in kept:
            if excess <= 0:
                break
            path.unlink(missing_ok=True)  # who reads it now reads on
            excess -= size


def _files(root: Path) -> Iterator[tuple[int, int, Path]]:
    """Time of writing, bytes and path of each file below."""
    for path in root.glob("*/*/*"):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process forgot it meanwhile
            continue
        yield status.st_mtime_ns, status.st_size, path


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix="new-", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(data)
            file.flush()
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _encode(labels: NDArray[np.uint16]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, labels, allow_pickle=False)
    content = zlib.compress(buffer.getvalue(), LEVEL)
    return hashlib.sha256(content).digest() + content


def _decode(data: bytes) -> NDArray[np.uint16]:
    digest, content = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("the file is damaged")
    labels: NDArray[np.uint16] = np.load(io.BytesIO(zlib.decompress(content)), allow_pickle=False)
    return labels
