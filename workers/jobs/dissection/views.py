"""What a dissection looks at: layers as they are, and beside them the controls that were asked for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from service.jobs.estimates import ROTATION, UNTRAINED

SECOND_VIEWS = (ROTATION, UNTRAINED)
"""Controls that see the images anew; `permutation` looks at what the layers themselves showed."""


class View(NamedTuple):
    """A layer, in a random basis or of the untrained network where `control` says so."""

    layer: str
    control: str | None


def views_of(params: Mapping[str, Any]) -> list[View]:
    """All views of a job in the order in which its scratch files number them; the layers themselves come first."""
    controls = [None, *(control for control in SECOND_VIEWS if control in params["controls"])]
    return [View(layer, control) for control in controls for layer in params["layers"]]
