"""Pictures of attacks: what they show, and that the same figures give the same bytes."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from workers.jobs.attack.pictures import NOTHING, STYLES, draw_accuracy, draw_groups, draw_silencing

SVG = "{http://www.w3.org/2000/svg}"
DRAW = (draw_accuracy, draw_groups, draw_silencing)


def group(mean: float, known: bool = True) -> dict[str, Any]:
    return {"images": 5, "mean": mean, "low": mean - 0.25 if known else None, "high": mean + 0.5 if known else None}


def layer(name: str, **given: Any) -> dict[str, Any]:
    groups = {"target": group(3.0), "source": group(-2.0), "others": group(0.25, known=False)}
    silencing = {"sizes": [1, 2, 4], "most_moved": [0.2, 0.6, 1.0], "random": [0.0, 0.1, 0.2]}
    return {"layer": name, "groups": groups, "silencing": silencing} | given


def target(name: str | None, *layers: dict[str, Any], **given: Any) -> dict[str, Any]:
    accuracy = {"norm": "l2", "budgets": [0.0, 0.5, 1.0], "share": [0.75, 0.5, 0.25]}
    return {"target": name, "accuracy": accuracy, "layers": list(layers)} | given


def texts(svg: bytes) -> list[str]:
    """The words of a picture, which must be words in the file and no outlines."""
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text")]


EMPTY = layer("conv", groups=None, silencing=None)
NO_BARS = layer("conv", groups=dict.fromkeys(("target", "source", "others")))
SHAPES = {
    "nothing": [],
    "no image": [target("ski", accuracy=None)],
    "none fooled": [target("ski", EMPTY, accuracy={"norm": "l2", "budgets": [0.0], "share": [1.0]})],
    "no bars": [target("ski", NO_BARS)],
    "one unit": [target(None, layer("conv", silencing=None))],
    "layers": [target("ski", layer("a"), EMPTY), target("least-likely", EMPTY, layer("b"))],
    "many": [target(f"class {number}", layer("conv")) for number in range(20)],
}


@pytest.mark.parametrize("figures", SHAPES.values(), ids=SHAPES)
def test_every_shape_is_drawn_and_always_alike(figures: list[dict[str, Any]]) -> None:
    for draw in DRAW:
        svg = draw(figures)
        assert svg == draw(figures)
        assert ET.fromstring(svg).tag == f"{SVG}svg"
        assert b"nan" not in svg.lower()
        assert not re.search(rb"\d{4}-\d\d-\d\d", svg)  # no date of the day


def test_nothing_is_said_to_be_nothing() -> None:
    assert all(NOTHING in texts(draw([])) for draw in DRAW)


def test_targets_are_named_and_told_apart_without_colour() -> None:
    figures = [target("ski", layer("conv")), target(None, layer("conv")), target("least-likely", layer("conv"))]
    for draw in DRAW:
        svg = draw(figures)
        assert {"ski", "any other class", "least likely class"} <= set(texts(svg))
    dashes = re.findall(r"stroke-dasharray: ([\d. ,]+)", draw_accuracy(figures).decode())
    assert len(set(dashes)) == 2  # and a solid line
    assert b"<pattern" in draw_groups(figures)  # a hatch


def test_more_targets_than_styles_are_counted() -> None:
    figures = SHAPES["many"]
    assert len(figures) > len(STYLES)
    for draw in (draw_accuracy, draw_silencing):
        words = texts(draw(figures))
        assert any("Each line is one of 20 targets" in text for text in words)
        assert "class 1" not in words
    assert any("first 12 of 20 targets" in text for text in texts(draw_groups(figures)))


@pytest.mark.parametrize(("norm", "words"), [("l2", "L2 distance"), ("linf", "largest change of a value")])
def test_the_norm_is_on_the_axis(norm: str, words: str) -> None:
    curve = {"norm": norm, "budgets": [0.0, 1.0], "share": [1.0, 0.0]}
    assert any(words in text for text in texts(draw_accuracy([target("ski", accuracy=curve)])))


def test_bars_and_intervals_have_the_heights_of_the_figures() -> None:
    svg = draw_groups([target("ski", layer("conv"))]).decode()
    bars = re.findall(r"M [\d.]+ ([\d.]+) \nL [\d.]+ [\d.]+ \nL [\d.]+ ([\d.]+) \n[^z]*z\n\" clip-path", svg)
    heights = [float(base) - float(top) for base, top in bars][-3:]
    assert heights == pytest.approx([12 * heights[2], -8 * heights[2], heights[2]], rel=1e-3)
