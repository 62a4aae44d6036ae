"""Files that name what a network's outputs are."""

from pathlib import Path

import click
import pytest

from unitatlas.commands.options import read_classes, read_concepts


def test_classes_are_lines_or_those_of_places365(tmp_path: Path) -> None:
    (tmp_path / "classes").write_text("/a/airfield 0\n/a/apartment_building/outdoor 8\nskate park\n/b/beach\n")
    found = read_classes(tmp_path / "classes")
    assert found == ["airfield", "apartment_building/outdoor", "skate park", "/b/beach"]


def test_concepts_are_separated_by_a_comma_or_a_tab(tmp_path: Path) -> None:
    (tmp_path / "concepts").write_text("-\nobject,tree\nmaterial\tpolished stone\nobject\tchest, drawers\n - \n")
    assert read_concepts(tmp_path / "concepts") == [
        None,
        {"category": "object", "name": "tree"},
        {"category": "material", "name": "polished stone"},
        {"category": "object", "name": "chest, drawers"},
        None,
    ]


@pytest.mark.parametrize("line", ["tree", "", "object,", ",tree"])
def test_a_line_that_is_no_concept_is_told(tmp_path: Path, line: str) -> None:
    (tmp_path / "concepts").write_text(f"object,sky\n{line}\n")
    with pytest.raises(click.BadParameter, match=r"line 2 of .*concepts is neither 'category,name' nor '-'"):
        read_concepts(tmp_path / "concepts")
