"""What is asserted of a dissection, written as a line of text."""

import re
from typing import Any

FORM = "LAYER: [CATEGORY] FIGURE [of CONCEPT] >= NUMBER | job:ID[/LAYER] [- PERCENT%]"

_LINE = re.compile(
    r"(?P<layer>[^:]+):\s*"
    r"(?:(?P<category>.+?)\s+)?(?P<figure>detectors|distinct|mean_best_iou|dead_units)(?:\s+of\s+(?P<concept>.+?))?"
    r"\s*(?P<sign>>=|<=)\s*"
    r"(?:(?P<number>\d+(?:\.\d+)?)|job:(?P<job>[0-9a-fA-F-]{36})(?:/(?P<other>.+?))?"
    r"(?:\s*(?P<way>[+-])\s*(?P<percent>\d+(?:\.\d+)?)\s*%)?)"
)


def read_assertion(text: str) -> dict[str, Any]:
    """The JSON of an assertion such as `layer4: object detectors >= 20`; raise ValueError for what reads otherwise.

    FIGURE is `detectors`, `distinct`, `mean_best_iou` or `dead_units`. With `<=`, a percentage is added: `+ 10%`.

    >>> read_assertion("layer4: detectors of tree >= 3")
    {'layer': 'layer4', 'figure': 'detectors', 'concept': 'tree', 'at_least': 3.0}
    """
    line = _LINE.fullmatch(text.strip())
    if line is None:
        raise ValueError(f"{text!r} does not read as {FORM}")
    named = {name: line[name] for name in ("layer", "figure", "category", "concept") if line[name]}
    return named | (_absolute(line) if line["number"] else _relative(line))


def _absolute(line: re.Match[str]) -> dict[str, Any]:
    return {"at_least" if line["sign"] == ">=" else "at_most": float(line["number"])}


def _relative(line: re.Match[str]) -> dict[str, Any]:
    bound, way, share = {
        ">=": ("no_less_than", "-", "minus_percent"),
        "<=": ("no_more_than", "+", "plus_percent"),
    }[line["sign"]]
    if line["way"] not in (None, way):
        raise ValueError(f"{line[0]!r}: with {line['sign']} a percentage follows {way!r}, not {line['way']!r}")
    reference = {"job": line["job"], "layer": line["other"], share: float(line["percent"] or 0)}
    return {bound: reference}
