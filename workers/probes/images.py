"""Pictures and masks from bytes that nobody vouches for."""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from service.errors import Invalid
from workers.networks.inputs import Size

PICTURES = ("PNG", "JPEG", "WEBP")
BIT_DEPTH = 24  # offset of this byte in a PNG file; the type of colour follows it
ORIENTATION, SIDEWAYS = 0x0112, 5  # the EXIF tag, and the least of its values that swap height and width
STRETCH = {2: 85, 4: 17}  # Pillow stretches grey levels of so many bits to 0..255

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns, and only once; `_opened` holds every image to the setting


def decode_image(data: bytes, name: str, max_pixels: int) -> Image.Image:
    """Decode a PNG, JPEG or WebP picture to RGB, upright as its EXIF orientation says; raise Invalid naming the file.

    Transparency is dropped and 16 bits are cut to 8, as the usual loaders do.
    """
    with _opened(data, name, max_pixels, PICTURES) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        return _grey(upright).convert("RGB") if upright.mode.startswith("I") else upright.convert("RGB")


class Stored(NamedTuple):
    """How a picture lies in its file."""

    size: Size
    sideways: bool
    """Whether decoding turns it on its side, so that height and width change places."""


def check_image(data: bytes, name: str, max_pixels: int) -> Stored:
    """Check a picture's head, size and end without decoding it; raise Invalid naming the file."""
    with _opened(data, name, max_pixels, PICTURES) as image:
        if not _complete(data, image.format):
            raise OSError("it is truncated")
        return Stored((image.height, image.width), image.getexif().get(ORIENTATION, 1) >= SIDEWAYS)


def decode_mask(data: bytes, name: str, max_pixels: int) -> NDArray[np.uint16]:
    """Decode a mask's numbers, (h, w): grey levels or palette indices as they are stored; raise Invalid naming it."""
    with _opened(data, name, max_pixels, ("PNG",)) as image:
        if image.mode not in ("1", "L", "P", "I", "I;16"):
            raise Invalid(
                f"the mask {name} is in colour ({image.mode}); a mask is a grey or palette PNG whose values are the "
                "numbers of concepts",
                "/location",
            )
        numbers = np.asarray(image).astype(np.uint16)
        return numbers // np.uint16(STRETCH.get(data[BIT_DEPTH], 1)) if image.mode == "L" else numbers


def decode_color_mask(data: bytes, name: str, max_pixels: int) -> NDArray[np.uint32]:
    """Decode a mask whose numbers are colours, R + 256 G + 65,536 B, (h, w); raise Invalid naming it."""
    with _opened(data, name, max_pixels, ("PNG",)) as image:
        if image.mode not in ("RGB", "RGBA", "P"):
            raise Invalid(f"the mask {name} is in grey ({image.mode}); its numbers are to be colours", "/location")
        colors = np.asarray(image.convert("RGB")).astype(np.uint32)  # (h, w, 3)
        numbers: NDArray[np.uint32] = colors @ np.array([1, 2**8, 2**16], np.uint32)
        return numbers


@contextmanager
def _opened(data: bytes, name: str, max_pixels: int, formats: tuple[str, ...]) -> Iterator[Image.Image]:
    """An image that is small enough to decode; whatever Pillow raises on damaged bytes becomes Invalid."""
    try:
        with Image.open(io.BytesIO(data), formats=formats) as image:
            if image.width * image.height > max_pixels:
                raise Invalid(f"{name} has {image.width} x {image.height} pixels, over {max_pixels:,}", "/location")
            yield image
    except UnidentifiedImageError:
        raise Invalid(f"{name} holds no {' or '.join(formats)} image; convert it", "/location") from None
    except _DAMAGE as error:
        raise Invalid(f"{name} cannot be decoded: {error}; replace the file", "/location") from None


_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError, struct.error, zlib.error)


def _grey(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image).astype(np.uint32) // 257).astype(np.uint8))


def _complete(data: bytes, format: str | None) -> bool:
    if format == "PNG":
        return b"IEND" in data[-(2**16) :]
    if format == "WEBP":
        return len(data) >= 8 + int.from_bytes(data[4:8], "little")
    return data.rfind(b"\xff\xd9") > 0
