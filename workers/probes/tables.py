"""Small text files inside a dataset: comma-separated tables with a head, and lists of names."""

import csv
import io
from collections.abc import Iterator

from service.errors import Invalid
from workers.probes.trees import Tree

MAX_NAME = 256


def read_lines(tree: Tree, name: str) -> list[str]:
    """The lines of a UTF-8 text file, with or without a byte order mark; raise Invalid where it is none."""
    try:
        return tree.read(name).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Invalid(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8", "/location") from None


def read_table(
    tree: Tree, name: str, columns: tuple[str, ...], delimiter: str = ","
) -> Iterator[tuple[int, list[str]]]:
    """The line number and the wanted columns of every row; raise Invalid where the head lacks a column."""
    rows = csv.reader(io.StringIO("\n".join(read_lines(tree, name))), strict=True, delimiter=delimiter)
    try:
        head = [title.strip() for title in next(rows, [])]
        places = [_place(head, column, name) for column in columns]
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, [row[place].strip() if place < len(row) else "" for place in places]
    except csv.Error as error:
        raise Invalid(f"{name} line {rows.line_num}: {error}", "/location") from None


def _place(head: list[str], column: str, name: str) -> int:
    if column not in head:
        raise Invalid(f"{name} line 1 lacks the column {column!r}; it has {', '.join(head) or 'none'}", "/location")
    return head.index(column)


def name_fault(name: str) -> str | None:
    """What is wrong with the name of a concept or class, if anything."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has more than {MAX_NAME} characters"
    return None if name.isprintable() else "has characters that cannot be shown"
