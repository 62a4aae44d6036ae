"""Strokes over the pictures of a generator, and what the service answers about them, typed."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from unitatlas.answers import Answer
from unitatlas.showing import show_painting

PICTURES = ("edited", "unedited")


def stroke(
    action: str,
    what: str | tuple[str, str] | Sequence[int],
    mask: str | Path | dict[str, Any],
    *,
    top: int | None = None,
    strength: float = 1.0,
) -> dict[str, Any]:
    """A stroke that draws or erases a concept, by its name or (category, name), or a list of units.

    The mask is a PNG file or run-lengths {"size": [height, width], "runs": [untouched, touched, ...]}. Of a concept the
    `top` units that fit it best are taken.
    """
    touched = mask if isinstance(mask, dict) else base64.b64encode(Path(mask).read_bytes()).decode()
    given = {"action": action, "mask": touched, "strength": strength} | ({} if top is None else {"top": top})
    if isinstance(what, str):
        return given | {"concept": what}
    if isinstance(what, tuple):
        return given | {"concept": {"category": what[0], "name": what[1]}}
    return given | {"units": list(what)}


@dataclass(frozen=True)
class ConceptChange(Answer):
    """A concept's pixels before and after, inside and outside of the strokes' masks."""

    category: str
    name: str
    inside: dict[str, int]
    outside: dict[str, int]


@dataclass(frozen=True)
class Painting(Answer):
    """Strokes over a picture, and what they did; `document` is what paints it again."""

    id: str
    model: str
    state: str
    document: dict[str, Any]
    warnings: list[str]
    result: dict[str, Any] | None
    created_at: str
    finished_at: str | None
    links: dict[str, str]
    changes: list[ConceptChange]
    """Of each concept that either picture shows, most changed first; none before it is painted."""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a painting with its changes."""
        found = data["result"] or {"concepts": []}
        return cls._read(data, changes=[ConceptChange.from_json(change) for change in found["concepts"]])

    @property
    def pictures(self) -> dict[str, str]:
        """The digests of `edited` and `unedited`, PNG, where it is painted."""
        return {name: self.links[name].rpartition("/")[2] for name in PICTURES if name in self.links}

    def _repr_html_(self) -> str:
        return show_painting(self, {name: self._picture(name) for name in PICTURES})
