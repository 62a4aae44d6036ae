"""Answers as frames, against the rows that they came from."""

import sys
from collections.abc import Callable
from typing import Any

import pandas
import polars
import pytest

from unitatlas import Client, Job, Unit
from unitatlas.frames import to_pandas, to_polars

UNIT = {"model": "net", "layer": "conv1", "threshold": None, "links": {}}
LABEL = {"category": "object", "concept": "tree", "iou": 0.25, "detector": True}


def records(frame: Any) -> list[dict[str, Any]]:
    return frame.to_dicts() if isinstance(frame, polars.DataFrame) else frame.to_dict("records")


@pytest.mark.parametrize("convert", [to_pandas, to_polars])
def test_units_are_rows_with_dotted_columns(convert: Callable[..., Any], client: Client, dissected: Job) -> None:
    units = [*client.units(job=dissected.id, layer="features.3")]
    rows = records(convert(iter(units)))
    assert len(rows) == 128
    for row, unit in zip(rows, units, strict=True):
        assert (row["unit"], row["threshold"]) == (unit.unit, unit.threshold)
        assert pandas.isna(row["label.iou"]) == (unit.label is None)
        if unit.label is not None:
            assert (row["label.concept"], row["label.iou"]) == (unit.label.concept, unit.label.iou)
        assert row["links.self"] == unit.links["self"]


@pytest.mark.parametrize("convert", [to_pandas, to_polars])
def test_a_unit_without_a_label_has_empty_columns(convert: Callable[..., Any]) -> None:
    without, with_ = (Unit.from_json(UNIT | {"unit": unit, "label": label}) for unit, label in ((0, None), (1, LABEL)))
    frame = convert([without, with_])
    assert "label" not in frame.columns
    assert pandas.isna(records(frame)[0]["label.iou"])
    assert records(frame)[1]["label.iou"] == 0.25


@pytest.mark.parametrize("convert", [to_pandas, to_polars])
def test_all_answers_convert(convert: Callable[..., Any], client: Client, dissected: Job) -> None:
    unit = next(dissected.units())
    (details,) = records(convert([client.unit("net", unit.layer, unit.unit)]))
    assert [image["image"] for image in details["top_images"]] == [
        image["image"] for image in client.unit("net", unit.layer, unit.unit).top_images
    ]
    assert [row["progress.done"] for row in records(convert([dissected]))] == [dissected.progress["done"]]
    concepts = [*client.concepts()]
    assert [row["units"] for row in records(convert(concepts))] == [concept.units for concept in concepts]
    assert [row["name"] for row in records(convert(client.models()))] == [model.name for model in client.models()]
    assert len(convert([])) == 0


@pytest.mark.parametrize(("convert", "library"), [(to_pandas, "pandas"), (to_polars, "polars")])
def test_a_missing_library_is_named(convert: Callable[..., Any], library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf"{library} is not installed: pip install 'unit-atlas\[frames\]'"):
        convert([])
