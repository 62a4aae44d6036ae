"""Painting by numbers: every shape is drawn once, as the number of its paint.

Colours, shading, textures and the labels of all categories are looked up from that one map of numbers, so that
pixels and labels agree exactly and a part can only lie inside its owner object.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from workers.scenes import textures
from workers.scenes.concepts import CATEGORIES, NUMBER

SIZE = 64  # pixels of the finished image
EXTENT = 2 * SIZE  # drawn at twice the size, then averaged
Colour = tuple[float, float, float]
Box = tuple[
    float, float, float, float
]  # left, top, right, bottom; (0, 0) is the top left corner, (1, 1) the bottom right
Point = tuple[float, float]

_ROWS, _COLUMNS = np.mgrid[:EXTENT, :EXTENT].astype(np.float32) / EXTENT


@dataclass(slots=True)
class Paint:
    """What a shape is covered with, and what its pixels are labelled."""

    number: int
    colour: Colour
    labels: tuple[int, int, int]  # object, part, material
    texture: int
    contrast: float
    light: tuple[float, float]  # relative brightening from left to right and from top to bottom
    box: Box | None = None  # of the first shape drawn with it: the light runs over this box


class Canvas:
    """A picture under construction, with the random generator that decides about it."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.ground: Paint | None = None
        self._numbers = Image.new("I", (EXTENT, EXTENT))
        self._draw = ImageDraw.Draw(self._numbers)
        self._paints: list[Paint] = []
        self._textures = textures.bank()[0]

    # -- choices ---------------------------------------------------------------------------------

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly from [low, high]."""
        return self.rng.uniform(low, high)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.rng.random() < probability

    def colour(self, family: Sequence[str], jitter: float = 14) -> Colour:
        """A colour near one of the family's, each given as six hexadecimal digits."""
        value = int(self.rng.choice(family), 16)
        gain = self.between(0.86, 1.1)
        red, green, blue = (
            c * gain + self.between(-jitter, jitter) for c in (value >> 16, value >> 8 & 255, value & 255)
        )
        return red, green, blue

    # -- paints ----------------------------------------------------------------------------------

    def paint(
        self,
        name: str,
        colour: Colour,
        *,
        part: str | None = None,
        material: str | None = None,
        texture: str = "plain",
        contrast: float = 0.1,
        light: tuple[float, float] = (0.0, 0.0),
    ) -> Paint:
        """A new paint for an object, or for a part of it."""
        labels = (
            NUMBER["object", name],
            NUMBER["part", part] if part else 0,
            NUMBER["material", material] if material else 0,
        )
        paint = Paint(len(self._paints) + 1, colour, labels, self._textures[texture], contrast, light)
        self._paints.append(paint)
        return paint

    def darker(self, paint: Paint, gain: float = 0.72) -> Paint:
        """The same paint in shadow."""
        red, green, blue = (c * gain for c in paint.colour)
        twin = Paint(
            len(self._paints) + 1,
            (red, green, blue),
            paint.labels,
            paint.texture,
            paint.contrast,
            paint.light,
            paint.box,
        )
        self._paints.append(twin)
        return twin

    # -- shapes ----------------------------------------------------------------------------------

    def polygon(self, paint: Paint, points: Sequence[Point]) -> None:
        """Fill a polygon."""
        if paint.box is None:
            paint.box = _around(points)
        self._draw.polygon([(x * EXTENT, y * EXTENT) for x, y in points], fill=paint.number)

    def rectangle(self, paint: Paint, box: Box) -> None:
        """Fill a rectangle; one that is empty draws nothing."""
        paint.box = paint.box or box
        x0, y0, x1, y1 = (round(v * EXTENT) for v in box)
        if x1 > x0 and y1 > y0:
            self._draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=paint.number)

    def ellipse(self, paint: Paint, x: float, y: float, rx: float, ry: float) -> None:
        """Fill an ellipse around (x, y)."""
        paint.box = paint.box or (x - rx, y - ry, x + rx, y + ry)
        self._draw.ellipse(
            ((x - rx) * EXTENT, (y - ry) * EXTENT, (x + rx) * EXTENT, (y + ry) * EXTENT), fill=paint.number
        )

    def line(self, paint: Paint, points: Sequence[Point], width: float) -> None:
        """Draw a line of the given width through the points."""
        paint.box = paint.box or _around(points, width / 2)
        self._draw.line(
            [(x * EXTENT, y * EXTENT) for x, y in points], fill=paint.number, width=max(1, round(width * EXTENT))
        )

    def shadow(self, x: float, y: float, rx: float, ry: float) -> None:
        """Darken the ground below an object, where a ground has been named."""
        if self.ground:
            self.ellipse(self.darker(self.ground), x, y, rx, ry)

    # -- the picture -----------------------------------------------------------------------------

    def finish(self) -> tuple[NDArray[np.uint8], dict[str, NDArray[np.uint16]]]:
        """The image, uint8 (SIZE, SIZE, 3), and a label map, uint16 (SIZE, SIZE), for each category."""
        numbers = np.asarray(self._numbers) - 1  # (EXTENT, EXTENT)
        labels = np.array([p.labels for p in self._paints], np.uint16).T[:, numbers[1::2, 1::2]]  # (3, SIZE, SIZE)
        image = self._develop(numbers)
        step = -1 if self.chance(0.5) else 1  # half of the pictures are mirrored
        named = zip(CATEGORIES, labels[..., ::step], strict=True)
        return np.ascontiguousarray(image[:, ::step]), {name: np.ascontiguousarray(values) for name, values in named}

    def _develop(self, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
        colours = np.array([p.colour for p in self._paints], np.float32)
        slopes = np.array([_slope(p) for p in self._paints], np.float32).T[:, numbers]  # (3, EXTENT, EXTENT)
        contrast = np.array([p.contrast for p in self._paints], np.float32)[numbers]
        gain = 1 + slopes[0] * _COLUMNS + slopes[1] * _ROWS + slopes[2] + contrast * self._relief(numbers)
        pixels = colours[numbers] * np.clip(gain, 0.45, 1.6)[..., None]  # (EXTENT, EXTENT, 3)
        pixels = np.clip(pixels, 0, 255).reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
        return self._expose(pixels)

    def _relief(self, numbers: NDArray[np.int32]) -> textures.Field:
        kinds = np.array([p.texture for p in self._paints])[numbers]
        top, left = (self.rng.randrange(textures.SIZE - EXTENT) for _ in range(2))
        window = textures.bank()[1][:, top : top + EXTENT, left : left + EXTENT]
        return np.asarray(np.take_along_axis(window, kinds[None], axis=0)[0], np.float32)

    def _expose(self, pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Give the picture its light: warmth, brightness, and the grain of a camera."""
        warmth, brightness = self.between(-0.06, 0.06), self.between(0.86, 1.08)
        cast = np.array([1 + warmth, 1, 1 - warmth], np.float32) * brightness
        top, left = (self.rng.randrange(textures.SIZE - SIZE) for _ in range(2))
        grain = textures.bank()[1][self._textures["grain"], top : top + SIZE, left : left + SIZE]
        return np.asarray(np.clip(pixels * cast + 2.5 * grain[..., None], 0, 255), np.uint8)


def _around(points: Sequence[Point], margin: float = 0.0) -> Box:
    xs, ys = zip(*points, strict=True)
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin


def _slope(paint: Paint) -> tuple[float, float, float]:
    """The coefficients (a, b, c) of a paint's light a x + b y + c, which is 0 at the middle of its box."""
    x0, y0, x1, y1 = paint.box or (0.0, 0.0, 1.0, 1.0)
    a = paint.light[0] / max(abs(x1 - x0), 0.02)
    b = paint.light[1] / max(abs(y1 - y0), 0.02)
    return a, b, -(a * (x0 + x1) + b * (y0 + y1)) / 2
