"""Registering a dataset, which reads every file of it once, and opening it again."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points

from service.artifacts.store import ArtifactStore
from service.errors import Invalid
from service.settings import Settings
from workers.probes import (
    ade20k,
    broden,
    builtin,
    cityscapes,
    coco_panoptic,
    folder,
    images,
    manifest,
    masks,
    pascal_voc,
)
from workers.probes.images import Stored
from workers.probes.layout import Concept, Layout, Mask, Picture, Reader
from workers.probes.location import open_tree
from workers.probes.manifest import Entry, PinnedTree
from workers.probes.probe import Probe
from workers.probes.problems import Problems
from workers.probes.trees import Tree
from workers.probes.whole_images import label_scenes

FORMATS: dict[str, Reader] = {
    "masks": masks.read,
    "folder": folder.read,
    "scenes": masks.read,
    "broden": broden.read,
    "pascal-voc": pascal_voc.read,
    "cityscapes": cityscapes.read,
    "ade20k": ade20k.read,
    "coco-panoptic": coco_panoptic.read,
}
ENTRY_POINTS = "unitatlas.datasets"
THREADS = 8  # most of the time goes into waiting for files and into Pillow, which lets other threads run


@dataclass(frozen=True)
class Registered:
    """What a registration found out; `manifest` is the text that `open_probe` wants back."""

    manifest: str
    images: int
    concepts: list[Concept]
    classes: list[str]
    grid: int | None
    """The grid that suits the dataset, where it is known to need another than the usual."""


def register(
    format: str,
    location: Mapping[str, str],
    settings: Settings,
    store: ArtifactStore,
    check: Callable[[], None],
    *,
    scenes: bool = False,
) -> Registered:
    """Read a whole dataset and fix its files; raise Invalid with all that is wrong with it.

    `check` is called between images and may raise to stop. With `scenes` the classes are concepts of whole images.
    """
    reader = _reader(format)
    if (format == "scenes") != ("builtin" in location):
        raise Invalid("the format 'scenes' and a built-in location belong together", "/format")
    tree = open_tree(location, settings, store)
    layout = _layout(reader, tree, scenes)
    entries = {name: manifest.entry(tree.read(name)) for name in layout.tables}
    entries |= _survey(tree, layout, settings.max_image_pixels, check)
    grid = builtin.GRID if format == "scenes" else None
    text = manifest.write(format, entries, scenes=scenes)
    return Registered(text, len(layout.pictures), layout.concepts, layout.classes, grid)


def open_probe(
    format: str, location: Mapping[str, str], manifest_text: str, settings: Settings, store: ArtifactStore
) -> Probe:
    """Open a registered dataset as it was then; raise Conflict or Invalid where its files are gone or changed."""
    tree = PinnedTree(open_tree(location, settings, store), manifest.parse(manifest_text))
    layout = _layout(_reader(format), tree, manifest.has_scenes(manifest_text))
    return Probe(tree, layout, settings.max_image_pixels)


def _layout(reader: Reader, tree: Tree, scenes: bool) -> Layout:
    layout = reader(tree)
    return label_scenes(layout) if scenes else layout


def _reader(format: str) -> Reader:
    if format in FORMATS:
        return FORMATS[format]
    others = entry_points(group=ENTRY_POINTS)
    if format not in others.names:
        known = sorted({*FORMATS, *others.names})
        near = get_close_matches(format, known, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise Invalid(f"there is no dataset format {format!r}; the formats are {', '.join(known)}{meant}", "/format")
    reader: Reader = others[format].load()
    return reader


def _survey(tree: Tree, layout: Layout, max_pixels: int, check: Callable[[], None]) -> dict[str, Entry]:
    """Inspect all pictures and their masks in threads, until there are as many faults as are shown."""
    problems, entries = Problems(), dict[str, Entry]()
    pool = ThreadPoolExecutor(THREADS)
    try:
        for found in pool.map(lambda picture: _inspect(tree, picture, max_pixels), layout.pictures):
            check()
            if isinstance(found, Invalid):
                problems.add(found.detail)
            else:
                entries |= found
            if problems.enough:
                break
    finally:
        pool.shutdown(cancel_futures=True)
    problems.raise_any()
    return entries


def _inspect(tree: Tree, picture: Picture, max_pixels: int) -> dict[str, Entry] | Invalid:
    try:
        data = tree.read(picture.file)
        stored = images.check_image(data, picture.file, max_pixels)
        entries = {picture.file: manifest.entry(data)}
        for mask in picture.masks:
            data = tree.read(mask.file)
            _inspect_mask(mask, data, max_pixels, stored)
            entries[mask.file] = manifest.entry(data)
    except Invalid as fault:
        return fault
    return entries


def _inspect_mask(mask: Mask, data: bytes, max_pixels: int, image: Stored) -> None:
    numbers = mask.read(data, max_pixels)
    if unknown := mask.numbering.unknown(numbers):
        shown = ", ".join(map(str, unknown[:5])) + (", ..." if len(unknown) > 5 else "")
        raise Invalid(f"{mask.file} has numbers that stand for no concept: {shown}; name them in the list of concepts")
    if mask.exact and numbers.shape != image.size:
        (height, width), (rows, columns) = numbers.shape, image.size
        raise Invalid(f"{mask.file} is {width} x {height} in size, its image {columns} x {rows}; they must agree")
    if image.sideways and image.size[0] != image.size[1] and numbers.shape == image.size:
        raise Invalid(f"{mask.file} lies across its image, which an EXIF tag turns; save the image upright without it")
