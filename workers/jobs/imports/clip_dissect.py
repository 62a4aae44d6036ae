"""Format `clip-dissect`: a row for each unit, counted from 0, with a description and how similar it is to the unit."""

from collections.abc import Iterator

from workers.jobs.imports.csv_rows import Rows
from workers.jobs.imports.labels import ImportedLabel, ImportedUnit

CATEGORY = "description"
"""Descriptions are words of no category; this one keeps them apart from concepts that were segmented."""


def read(rows: Rows) -> Iterator[ImportedUnit]:
    """The units of the table; raise Invalid with the line at fault."""
    rows.require("layer", "unit", "description", "similarity")
    for row in rows.rows:
        label = ImportedLabel(CATEGORY, row.name("description"))
        yield ImportedUnit(row, row.name("layer"), row.whole("unit"), [label], row.number("similarity"))
