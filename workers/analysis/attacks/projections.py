"""The nearest allowed image: pixels in [0, 1], and not farther from the original than a budget."""

from typing import Literal

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from workers.analysis.attacks.nearest import squared_norms

Norm = Literal["l2", "linf"]
SLACK = 2e-7  # of an L2 norm, for the rounding of pixels: who measures an image finds it within its budget
PART = 8  # images whose pixels are sorted at a time
NEVER = 2.0  # any scale above 1


class LinfBall:
    """All that differs from B images (B, 3, H, W) by no more than `epsilon` in any pixel."""

    def __init__(self, images: Tensor, epsilon: float) -> None:
        reach = _rounded_down(epsilon)
        self.low = _towards(images, images - reach, epsilon).clamp_(min=0)
        self.high = _towards(images, images + reach, epsilon).clamp_(max=1)

    def project(self, pixels: Tensor, rows: Tensor) -> Tensor:
        """The nearest allowed images to pixels (b, 3, H, W) that belong to images `rows` (b,)."""
        return pixels.clamp(self.low[rows], self.high[rows])

    def direction(self, slopes: Tensor) -> Tensor:
        """The step of length 1 that ascends slopes (b, 3, H, W) most."""
        return slopes.sign()

    def draw(self, random: Generator, shape: tuple[int, ...]) -> Tensor:
        """A change, uniform in the ball of radius 1."""
        return torch.from_numpy(random.uniform(-1, 1, shape).astype(np.float32))


def _rounded_down(epsilon: float) -> float:
    """The largest float32 that is not above epsilon: of a pixel near 0 its own rounding would be many steps."""
    rounded = np.float32(epsilon)
    return float(np.nextafter(rounded, np.float32(0)) if float(rounded) > epsilon else rounded)


def _towards(images: Tensor, bound: Tensor, epsilon: float) -> Tensor:
    """Bounds moved by one step of float32 towards the images, where rounding took them beyond epsilon."""
    beyond = (bound.double() - images.double()).abs() > epsilon
    return torch.where(beyond, bound.nextafter(images), bound)


class L2Ball:
    """All that differs from B images (B, 3, H, W) by an L2 norm of no more than `epsilon`."""

    def __init__(self, images: Tensor, epsilon: float) -> None:
        self.images, self.radius = images, max(epsilon - SLACK, 0.0)

    def project(self, pixels: Tensor, rows: Tensor) -> Tensor:
        """The nearest allowed images to pixels (b, 3, H, W) that belong to images `rows` (b,)."""
        images = self.images[rows]
        projected = pixels.clamp(0, 1)
        far = (squared_norms(projected - images) > self.radius**2).nonzero()[:, 0]
        for part in torch.split(far, PART) if len(far) else ():
            projected[part] = _project_far(pixels[part], images[part], self.radius)
        return projected

    def direction(self, slopes: Tensor) -> Tensor:
        """The step of length 1 that ascends slopes (b, 3, H, W) most."""
        scaled = slopes / slopes.abs().amax((1, 2, 3), keepdim=True).clamp(min=torch.finfo(slopes.dtype).tiny)
        return scaled / squared_norms(scaled).sqrt().clamp(min=1e-12).float()[:, None, None, None]

    def draw(self, random: Generator, shape: tuple[int, ...]) -> Tensor:
        """A change, uniform in the ball of radius 1: some coordinates of a point of a sphere of two dimensions more."""
        count = int(np.prod(shape))
        normal = random.standard_normal(count + 2)
        return torch.from_numpy((normal[:count] / np.linalg.norm(normal)).astype(np.float32).reshape(shape))


def _project_far(pixels: Tensor, images: Tensor, radius: float) -> Tensor:
    """Project where both the ball and [0, 1] bind.

    The nearest point is clip(s * change) with one scale s an image, the one that makes its norm the radius (the
    Karush-Kuhn-Tucker conditions of the projection). A pixel is clipped from the scale on that takes it to its bound.
    """
    origin = images.flatten(1).double()  # (b, n), as all that follows
    change = pixels.flatten(1).double() - origin
    room = torch.where(change < 0, origin, 1 - origin)
    clipped_from = torch.where(change == 0, NEVER, room / change.abs()).clamp(max=NEVER)
    scale = _scale(change.abs(), room, clipped_from, radius)
    nearest = origin + torch.minimum(change.abs() * scale[:, None], room) * change.sign()
    return nearest.float().view_as(pixels)


def _scale(sizes: Tensor, room: Tensor, clipped_from: Tensor, radius: float) -> Tensor:
    """Solve |min(s * sizes, room)| = radius for s (b,): the norm is a known curve between two scales that clip."""
    clipped_from, order = clipped_from.sort(1)
    clipped, free = room.gather(1, order).square(), sizes.gather(1, order).square()
    spent = clipped.cumsum(1) - clipped  # by the pixels that are clipped before
    left = free.flip(1).cumsum(1).flip(1)  # squared sizes of the others
    last = (spent + clipped_from.square() * left >= radius**2).int().argmax(1, keepdim=True)
    spent, left = spent.gather(1, last)[:, 0], left.gather(1, last)[:, 0]
    return ((radius**2 - spent).clamp(min=0) / left.clamp(min=torch.finfo(left.dtype).tiny)).sqrt()
