"""Formats `netdissect` and `netdissect-lite`: a row a unit, counted from 1, with its best label of each category.

Columns `unit, category, label, score` for the best of all, then for each category `<category>-label`, `-truth`,
`-activation`, `-intersect` and `-iou`: cells of the concept, of the unit where the category is labelled, and of both.
"""

from collections.abc import Iterator, Sequence

from workers.jobs.imports.csv_rows import Row, Rows
from workers.jobs.imports.labels import ImportedLabel, ImportedUnit
from workers.probes.broden import SUFFIXES
from workers.probes.concepts import MAX_CATEGORY

FIELDS = ("label", "truth", "activation", "intersect", "iou")
NOTHING = ("", "-")
"""How the label is written that stands for no concept."""


def read(rows: Rows) -> Iterator[ImportedUnit]:
    """The units of the table; raise Invalid with the line at fault."""
    categories = [column.removesuffix("-label") for column in rows.columns if column.endswith("-label")]
    rows.require("unit", "category", "label", "score")
    rows.require(*(f"{category}-{field}" for category in categories or ["object"] for field in FIELDS))
    for row in rows.rows:
        yield _unit(row, categories)


def _unit(row: Row, categories: Sequence[str]) -> ImportedUnit:
    number = row.whole("unit")
    if number == 0:
        row.fail("the unit 0 is none; units count from 1 in this format")
    best = row.cells["category"].strip()
    if best not in categories:
        row.fail(f"the category {best[:40]!r} is none of {', '.join(categories)}")
    _ratio(row, "score")
    # of equals the one that the row itself names
    categories = [best, *(category for category in categories if category != best)]
    labels = [label for category in categories if (label := _label(row, category)) is not None]
    return ImportedUnit(row, None, number - 1, sorted(labels, key=lambda label: -label.iou))


def _label(row: Row, category: str) -> ImportedLabel | None:
    iou = _ratio(row, f"{category}-iou")
    truth, activation, both = (row.whole(f"{category}-{field}") for field in FIELDS[1:4])
    if 2 * both > truth + activation:
        row.fail(f"the {category}-intersect {both} is more than there are of either")
    if row.cells[f"{category}-label"].strip() in NOTHING or iou == 0:
        return None
    if len(category) > MAX_CATEGORY:
        row.fail(f"the category {category[:40]!r} has more than {MAX_CATEGORY} characters")
    name = row.name(f"{category}-label").removesuffix(SUFFIXES.get(category, ""))
    return ImportedLabel(category, name, iou, both, truth + activation - both)


def _ratio(row: Row, column: str) -> float:
    ratio = row.number(column)
    if not 0 <= ratio <= 1:
        row.fail(f"the {column} {ratio} is not from 0 to 1")
    return ratio
