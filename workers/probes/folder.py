"""Format `folder`: <class>/<image>, the classes in the bytewise order of their names; no masks."""

from pathlib import PurePosixPath

from workers.probes.layout import Layout, Picture
from workers.probes.masks import EXTENSIONS
from workers.probes.problems import Problems
from workers.probes.tables import name_fault
from workers.probes.trees import Tree


def read(tree: Tree) -> Layout:
    """Lay out a tree in this format; raise Invalid with the first several faults."""
    problems = Problems()
    paths = [PurePosixPath(name) for name in tree.names if PurePosixPath(name).suffix.lower() in EXTENSIONS]
    for path in paths:
        if len(path.parts) != 2:
            problems.add(f"{path} must lie in a folder named as its class, as in cat/001.jpg")
    classes = sorted({path.parts[0] for path in paths}, key=str.encode)
    for name in classes:
        if fault := name_fault(name):
            problems.add(f"the folder {name!r}, which names a class, {fault}")
    if not paths:
        problems.add(
            f"there are no images; put files that end in {', '.join(sorted(EXTENSIONS))} into a folder a class"
        )
    problems.raise_any()
    places = {name: place for place, name in enumerate(classes)}
    pictures = [Picture(str(path), str(path), places[path.parts[0]]) for path in paths]
    return Layout(pictures, [], classes, [], [])
