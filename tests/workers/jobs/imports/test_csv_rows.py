"""Tables of results against what wrote them, and against damage."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Invalid
from workers.jobs.imports.csv_rows import read_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


def write(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True), st.data())
def test_what_was_written_is_read(columns: list[str], data: st.DataObject) -> None:
    width = st.lists(TEXT, min_size=len(columns), max_size=len(columns))
    cells = data.draw(st.lists(width, max_size=5))
    rows = read_rows(b"\xef\xbb\xbf" + write([columns, *cells]))
    assert list(rows.columns) == columns
    assert [list(row.cells.values()) for row in rows.rows] == cells


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    try:
        for row in read_rows(data).rows:
            for column in row.cells:
                row.whole(column)
    except Invalid as error:
        assert error.errors[0]["pointer"] == "/artifact"
        assert "line " in error.detail


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_as_python_and_numpy_write_them(number: float) -> None:
    (row,) = read_rows(f"score\n{number!r}\n".encode()).rows
    assert row.number("score") == number


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "1_0", "0x1", "", "one", "٣", "1;5"])
def test_what_is_no_number_is_refused(text: str) -> None:
    (row,) = read_rows(f'score\n"{text}"\n'.encode()).rows
    with pytest.raises(Invalid, match=r"line 2: the score .* is no number"):
        row.number("score")


@pytest.mark.parametrize("text", ["-1", "0.5", "1e300"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    (row,) = read_rows(f"unit\n{text}\n".encode()).rows
    with pytest.raises(Invalid, match=r"line 2: the unit .* is no whole number"):
        row.whole("unit")


@pytest.mark.parametrize("text", ["", " ", "a\0b", "a\nb", "x" * 257])
def test_what_is_no_name_is_refused(text: str) -> None:
    (row,) = read_rows(write([["label", "unit"], [text, "1"]])).rows
    with pytest.raises(Invalid, match="the label "):
        row.name("label")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"a,b\n1\n", "line 2: 1 cells for the 2 columns"),
        (b"a,b\n\n1,2,3\n", "line 3: 3 cells for the 2 columns"),
        (b"a,a\n1,2\n", "line 1 has the column 'a' twice"),
        (b'a,b\n1,"2\n', "line 2: unexpected end of data"),
        (b"a,b\n1,2\n\xff\xfe,3\n", r"line 3: the file is not UTF-8 text \(byte 8\)"),
        (b"a,b\n1," + b"2" * 200_000, "line 2: field larger than field limit"),
    ],
)
def test_damage_is_told_by_its_line(data: bytes, detail: str) -> None:
    with pytest.raises(Invalid, match=detail):
        list(read_rows(data).rows)


def test_missing_columns_are_named() -> None:
    with pytest.raises(Invalid, match="line 1 lacks the column unit, score; it has label"):
        read_rows(b"label\n").require("unit", "label", "score")
    with pytest.raises(Invalid, match="lacks the column unit; it has none"):
        read_rows(b"").require("unit")
