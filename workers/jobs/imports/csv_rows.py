"""Tables of results as other tools write them: comma-separated, with a head; a fault is told with its line."""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from service.errors import Invalid
from workers.probes.tables import name_fault

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MAX_COUNT = 2**62  # two of them still fit into a column


@dataclass(frozen=True)
class Row:
    """One row of a table; what a cell does not hold is refused with the row's line."""

    line: int
    cells: dict[str, str]

    def fail(self, detail: str) -> NoReturn:
        """Raise Invalid that names the line."""
        raise Invalid(f"line {self.line}: {detail}", "/artifact")

    def name(self, column: str) -> str:
        """The cell as the name of something."""
        name = self.cells[column].strip()
        if fault := name_fault(name):
            self.fail(f"the {column} {fault}")
        return name

    def number(self, column: str) -> float:
        """The cell as a finite number."""
        text = self.cells[column].strip()
        number = float(text) if NUMBER.fullmatch(text) else math.nan
        if not math.isfinite(number):
            self.fail(f"the {column} {text[:40]!r} is no number")
        return number

    def whole(self, column: str) -> int:
        """The cell as a whole number from 0 on, which may be written as 12.0 too."""
        number = self.number(column)
        if not (0 <= number < MAX_COUNT and number.is_integer()):
            self.fail(f"the {column} {self.cells[column][:40]!r} is no whole number from 0 on")
        return int(number)


@dataclass(frozen=True)
class Rows:
    """A table: its columns, and its rows as they are asked for."""

    columns: Sequence[str]
    rows: Iterator[Row]

    def require(self, *columns: str) -> None:
        """Raise Invalid where a column is missing."""
        missing = [column for column in columns if column not in self.columns]
        if missing:
            there = ", ".join(self.columns)[:200]
            raise Invalid(f"line 1 lacks the column {', '.join(missing)}; it has {there or 'none'}", "/artifact")


def read_rows(data: bytes) -> Rows:
    """The table that a file holds; raise Invalid, at the latest with the row at fault, where it holds none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Invalid(f"line {line}: the file is not UTF-8 text (byte {error.start})", "/artifact") from None
    lines = _split(text)
    _, head = next(lines, (1, []))
    columns = [column.strip() for column in head]
    if twice := next((column for column in columns if columns.count(column) > 1), None):
        raise Invalid(f"line 1 has the column {twice!r} twice", "/artifact")
    return Rows(columns, (_row(line, columns, cells) for line, cells in lines))


def _split(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise Invalid(f"line {reader.line_num}: {error}", "/artifact") from None


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(columns):
        raise Invalid(f"line {line}: {len(cells)} cells for the {len(columns)} columns of line 1", "/artifact")
    return Row(line, dict(zip(columns, cells, strict=True)))
