"""Options that several commands have, and how their values are read."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from unitatlas.assertions import FORM, read_assertion

Assertions = Sequence[dict[str, Any]]

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
limited = click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Most rows to show.")
PLACES365 = re.compile(r"^/[a-z]/(\S+) \d+$")
EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXISTING_PATH = click.Path(exists=True, path_type=Path)


def read_classes(file: Path) -> list[str]:
    """The class of each line; of lines as in `categories_places365.txt`, `/a/airfield 0`, the name alone."""
    return [PLACES365.sub(r"\1", line) for line in file.read_text().splitlines()]


def read_concepts(file: Path) -> list[dict[str, str] | None]:
    """The concept of each line, `category,name` with a comma or a tab; None for a line that is `-`."""
    return [_read_concept(file, number, line) for number, line in enumerate(file.read_text().splitlines(), start=1)]


def _read_concept(file: Path, number: int, line: str) -> dict[str, str] | None:
    if line.strip() == "-":
        return None
    category, _, name = (part.strip() for part in line.partition("\t" if "\t" in line else ","))
    if not category or not name:
        raise click.BadParameter(f"line {number} of {file} is neither 'category,name' nor '-'")
    return {"category": category, "name": name}


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Read the text; refuse what is no object."""
        if isinstance(value, dict):
            return value
        try:
            read = json.loads(value)
        except json.JSONDecodeError as error:
            self.fail(f"not JSON: {error}", param, ctx)
        return read if isinstance(read, dict) else self.fail("a JSON object is needed, as {...}", param, ctx)


class Assertion(click.ParamType[dict[str, Any]]):
    """An assertion as a line of text."""

    name = "assertion"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Read the text; refuse what does not read as an assertion."""
        try:
            return read_assertion(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class AssertionsFile(click.ParamType[Assertions]):
    """A file of assertions as the service takes them."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Assertions:
        """Read the file; refuse one that is no such JSON."""
        if isinstance(value, list):
            return value
        text = EXISTING_FILE.convert(value, param, ctx).read_text()
        read = JsonObject().convert(text, param, ctx).get("assertions")
        return read if isinstance(read, list) else self.fail('a list is needed, as {"assertions": [...]}', param, ctx)


def submitted(command: Callable[..., None]) -> Callable[..., None]:
    """Options of every command that starts a job."""
    for option in (
        click.option("--wait/--no-wait", default=True, show_default=True, help="Show progress until it is finished."),
        click.option("--estimate", is_flag=True, help="Say what it would cost and start nothing."),
        click.option("--params", default="{}", type=JsonObject(), help="Further parameters, as JSON."),
    ):
        command = option(command)
    return command


asserted = click.option(
    "--assert",
    "asserted",
    multiple=True,
    type=Assertion(),
    help=f"What shall hold: {FORM}. May be given several times.",
)
