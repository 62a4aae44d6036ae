"""Exports as clients read them."""

import csv
import io
import json
import uuid
from html.parser import HTMLParser
from typing import Any

import pyarrow.parquet as pq
from flask.testing import FlaskClient

JSON_COLUMNS = ("histogram", "top_images")


def get(client: FlaskClient, job: uuid.UUID, **query: str) -> Any:
    return client.get(f"/v1/jobs/{job}/export", query_string=query)


def read(client: FlaskClient, job: uuid.UUID, format: str, **query: str) -> list[dict[str, Any]]:
    """The rows of a format, read by a library of its own."""
    reply = get(client, job, format=format, **query)
    assert reply.status_code == 200, reply.text
    return READERS[format](reply.data)


def read_csv(data: bytes) -> list[dict[str, Any]]:
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    return [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows]


READERS = {
    "json": json.loads,
    "csv": read_csv,
    "parquet": lambda data: pq.read_table(io.BytesIO(data)).to_pylist(),
}


def unread(row: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """A row of CSV or Parquet with the types that the row of JSON has."""
    read = dict(row)
    for name, value in like.items():
        if name in JSON_COLUMNS:
            read[name] = row[name] and json.loads(row[name])
        elif isinstance(row[name], str) and value is not None:
            read[name] = row[name] == "true" if isinstance(value, bool) else type(value)(row[name])
    return read


def check_formats(client: FlaskClient, job: uuid.UUID, rows: str) -> list[dict[str, Any]]:
    """See that all formats have the same rows, and return them."""
    expected = read(client, job, "json", rows=rows)
    assert expected
    for format in ("csv", "parquet"):
        found = read(client, job, format, rows=rows)
        assert [list(row) for row in found] == [list(row) for row in expected]
        assert [unread(row, like) for row, like in zip(found, expected, strict=True)] == expected
    return expected


class Page(HTMLParser):
    """What a browser would make of a page: its tags, and the texts of some."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and data.strip():
            self.texts.setdefault(self.tags[-1][0], []).append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]
