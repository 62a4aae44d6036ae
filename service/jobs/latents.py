"""Latents of a generator, named by seed and number: what a request says of them."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from service.api import Schema

MAX_LATENTS = 10**6
DISSECTED = {"seed": 1, "first": 0, "count": 10_000}
"""What a generator is dissected on (Bau et al., PNAS 2020)."""
EVALUATING = {"seed": 2, "first": 0, "count": 1000}
"""What an intervention is measured on."""
RANKING = {"seed": 3, "first": 0, "count": 200}
"""What units are ranked on by their own effect."""


class LatentsSchema(Schema):
    """Latents of a seed: `first`, and so many from there on. A latent is the same whichever others are drawn."""

    seed = fields.Integer(strict=True, required=True, validate=validate.Range(0, 2**32 - 1))
    first = fields.Integer(strict=True, load_default=0, validate=validate.Range(0, MAX_LATENTS - 1))
    count = fields.Integer(strict=True, required=True, validate=validate.Range(1, MAX_LATENTS))


def overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two stretches of latents share any."""
    ends = [latents["first"] + latents["count"] for latents in (a, b)]
    return bool(a["seed"] == b["seed"] and max(a["first"], b["first"]) < min(ends))


def tell(latents: Mapping[str, Any]) -> str:
    """Latents in words."""
    first, last = latents["first"], latents["first"] + latents["count"] - 1
    return f"{first} to {last} of seed {latents['seed']}"
