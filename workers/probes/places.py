"""Where the files of a well-known dataset lie, whatever folders people keep around them."""

from collections.abc import Iterable, Sequence

from service.errors import Invalid
from workers.probes.layout import Picture
from workers.probes.problems import Problems
from workers.probes.trees import Tree


def find_folder(names: Iterable[str], folder: str) -> str:
    """The path, with a slash at its end, of the one folder so named that holds any of these files.

    Raises
    ------
    Invalid
        There is no such folder, or there are several.
    """
    mark = f"/{folder}/"
    places = sorted({f"/{name}".partition(mark)[0] for name in names if mark in f"/{name}"})
    if not places:
        raise Invalid(f"the folder {folder}/ with its files is missing; put it where the dataset has it", "/location")
    paths = [f"{place}/{folder}/".removeprefix("/") for place in places]
    if len(paths) > 1:
        raise Invalid(f"there are several datasets: {', '.join(paths[:5])}; register one of them", "/location")
    return paths[0]


def names_below(tree: Tree, folder: str, ending: str) -> list[str]:
    """The names of a folder's files with this ending, without either."""
    found = (name for name in tree.names if name.startswith(folder) and name.endswith(ending))
    return [name.removeprefix(folder).removesuffix(ending) for name in found]


def first_part(names: Sequence[str], parts: Sequence[str]) -> str:
    """The first of these folders that any of the names begins with; an empty string if none does."""
    return next((part for part in parts if any(name.startswith(part) for name in names)), "")


def check_files(tree: Tree, pictures: Sequence[Picture]) -> None:
    """Raise Invalid with the first several files that the pictures name and the tree lacks, or where none is named."""
    present, problems = set(tree.names), Problems()
    if not pictures:
        problems.add("there are no images with labels")
    for picture in pictures:
        for file in (picture.file, *(mask.file for mask in picture.masks)):
            if file not in present:
                problems.add(f"{file!r} is missing, though the image {picture.name!r} needs it; copy it there")
    problems.raise_any()
