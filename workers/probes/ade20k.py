"""Format `ade20k`: the scene parsing challenge of 2016 (ADEChallengeData2016), 150 objects and the scene."""

import re

from service.errors import Invalid
from workers.probes.images import decode_mask
from workers.probes.layout import Concept, Layout, Mask, Numbering, Picture, WholeLabel
from workers.probes.places import check_files, find_folder, first_part, names_below
from workers.probes.problems import Problems
from workers.probes.tables import name_fault, read_lines, read_table
from workers.probes.trees import Tree

OBJECTS, SCENES = "objectInfo150.txt", "sceneCategories.txt"
PARTS = ("validation/", "training/")
NUMBER = re.compile(r"[1-9][0-9]{0,2}")


def read(tree: Tree) -> Layout:
    """Lay out the validation images, else the training images, else all; raise Invalid with the faults."""
    _refuse_full_release(tree)
    masks = find_folder((name for name in tree.names if name.endswith(".png")), "annotations")
    root = masks.removesuffix("annotations/")
    tables = [name for name in (f"{root}{OBJECTS}", f"{root}{SCENES}") if name in tree.names]
    problems = Problems()
    objects = _objects(tree, f"{root}{OBJECTS}", problems)
    scenes = _scenes(tree, f"{root}{SCENES}", problems) if f"{root}{SCENES}" in tables else {}
    problems.raise_any()
    names = _names(tree, root)
    classes = sorted({scenes[_stem(name)] for name in names if _stem(name) in scenes})
    numbering = Numbering({number: label for label, number in enumerate(objects, start=1)})
    places = {name: classes.index(scenes[_stem(name)]) for name in names if _stem(name) in scenes}
    pictures = [_picture(root, name, numbering, places.get(name), 1 + len(objects)) for name in names]
    check_files(tree, pictures)
    concepts = [Concept("object", name) for name in objects.values()] + [Concept("scene", name) for name in classes]
    return Layout(pictures, concepts, classes, ["object", "scene"] if classes else ["object"], tables)


def _refuse_full_release(tree: Tree) -> None:
    """Raise Invalid where the masks are those of the full release, whose table of names is a MATLAB or pickle file."""
    if any(name.endswith("_seg.png") for name in tree.names):
        raise Invalid(
            "this is the full release of ADE20K, whose *_seg.png are not read; register ADEChallengeData2016",
            "/location",
        )


def _names(tree: Tree, root: str) -> list[str]:
    """The images and masks of the part that is taken, by their paths without folder and ending."""
    found = {*names_below(tree, f"{root}images/", ".jpg"), *names_below(tree, f"{root}annotations/", ".png")}
    part = first_part(list(found), PARTS)
    return sorted(name for name in found if name.startswith(part))


def _picture(root: str, name: str, numbering: Numbering, place: int | None, first_scene: int) -> Picture:
    mask = Mask(0, f"{root}annotations/{name}.png", decode_mask, numbering, exact=True)
    scene = () if place is None else (WholeLabel(1, first_scene + place),)
    return Picture(_stem(name), f"{root}images/{name}.jpg", place, (mask,), scene)


def _stem(name: str) -> str:
    return name.rpartition("/")[2]


def _objects(tree: Tree, file: str, problems: Problems) -> dict[int, str]:
    """The object of each number by the first of its names; the others are synonyms."""
    objects: dict[int, str] = {}
    if file not in tree.names:
        problems.add(f"{file} is missing; it names the objects and comes with the dataset")
        return objects
    for line, (number, names) in read_table(tree, file, ("Idx", "Name"), delimiter="\t"):
        name = names.partition(",")[0].strip()
        if not NUMBER.fullmatch(number) or int(number) in objects:
            problems.add(f"{file} line {line}: the number {number!r} is not from 1 to 999, or occurs before")
        elif fault := name_fault(name) or ("occurs before" if name in objects.values() else None):
            problems.add(f"{file} line {line}: the name {name!r} {fault}")
        else:
            objects[int(number)] = name
    return objects


def _scenes(tree: Tree, file: str, problems: Problems) -> dict[str, str]:
    """The scene of each image."""
    scenes: dict[str, str] = {}
    for number, line in enumerate(read_lines(tree, file), start=1):
        words = line.split()
        if len(words) == 2 and not name_fault(words[1]):
            scenes[words[0]] = words[1]
        elif words:
            problems.add(f"{file} line {number} is not an image and its scene, as in 'ADE_val_00000001 abbey'")
    return scenes
