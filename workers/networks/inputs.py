"""How an image becomes a network's input, and where each place of the input lies in the image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from service.errors import Invalid

Size = tuple[int, int]
"""(height, width)."""
Triple = tuple[float, float, float]

MAX_SIDE = 4096
MAX_NUMBER = 1e6
MAX_RESIZED_PIXELS = 64 * 10**6


@dataclass(frozen=True)
class Geometry:
    """Resizing and central crop: where the network's input lies in the original image."""

    resize: Size | int | None
    """A pair squashes, a number is the length of the shorter side, None leaves the image as it is."""
    size: Size
    """Height and width of what is cut out of the centre."""

    def resized(self, image_size: Size) -> Size:
        """Size of the image after resizing; raise Invalid where a narrow image would become too long."""
        if not isinstance(self.resize, int):
            return self.resize or image_size
        height, width = image_size
        longer = int(self.resize * max(image_size) / min(image_size))
        if self.resize * longer > MAX_RESIZED_PIXELS:
            raise Invalid(
                f"an image of {width} x {height} is too narrow: with its shorter side at {self.resize} the longer one "
                f"would be {longer}; crop the image, or resize to a pair",
                "/input/resize",
            )
        return (longer, self.resize) if height > width else (self.resize, longer)

    def offset(self, image_size: Size) -> tuple[int, int]:
        """Row and column of the input's first pixel in the resized image; negative where the input is the larger."""
        height, width = self.resized(image_size)
        return _offset(height, self.size[0]), _offset(width, self.size[1])

    def apply(self, image: Image.Image) -> Image.Image:
        """Resize (antialiased bilinear) and crop the image; black surrounds an image smaller than the crop."""
        image_size = (image.height, image.width)
        height, width = self.resized(image_size)
        top, left = self.offset(image_size)
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        return resized.crop((left, top, left + self.size[1], top + self.size[0]))

    def sample_positions(
        self, image_size: Size, grid: int, mask_size: Size | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Find the pixel of an image, or of its mask, under the centre of each cell of a grid over the input.

        Parameters
        ----------
        image_size
            Height and width of the original image, in pixels.
        grid
            Number of cells along each side of the network's input.
        mask_size
            Height and width of the mask where they differ from the image's.

        Returns
        -------
        rows, columns
            Indices, each of shape (grid,); -1 where the centre lies outside the image.
        """
        sides = zip(image_size, self.resized(image_size), self.offset(image_size), strict=True)
        rows, columns = (
            _positions(grid, inside, first, resized, source)
            for inside, (_, resized, first), source in zip(self.size, sides, mask_size or image_size, strict=True)
        )
        return rows, columns


def _offset(side: int, crop: int) -> int:
    return round((side - crop) / 2) if side >= crop else -((crop - side) // 2)


def _positions(grid: int, inside: int, first: int, resized: int, source: int) -> npt.NDArray[np.int64]:
    """Pixel of the source under (i + 1/2) inside / grid + first, in whole numbers so that no rounding enters."""
    doubled = (2 * np.arange(grid, dtype=np.int64) + 1) * inside + 2 * grid * first
    positions = doubled * source // (2 * grid * resized)
    return np.where((positions >= 0) & (positions < source), positions, -1)


@dataclass(frozen=True)
class InputSpec:
    """How an image becomes a network's input: value = (pixel * scale - mean) / std after resizing and cropping."""

    resize: Size | int | None = None
    crop: Size | None = None
    channels: str = "rgb"
    scale: float = 1 / 255
    mean: Triple = (0.0, 0.0, 0.0)
    """In the order of `channels`, as `std`."""
    std: Triple = (1.0, 1.0, 1.0)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Read a model's `input`; raise Invalid that points at the field which is wrong."""
        known = {field.name for field in fields(cls)}
        for name in given:
            if name not in known:
                raise Invalid(f"{name!r} is not part of an input; its fields are {', '.join(known)}", f"/input/{name}")
        parsed: dict[str, Any] = {name: _PARSERS[name](value, f"/input/{name}") for name, value in given.items()}
        spec = cls(**parsed)
        if spec.crop is None and not isinstance(spec.resize, tuple):
            raise Invalid("images of different shapes need one size: give crop, or resize as a pair", "/input/crop")
        return spec

    def to_json(self) -> dict[str, Any]:
        """Write the description as `from_json` reads it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @property
    def size(self) -> Size:
        """Height and width of the network's input."""
        size = self.crop or self.resize
        assert isinstance(size, tuple)
        return size

    def blank(self, count: int) -> Tensor:
        """Make black images as a network takes them (n, 3, H, W)."""
        return torch.zeros(count, 3, *self.size)

    @property
    def geometry(self) -> Geometry:
        """The resizing and cropping alone."""
        return Geometry(self.resize, self.size)


def preprocess(image: Image.Image, spec: InputSpec) -> Tensor:
    """Turn an image into a network's input.

    Parameters
    ----------
    image
        In mode RGB, of any size.
    spec
        The network's input description.

    Returns
    -------
    Tensor
        float32, shape (3, height, width), on the CPU.
    """
    pixels = np.asarray(spec.geometry.apply(image))  # (H, W, 3)
    if spec.channels == "bgr":
        pixels = pixels[..., ::-1]
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    values = (pixels * np.float32(spec.scale) - mean) / std
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _parse_resize(value: Any, pointer: str) -> Size | int | None:
    return _parse_side(value, pointer) if isinstance(value, int) else _parse_pair(value, pointer)


def _parse_crop(value: Any, pointer: str) -> Size | None:
    return (_parse_side(value, pointer),) * 2 if isinstance(value, int) else _parse_pair(value, pointer)


def _parse_pair(value: Any, pointer: str) -> Size | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise Invalid(f"{value!r} is neither null, a number nor a pair of height and width", pointer)
    return _parse_side(value[0], f"{pointer}/0"), _parse_side(value[1], f"{pointer}/1")


def _parse_side(value: Any, pointer: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_SIDE:
        raise Invalid(f"{value!r} is not a whole number of pixels from 1 to {MAX_SIDE}", pointer)
    return value


def _parse_channels(value: Any, pointer: str) -> str:
    if value not in ("rgb", "bgr"):
        raise Invalid(f"{value!r} is neither 'rgb' nor 'bgr'", pointer)
    return str(value)


def _parse_number(value: Any, pointer: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= MAX_NUMBER:
        raise Invalid(f"{value!r} is not a number from {-MAX_NUMBER:g} to {MAX_NUMBER:g}", pointer)
    return float(value)


def _parse_factor(value: Any, pointer: str) -> float:
    number = _parse_number(value, pointer)
    if number < 1 / MAX_NUMBER:
        raise Invalid(f"{value!r} is not a number from {1 / MAX_NUMBER:g} to {MAX_NUMBER:g}", pointer)
    return number


def _parse_mean(value: Any, pointer: str) -> Triple:
    red, green, blue = (_parse_number(v, f"{pointer}/{i}") for i, v in enumerate(_three(value, pointer)))
    return red, green, blue


def _parse_std(value: Any, pointer: str) -> Triple:
    red, green, blue = (_parse_factor(v, f"{pointer}/{i}") for i, v in enumerate(_three(value, pointer)))
    return red, green, blue


def _three(value: Any, pointer: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise Invalid(f"{value!r} is not a list of three numbers, one a channel", pointer)
    return value


_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "resize": _parse_resize,
    "crop": _parse_crop,
    "channels": _parse_channels,
    "scale": _parse_factor,
    "mean": _parse_mean,
    "std": _parse_std,
}
