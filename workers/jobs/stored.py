"""Bundles of arrays that are a file between two stages."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Stored:
    """A bundle of arrays that is a file between two stages."""

    def save(self, path: Path) -> None:
        """Write the arrays; a file that is there already is of an earlier attempt and is replaced."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)}, allow_pickle=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            return cls(**{field.name: file[field.name] for field in fields(cls)})
