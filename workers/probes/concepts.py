"""Concepts that a table numbers within their categories."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from workers.probes.layout import MAX_CONCEPTS, Concept, Numbering
from workers.probes.problems import Problems
from workers.probes.tables import name_fault

NUMBER, MAX_NUMBER = re.compile(r"[0-9]{1,5}"), 2**16 - 1
MAX_CATEGORY = 64

Key = tuple[str, int]
"""Category and number."""


def number_concepts(file: str, rows: Iterable[tuple[int, list[str]]], problems: Problems) -> dict[Key, Concept]:
    """The concept of each (category, number), from lines with category, number and name, in their order."""
    concepts: dict[Key, Concept] = {}
    seen: set[Concept] = set()
    for line, (category, number, name) in rows:
        concept = Concept(category, name)
        key = (category, int(number) if NUMBER.fullmatch(number) else 0)
        if fault := _fault(concept, key, number, concept in seen, key in concepts):
            problems.add(f"{file} line {line}: {fault}")
        else:
            concepts[key] = concept
            seen.add(concept)
    if not concepts or len(concepts) > MAX_CONCEPTS:
        problems.add(f"{file} names {len(concepts)} concepts; a dataset has from 1 to {MAX_CONCEPTS}")
    return concepts


def numberings(concepts: Mapping[Key, Concept]) -> dict[str, Numbering]:
    """The meaning of each category's numbers, where concepts count in the order of the mapping."""
    meanings: dict[str, dict[int, int]] = defaultdict(dict)
    for label, (category, number) in enumerate(concepts, start=1):
        meanings[category][number] = label
    return {category: Numbering(labels) for category, labels in meanings.items()}


def _fault(concept: Concept, key: Key, number: str, named: bool, numbered: bool) -> str | None:
    if not 1 <= key[1] <= MAX_NUMBER:
        return f"the number {number!r} is not from 1 to {MAX_NUMBER}; 0 stands for no concept"
    if len(concept.category) > MAX_CATEGORY:
        return f"the category has more than {MAX_CATEGORY} characters"
    for what, name in (("category", concept.category), ("name", concept.name)):
        if fault := name_fault(name):
            return f"the {what} {fault}"
    if numbered:
        return f"the category {concept.category} has the number {key[1]} already"
    return f"the category {concept.category} has the name {concept.name!r} already" if named else None
