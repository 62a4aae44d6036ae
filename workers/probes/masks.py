"""Format `masks`: images/<name>.jpg, masks/<category>/<name>.png, concepts.csv and, optionally, classes."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from workers.probes.concepts import number_concepts, numberings
from workers.probes.images import decode_mask
from workers.probes.layout import Concept, Layout, Mask, Picture
from workers.probes.problems import Problems
from workers.probes.tables import name_fault, read_lines, read_table
from workers.probes.trees import Tree

EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp"}
CONCEPTS, CLASSES, LABELS = "concepts.csv", "classes.txt", "labels.csv"
DEFAULT_CATEGORY = "object"  # of masks/<name>.png


def read(tree: Tree) -> Layout:
    """Lay out a tree in this format; raise Invalid with the first several faults."""
    problems = Problems()
    files = _images(tree, problems)
    numbers = _concepts(tree, problems)
    channels = list(dict.fromkeys(category for category, _ in numbers))
    masks = _masks(tree, files, numbers, channels, problems)
    classes = _classes(tree, problems)
    labels = _labels(tree, files, classes, problems)
    problems.raise_any()
    pictures = [
        Picture(name, files[name], labels.get(name), tuple(masks[name])) for name in sorted(files, key=str.encode)
    ]
    tables = [name for name in (CONCEPTS, CLASSES, LABELS) if name in tree.names]
    return Layout(pictures, list(numbers.values()), classes, channels, tables)


def _images(tree: Tree, problems: Problems) -> dict[str, str]:
    """The file of each image by its name, which is that of the file without its ending."""
    files: dict[str, str] = {}
    for path in _below(tree, "images"):
        if len(path.parts) > 2 or path.suffix.lower() not in EXTENSIONS:
            problems.add(
                f"{path} is no image; images lie directly in images/ and end in {', '.join(sorted(EXTENSIONS))}"
            )
        elif path.stem in files:
            problems.add(f"{path} and {files[path.stem]} have the same name; rename one of them")
        else:
            files[path.stem] = str(path)
    if not files:
        problems.add("there are no images; put them into the folder images/")
    return files


def _concepts(tree: Tree, problems: Problems) -> dict[tuple[str, int], Concept]:
    """The concept of each (category, number), in the order of the file."""
    if CONCEPTS not in tree.names:
        problems.add(f"{CONCEPTS} is missing; it has the columns category,number,name and a line for each concept")
        return {}
    return number_concepts(CONCEPTS, read_table(tree, CONCEPTS, ("category", "number", "name")), problems)


def _masks(
    tree: Tree, files: dict[str, str], numbers: dict[tuple[str, int], Concept], channels: list[str], problems: Problems
) -> dict[str, list[Mask]]:
    """The masks of each image, one of each category at the most."""
    meanings = numberings(numbers)
    found: dict[tuple[str, str], str] = {}
    masks: dict[str, list[Mask]] = defaultdict(list)
    for path in _below(tree, "masks"):
        category = path.parts[1] if len(path.parts) > 2 else DEFAULT_CATEGORY
        if fault := _mask_fault(path, category, files, channels, found.get((category, path.stem))):
            problems.add(f"{path} {fault}")
            continue
        found[category, path.stem] = str(path)
        masks[path.stem].append(Mask(channels.index(category), str(path), decode_mask, meanings[category]))
    if not found:
        problems.add("there are no masks; put them into masks/<category>/, or use the format 'folder' for images alone")
    return masks


def _mask_fault(
    path: PurePosixPath, category: str, files: dict[str, str], channels: list[str], twin: str | None
) -> str | None:
    if len(path.parts) > 3 or path.suffix.lower() != ".png":
        return "is no mask; masks lie at masks/<category>/<name>.png"
    if path.stem not in files:
        return f"belongs to no image; there is no images/{path.stem}.png or .jpg"
    if category not in channels:
        return (
            f"is of the category {category!r}, which {CONCEPTS} does not name; it has {', '.join(channels) or 'none'}"
        )
    return f"and {twin} are masks of one image and category; keep one" if twin else None


def _classes(tree: Tree, problems: Problems) -> list[str]:
    """The classes in the order of classes.txt or else, in alphabetical order, those that labels.csv names."""
    if CLASSES not in tree.names:
        rows = read_table(tree, LABELS, ("image", "class")) if LABELS in tree.names else iter(())
        return sorted({name for _, (_, name) in rows if name})
    classes = [line.strip() for line in read_lines(tree, CLASSES) if line.strip()]
    for line, name in enumerate(classes, start=1):
        fault = name_fault(name) or ("occurs before" if name in classes[: line - 1] else None)
        if fault:
            problems.add(f"{CLASSES}, class {line} {fault}")
    return classes


def _labels(tree: Tree, files: dict[str, str], classes: list[str], problems: Problems) -> dict[str, int]:
    """The position of each labelled image's class."""
    places = {name: place for place, name in enumerate(classes)}
    labels: dict[str, int] = {}
    for line, (image, name) in read_table(tree, LABELS, ("image", "class")) if LABELS in tree.names else ():
        if image not in files:
            problems.add(f"{LABELS} line {line}: there is no image {image!r}; images are named without their ending")
        elif name not in places:
            problems.add(f"{LABELS} line {line}: the class {name!r} is not in {CLASSES}")
        elif image in labels:
            problems.add(f"{LABELS} line {line}: the image {image!r} has a class already")
        else:
            labels[image] = places[name]
    return labels


def _below(tree: Tree, folder: str) -> Iterator[PurePosixPath]:
    return (PurePosixPath(name) for name in tree.names if name.startswith(f"{folder}/"))
