"""Rows as files, a piece at a time, whatever their number: JSON, CSV, Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.results.exporting.rows import JSON, Row, RowTable


@dataclass(frozen=True)
class Format:
    """How rows are written, and what the file is called."""

    media_type: str
    write: Callable[[RowTable], Iterator[bytes]]


def write_json(table: RowTable) -> Iterator[bytes]:
    """One array with an object a line."""
    yield b"["
    separator = "\n"
    for batch in table.batches:
        lines = [_dump(dict(zip(table.columns, row, strict=True))) for row in batch]
        if lines:
            yield (separator + ",\n".join(lines)).encode()
            separator = ",\n"
    yield b"\n]\n"


def write_csv(table: RowTable) -> Iterator[bytes]:
    """A head, then a line for each row; null is an empty cell."""
    yield _csv_lines([list(table.columns)])
    for batch in table.batches:
        yield _csv_lines([list(map(_cell, row, table.columns.values())) for row in batch])


def _csv_lines(rows: Sequence[Row]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def _cell(value: Any, kind: type) -> Any:
    if kind is bool and value is not None:
        return "true" if value else "false"
    return _text(value, kind)


def _text(value: Any, kind: type) -> Any:
    return _dump(value) if kind is JSON and value is not None else value


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_parquet(table: RowTable) -> Iterator[bytes]:
    """A file with a row group for each batch."""
    # takes half a second and 40 MB, which a process that never writes such a file need not spend
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), JSON: pa.string()}
    schema = pa.schema([(name, types[kind]) for name, kind in table.columns.items()])
    pipe = _Pipe()
    with pq.ParquetWriter(pa.PythonFile(pipe, mode="w"), schema) as writer:
        for batch in table.batches:
            rows = ([*map(_text, row, table.columns.values())] for row in batch)
            columns = list(zip(*rows, strict=True)) or [()] * len(schema)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            yield pipe.take()
    yield pipe.take()


class _Pipe(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


FORMATS: Mapping[str, Format] = {
    "parquet": Format("application/vnd.apache.parquet", write_parquet),
    "csv": Format("text/csv", write_csv),
    "json": Format("application/json", write_json),
}
