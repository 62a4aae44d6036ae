"""What the service answers as frames of pandas and polars, which the extra `frames` installs."""

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas
    import polars


class Told(Protocol):
    """Anything that keeps the JSON it came as: every answer, and a job."""

    @property
    def raw(self) -> dict[str, Any]:
        """The JSON as it came."""


def to_pandas(answers: Iterable[Told]) -> "pandas.DataFrame":
    """A row for each answer; nested objects are dotted columns, as `label.concept`, and lists stay lists.

    Raises ImportError where pandas is not installed.
    """
    frame: pandas.DataFrame = _library("pandas").DataFrame(_columns(answers))
    return frame


def to_polars(answers: Iterable[Told]) -> "polars.DataFrame":
    """The same as a frame of polars.

    Raises ImportError where polars is not installed.
    """
    frame: polars.DataFrame = _library("polars").DataFrame(_columns(answers), strict=False)
    return frame


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{name} is not installed: pip install 'unit-atlas[frames]', or {name} alone") from error


def _columns(answers: Iterable[Told]) -> dict[str, list[Any]]:
    rows = [_flat(answer.raw) for answer in answers]
    names = dict.fromkeys(name for row in rows for name in row)
    # what is an object in one row may be null in another, which its dotted columns say already
    nested = {name[:dot] for name in names for dot, letter in enumerate(name) if letter == "."}
    return {name: [row.get(name) for row in rows] for name in names if name not in nested}


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in data.items():
        row |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return row
