"""Format `coco-panoptic`: annotations in panoptic_<part>.json, masks in panoptic_<part>/, images in <part>/."""

import json
from collections.abc import Iterator
from typing import Any

from service.errors import Invalid
from workers.probes.images import decode_color_mask
from workers.probes.layout import MAX_CONCEPTS, Concept, Layout, Mask, Numbering, Picture
from workers.probes.places import check_files, find_folder
from workers.probes.problems import Problems
from workers.probes.tables import name_fault
from workers.probes.trees import Tree

PREFIX, ENDING = "panoptic_", ".json"
MAX_SEGMENT = 2**24 - 1  # a segment's number is a colour
KINDS = {int: "a whole number", str: "a text that can be shown", list: "a list"}


def read(tree: Tree) -> Layout:
    """Lay out the images of the validation part, or of the only part there is; raise Invalid with the faults."""
    file = _annotations(tree)
    part = file.rpartition("/")[2].removeprefix(PREFIX).removesuffix(ENDING)
    masks = find_folder((name for name in tree.names if name.endswith(".png")), PREFIX + part)
    images = find_folder((name for name in tree.names if name.endswith(".jpg")), part)
    document = _document(tree, file)
    categories = _categories(file, document)
    labels = {number: label for label, number in enumerate(categories, start=1)}
    pictures = _pictures(file, document, labels, images, masks)
    check_files(tree, pictures)
    return Layout(pictures, [Concept("object", name) for name in categories.values()], [], ["object"], [file])


def _annotations(tree: Tree) -> str:
    """The file with the annotations of the validation part, or the only one."""
    bases = {name: name.rpartition("/")[2] for name in tree.names if name.endswith(ENDING)}
    files = [name for name, base in bases.items() if base.startswith(PREFIX)]
    chosen = [name for name in files if bases[name].startswith(f"{PREFIX}val")] or files
    if not chosen:
        raise Invalid(f"{PREFIX}val2017{ENDING} is missing; it lists images, masks and categories", "/location")
    if len(chosen) > 1:
        raise Invalid(f"there are several datasets: {', '.join(chosen[:5])}; register one of them", "/location")
    return chosen[0]


def _document(tree: Tree, file: str) -> dict[str, Any]:
    try:
        document = json.loads(tree.read(file))
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{file} is not JSON: {error}; copy it again", "/location") from None
    if not isinstance(document, dict):
        raise Invalid(f"{file} is not an object with images, annotations and categories", "/location")
    return document


def _categories(file: str, document: dict[str, Any]) -> dict[int, str]:
    """The name of each category; things and stuff alike are objects, as in Bau et al., PNAS 2020."""
    problems, categories, names = Problems(), dict[int, str](), set[str]()
    for number, name in _entries(f"{file}: categories", document.get("categories"), id=int, name=str):
        taken = number in categories or name in names
        if fault := name_fault(name) or ("or its number occurs before" if taken else None):
            problems.add(f"{file}: the name of the category {number}, {name!r}, {fault}")
        categories[number] = name
        names.add(name)
    if not 1 <= len(categories) <= MAX_CONCEPTS:
        problems.add(f"{file} names {len(categories)} categories; a dataset has from 1 to {MAX_CONCEPTS}")
    problems.raise_any()
    return categories


def _pictures(file: str, document: dict[str, Any], labels: dict[int, int], images: str, masks: str) -> list[Picture]:
    """The images that have annotations, in the bytewise order of their names."""
    names = dict(_entries(f"{file}: images", document.get("images"), id=int, file_name=str))
    annotations = _entries(
        f"{file}: annotations", document.get("annotations"), image_id=int, file_name=str, segments_info=list
    )
    problems, pictures = Problems(), dict[str, Picture]()
    for image, mask, segments in annotations:
        name = names.get(image)
        if name is None or name in pictures:
            problems.add(f"{file}: {mask} belongs to the image {image}, which is not listed or has a mask already")
            continue
        numbering = _numbering(f"{file}: {mask}", segments, labels)
        pictures[name] = Picture(
            name.removesuffix(".jpg"),
            images + name,
            masks=(Mask(0, masks + mask, decode_color_mask, numbering, exact=True),),
        )
    problems.raise_any()
    return [pictures[name] for name in sorted(pictures)]


def _numbering(where: str, segments: list[Any], labels: dict[int, int]) -> Numbering:
    """The label of each segment of one mask."""
    found: dict[int, int] = {}
    for segment, category in _entries(f"{where}: segments_info", segments, id=int, category_id=int):
        if category not in labels:
            raise Invalid(
                f"{where}: the segment {segment} is of the category {category}, which is not listed", "/location"
            )
        if not 1 <= segment <= MAX_SEGMENT:
            raise Invalid(f"{where}: the segment's number {segment} is not from 1 to {MAX_SEGMENT:,}", "/location")
        found[segment] = labels[category]
    return Numbering(found)


def _entries(where: str, entries: Any, **fields: type) -> Iterator[tuple[Any, ...]]:
    """The wanted fields of every entry of a list; raise Invalid where one is missing or of another type."""
    if not isinstance(entries, list):
        raise Invalid(f"{where} is no list", "/location")
    for place, entry in enumerate(entries):
        values = tuple(entry.get(name) if isinstance(entry, dict) else None for name in fields)
        for (name, kind), value in zip(fields.items(), values, strict=True):
            if not isinstance(value, kind) or (isinstance(value, str) and not value.isprintable()):
                raise Invalid(f"{where}, entry {place}, has no {name} that is {KINDS[kind]}", "/location")
        yield values
