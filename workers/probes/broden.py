"""Format `broden`: index.csv, label.csv and images/ of the Broadly and Densely Labeled Dataset."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.probes.concepts import NUMBER, Key, number_concepts, numberings
from workers.probes.images import decode_color_mask
from workers.probes.layout import Layout, Mask, Numbering, Picture, WholeLabel
from workers.probes.places import check_files
from workers.probes.problems import Problems
from workers.probes.tables import read_table
from workers.probes.trees import Tree

INDEX, LABELS = "index.csv", "label.csv"
CATEGORY = re.compile(r"([^();]+)\([0-9]+\)")  # with the number of images that show the label in it
SUFFIXES = {"color": "-c", "scene": "-s"}  # of labels' names: the colour orange is 'orange-c'
MAX_CHANNELS = 64

Row = dict[str, list[str]]
"""The entries of each category's cell: paths of masks, or numbers of labels that hold for the whole image."""


def read(tree: Tree) -> Layout:
    """Lay out all images of the index; raise Invalid with the first several faults."""
    problems = Problems()
    for table in (INDEX, LABELS):
        if table not in tree.names:
            problems.add(f"{table} is missing; it lies beside images/ and comes with the dataset")
    problems.raise_any()
    concepts = number_concepts(LABELS, _labels(tree, problems), problems)
    problems.raise_any()
    rows = _rows(tree, list(dict.fromkeys(category for category, _ in concepts)), problems)
    channels = _channels(rows, problems)
    problems.raise_any()
    labels = {key: label for label, key in enumerate(concepts, start=1)}
    legend = _Legend({name: channels.index(name) for name in channels}, numberings(concepts), labels)
    pictures = [_picture(image, rows[image], legend, problems) for image in sorted(rows)]
    problems.raise_any()
    check_files(tree, pictures)
    return Layout(pictures, list(concepts.values()), [], channels, [INDEX, LABELS])


def _labels(tree: Tree, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Category, number and name of every label, once for each category that it occurs in."""
    for line, (number, name, categories) in read_table(tree, LABELS, ("number", "name", "category")):
        for entry in filter(None, categories.split(";")):
            if match := CATEGORY.fullmatch(entry):
                yield line, [match[1], number, name.removesuffix(SUFFIXES.get(match[1], ""))]
            else:
                problems.add(f"{LABELS} line {line}: {entry!r} is not a category with a count, as in object(12)")


def _rows(tree: Tree, categories: list[str], problems: Problems) -> dict[str, Row]:
    """The row of each image."""
    rows: dict[str, Row] = {}
    for line, (image, *cells) in read_table(tree, INDEX, ("image", *categories)):
        if image in rows:
            problems.add(f"{INDEX} line {line}: the image {image!r} is listed before")
        entries = ([entry.strip() for entry in cell.split(";") if entry.strip()] for cell in cells)
        rows[image] = dict(zip(categories, entries, strict=True))
    return rows


def _channels(rows: Mapping[str, Row], problems: Problems) -> list[str]:
    """Each category as often as its fullest cell has entries."""
    layers: dict[str, int] = {}
    for row in rows.values():
        for category, entries in row.items():
            layers[category] = max(layers.get(category, 0), len(entries))
    if sum(layers.values()) > MAX_CHANNELS:
        problems.add(f"{INDEX} needs {sum(layers.values())} layers of labels; there can be {MAX_CHANNELS}")
        return []
    return [category for category, count in layers.items() for _ in range(count)]


@dataclass(frozen=True)
class _Legend:
    """What the entries of a cell mean."""

    first: dict[str, int]
    """The first channel of each category; a cell's further entries go into the next ones."""
    numberings: dict[str, Numbering]
    labels: dict[Key, int]


def _picture(image: str, row: Row, legend: _Legend, problems: Problems) -> Picture:
    masks, whole_labels = list[Mask](), list[WholeLabel]()
    for category, entries in row.items():
        for layer, entry in enumerate(entries):
            channel = legend.first[category] + layer
            if not NUMBER.fullmatch(entry):
                masks.append(Mask(channel, f"images/{entry}", _decode, legend.numberings[category]))
            elif label := legend.labels.get((category, int(entry))):
                whole_labels.append(WholeLabel(channel, label))
            elif int(entry):
                problems.add(f"{INDEX}: the image {image!r} has the {category} {entry}, which {LABELS} does not name")
    return Picture(image, f"images/{image}", None, tuple(masks), tuple(whole_labels))


def _decode(data: bytes, file: str, max_pixels: int) -> NDArray[np.integer]:
    """R + 256 G; what blue holds is not said."""
    return decode_color_mask(data, file, max_pixels) % 2**16
