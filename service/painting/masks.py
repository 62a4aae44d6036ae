"""Masks over a picture: read from PNG or run-lengths, brought to the picture's size, kept as run-lengths."""

import base64
import binascii
import io
import re
from dataclasses import dataclass
from typing import Any, Self

import marshmallow as ma
import numpy as np
from marshmallow import fields
from numpy.typing import NDArray
from PIL import Image

from service.catalog.schemas import MAX_SIDE

HALF = 128
"""From this grey value, or opacity, of 255 on a pixel of a PNG is touched."""
DATA_URL = re.compile(r"\Adata:image/png;base64,")
FORM = 'give a PNG in base64, or {"size": [height, width], "runs": [untouched, touched, ...]}'


@dataclass(frozen=True)
class Mask:
    """Which pixels a stroke touches: row by row so many untouched, so many touched, and so on."""

    height: int
    width: int
    runs: list[int]

    @classmethod
    def of(cls, touched: NDArray[np.bool_]) -> Self:
        """The mask of pixels (height, width)."""
        flat = np.concatenate([[False], touched.ravel()])
        ends = np.flatnonzero(flat[1:] != flat[:-1])
        runs = np.diff(ends, prepend=0, append=touched.size)
        return cls(touched.shape[0], touched.shape[1], runs.tolist())

    def pixels(self) -> NDArray[np.bool_]:
        """The pixels (height, width)."""
        touched = np.arange(len(self.runs)) % 2 == 1
        return np.repeat(touched, self.runs).reshape(self.height, self.width)

    def scaled(self, height: int, width: int) -> "Mask":
        """The mask at another size: a pixel is touched where any part of it is."""
        if (height, width) == (self.height, self.width):
            return Mask.of(self.pixels())  # runs may be empty, and their list longer than need be
        rows = _any(self.pixels(), height)
        return Mask.of(_any(rows.T, width).T)

    def to_json(self) -> dict[str, Any]:
        """The mask as requests may give it."""
        return {"size": [self.height, self.width], "runs": self.runs}


def _any(pixels: NDArray[np.bool_], rows: int) -> NDArray[np.bool_]:
    """So many rows, each touched where a row that it overlaps is."""
    given = len(pixels)
    parts = ((row * given // rows, -(-(row + 1) * given // rows)) for row in range(rows))
    return np.stack([pixels[start:stop].any(axis=0) for start, stop in parts])


class MaskField(fields.Field[Mask]):
    """A mask as a PNG in base64, bare or as a data URL, or as run-lengths row by row."""

    def __init__(self, **options: Any) -> None:
        runs = {
            "type": "object",
            "properties": {
                "size": {"type": "array", "items": _integers(1, MAX_SIDE), "minItems": 2, "maxItems": 2},
                "runs": {"type": "array", "items": _integers(0, MAX_SIDE**2), "minItems": 1},
            },
            "required": ["size", "runs"],
            "additionalProperties": False,
        }
        png = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
        description = (
            "Pixels that are touched, of any size: a PNG in base64, or run-lengths row by row, first of pixels "
            "that are not. The opaque pixels of a PNG with transparent ones are touched, the bright ones of any other. "
            "It is brought to the picture's size; a pixel of the picture is touched where any part of it is."
        )
        super().__init__(metadata={"description": description, "anyOf": [png, runs]}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Mask:
        if isinstance(value, str):
            return read_png(value)
        if isinstance(value, dict) and value.keys() == {"size", "runs"}:
            return read_runs(value["size"], value["runs"])
        raise ma.ValidationError(f"not a mask; {FORM}")


def _integers(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def read_png(text: str) -> Mask:
    """The mask of a PNG in base64; raise ValidationError for anything else."""
    try:
        data = base64.b64decode(DATA_URL.sub("", text), validate=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            _check_sides(image.height, image.width)
            return Mask.of(_touched(image))
    except ma.ValidationError:
        raise
    except _NO_PNG:
        raise ma.ValidationError(f"the text is not a PNG in base64; {FORM}") from None


_NO_PNG = (
    binascii.Error,
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What text, base64 and Pillow raise; a bomb's size is over any mask's."""


def _touched(image: Image.Image) -> NDArray[np.bool_]:
    opaque = np.asarray(image.convert("RGBA").getchannel("A")) >= HALF
    if not opaque.all():
        return opaque
    if image.mode.startswith("I"):  # 16 bits, which a conversion would cut off
        return np.asarray(image) >= HALF * 256
    return np.asarray(image.convert("L")) >= HALF


def _check_sides(height: int, width: int) -> None:
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise ma.ValidationError(f"a mask of {height} x {width} pixels; its sides may have 1 to {MAX_SIDE}")


def read_runs(size: Any, runs: Any) -> Mask:
    """The mask of run-lengths; raise ValidationError where they do not make as many pixels as the size says."""
    if not (isinstance(size, list) and len(size) == 2 and _are_counts(size)):
        raise ma.ValidationError({"size": ["a pair [height, width] is needed"]})
    _check_sides(*size)
    if not (isinstance(runs, list) and _are_counts(runs)):
        raise ma.ValidationError({"runs": ["a list of numbers of pixels is needed"]})
    if sum(runs) != size[0] * size[1]:
        problem = f"they make {sum(runs)} pixels, {size[0]} x {size[1]} are {size[0] * size[1]}"
        raise ma.ValidationError({"runs": [problem]})
    return Mask(size[0], size[1], runs)


def _are_counts(values: list[Any]) -> bool:
    return all(type(value) is int and value >= 0 for value in values)
