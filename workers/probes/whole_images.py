"""Classes of images as scenes: a concept that every pixel of an image carries."""

from dataclasses import replace

from service.errors import Invalid
from workers.probes.layout import MAX_CONCEPTS, Concept, Layout, Picture, WholeLabel

SCENE = "scene"


def label_scenes(layout: Layout) -> Layout:
    """The same pictures, each with its class as a scene in a channel of its own; raise Invalid where none has one."""
    if not layout.classes:
        raise Invalid("the images have no classes to be scenes; leave 'scenes' out", "/scenes")
    if SCENE in layout.channels:
        raise Invalid("the dataset has scenes of its own; leave 'scenes' out", "/scenes")
    concepts = [*layout.concepts, *(Concept(SCENE, name) for name in layout.classes)]
    if len(concepts) > MAX_CONCEPTS:
        raise Invalid(f"there would be {len(concepts)} concepts; a dataset has at most {MAX_CONCEPTS}", "/scenes")
    channel, first = len(layout.channels), 1 + len(layout.concepts)
    pictures = [_labelled(picture, channel, first) for picture in layout.pictures]
    return replace(layout, pictures=pictures, concepts=concepts, channels=[*layout.channels, SCENE])


def _labelled(picture: Picture, channel: int, first: int) -> Picture:
    if picture.class_index is None:
        return picture
    scene = WholeLabel(channel, first + picture.class_index)
    return replace(picture, whole_labels=(*picture.whole_labels, scene))
