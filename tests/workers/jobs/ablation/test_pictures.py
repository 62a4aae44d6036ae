"""Pictures of ablations: what they show, and that the same figures give the same bytes."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import matplotlib
import pytest

from workers.jobs.ablation import pictures
from workers.jobs.ablation.pictures import draw_curves, draw_distribution, draw_importance

QUANTILES = {"low": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "high": 1.0}
SVG = "{http://www.w3.org/2000/svg}"


def curves(sizes: list[int], classes: int = 3) -> dict[str, Any]:
    """Curves whose class loses .02 with each unit, .005 with random ones, nothing with the least important."""

    def point(size: int, change: float) -> dict[str, Any]:
        spread = (
            dict.fromkeys(QUANTILES, change)
            if classes == 1
            else {name: change * q * 2 for name, q in QUANTILES.items()}
        )
        return {
            "size": size,
            "balanced_accuracy": 0.9 + change,
            "change": change,
            "change_low": None,
            "change_high": None,
            "all_class_accuracy": 0.8 + change / 4,
            "auroc": 0.95,
            "rechosen_balanced_accuracy": 0.92 + change / 2,
            "rechosen_change": change / 2,
            "spread": spread | {"mean": change},
        }

    def banded(size: int) -> dict[str, Any]:
        point_at = point(size, -0.005 * size)
        return {
            name: {"mean": value, "low": value - 0.01, "high": value + 0.01} if isinstance(value, float) else value
            for name, value in point_at.items()
        }

    untouched = {
        "balanced_accuracy": 0.9,
        "all_class_accuracy": 0.8,
        "auroc": 0.95,
        "rechosen_balanced_accuracy": 0.92,
    }
    return {
        "sizes": sizes,
        "untouched": untouched,
        "most": [point(size, -0.02 * size) for size in sizes],
        "least": [point(size, 0.0) for size in sizes],
        "all_but": [point(size, -0.02 * (16 - size)) for size in sizes],
        "random": [banded(size) for size in sizes],
    }


COUNTS, IOUS = [0, 0, 2, 5], [0.01, 0.03, 0.1, 0.2]
GROUPS = [
    {"importance": 0, "units": 2, "mean_iou": 0.02},
    {"importance": 2, "units": 1, "mean_iou": 0.1},
    {"importance": 5, "units": 1, "mean_iou": 0.2},
]
CORRELATION = {"pearson": {"r": 0.987, "p_value": 0.0004}, "spearman": {"rho": 0.9, "p_value": 0.0421}}


def texts(svg: bytes) -> list[str]:
    """The words of a picture, which must be words in the file and no outlines."""
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


def dashes(svg: bytes) -> set[str]:
    return set(re.findall(r"stroke-dasharray: ([\d. ,]+)", svg.decode()))


@pytest.mark.parametrize(
    ("sizes", "classes"), [([1], 1), (list(range(1, 16)), 3), ([], 1)], ids=["a class", "every size", "no size"]
)
def test_every_shape_is_drawn_and_always_alike(sizes: list[int], classes: int) -> None:
    given = curves(sizes, classes)
    for draw in (lambda: draw_curves(given, 16), lambda: draw_distribution(given)):
        svg = draw()
        assert svg == draw()
        assert ET.fromstring(svg).tag == f"{SVG}svg"
        assert b"nan" not in svg.lower()
        assert not re.search(rb"\d{4}-\d\d-\d\d", svg)  # no date of the day


def test_curves_are_told_apart_without_colour() -> None:
    svg = draw_curves(curves([1, 4, 16]), 16)
    assert {"n most important", "n least important", "n random", "all but the n most"} <= set(texts(svg))
    assert texts(svg).count("untouched") == 2
    assert texts(svg).count("chance") == 1
    assert len(dashes(svg)) >= 4  # three that are no solid line, and chance
    assert svg.count(b"<pattern") == 1  # the hatched band
    assert {"1", "4", "16", "n, of 16 units"} <= set(texts(svg))


def test_a_picture_without_sets_says_so() -> None:
    for svg in (draw_curves(curves([]), 16), draw_distribution(curves([]))):
        assert pictures.NOTHING in texts(svg)


def test_points_lie_where_the_figures_say() -> None:
    """Of the boxes, the five medians of each order keep the ratios of the changes."""
    sizes = [1, 2, 4, 8, 16]
    svg = draw_distribution(curves(sizes)).decode()
    assert {str(size) for size in sizes} <= set(texts(svg.encode()))
    # the two dots of a box are the lowest and the highest class: 0 and twice the mean
    dots = [float(y) for y in re.findall(r'<use xlink:href="#[^"]+" x="[^"]+" y="([^"]+)" style="fill: #a6192e', svg)]
    pairs = [(low, high) for low, high in zip(dots[::2], dots[1::2], strict=True)]
    lengths = [abs(high - low) for low, high in pairs]
    assert lengths == pytest.approx([lengths[0] * size for size in sizes], rel=1e-3)


def test_importance_says_how_sure_it_is() -> None:
    words = texts(draw_importance(GROUPS, COUNTS, IOUS, CORRELATION))
    assert "IoU of units by importance (r = 0.99, p < 0.001; rho = 0.90, p = 0.042)" in words
    assert words.count("2") >= 2  # two units are important to no class, beside the axis
    nothing = {"pearson": None, "spearman": None}
    assert any("does not vary" in text for text in texts(draw_importance(GROUPS[:1], [0, 0], IOUS[:2], nothing)))


def test_importance_without_a_dissection_counts_units() -> None:
    words = texts(draw_importance([], COUNTS, None, {"pearson": None, "spearman": None}))
    assert "Units by importance" in words
    assert not any("IoU" in text for text in words)


def test_settings_of_the_process_change_nothing_and_are_kept() -> None:
    before = draw_curves(curves([1, 4]), 16)
    with matplotlib.rc_context({"font.size": 23, "svg.fonttype": "path", "axes.grid": True}):
        assert draw_curves(curves([1, 4]), 16) == before
        assert matplotlib.rcParams["font.size"] == 23
