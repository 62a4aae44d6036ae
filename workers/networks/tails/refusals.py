"""Layers behind which there is nothing to ablate."""

from service.errors import Invalid


def unreached(layer: str) -> Invalid:
    """Make the refusal of a layer after the classes, or beside the way to them."""
    return Invalid(f"the classes do not depend on layer {layer!r}; name a layer before them", "/layer")


def classes_themselves(layer: str) -> Invalid:
    """Make the refusal of a layer whose units reach nothing but a class each."""
    return Invalid(f"the units of layer {layer!r} are the classes themselves; name a layer before it", "/layer")
