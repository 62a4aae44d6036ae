"""Answers as tables for people or as JSON for programs, and a progress bar for a job."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from unitatlas.comparing import Verdict
from unitatlas.jobs import Job
from unitatlas.types import Effect, Measured, Shift

console = Console()


def show_json(data: Any) -> None:
    """Print JSON, nothing else."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table, whose cells are never cut."""
    lines = [list(columns), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        text = "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        click.echo(text if number else click.style(text, bold=True))


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def change(value: float | None) -> str:
    """A change as a table shows it, with its sign."""
    return "-" if value is None else f"{value:+.4f}"


def interval(low: float | None, high: float | None) -> str:
    """The interval of a change as a table shows it."""
    return "-" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"


EFFECT_COLUMNS = ["accuracy change", "95 % interval", "corrected p"]


def effect_cells(effect: Effect) -> Sequence[object]:
    """An effect in a row of a table."""
    low, high = effect.accuracy_change_low, effect.accuracy_change_high
    return change(effect.accuracy_change), interval(low, high), effect.p_value_corrected


SHIFT_COLUMNS = ["peak change", "99 % interval"]


def shift_cells(shift: Shift | None) -> Sequence[object]:
    """How an attack moved a unit in a row of a table."""
    if shift is None:
        return None, None
    return change(shift.mean_peak_change), interval(shift.mean_peak_change_low, shift.mean_peak_change_high)


MEASURED_COLUMNS = ["pixels without it", "99 % interval"]


def measured_cells(measured: Measured | None) -> Sequence[object]:
    """What removing a unit does to a concept's pixels in a row of a table."""
    if measured is None:
        return None, None
    return change(measured.change), interval(measured.change_low, measured.change_high)


def print_rows(
    answers: Sequence[Any], columns: Sequence[str], as_json: bool, row: Callable[[Any], Sequence[object]]
) -> None:
    """Print answers as a table, or as the JSON they came as."""
    if as_json:
        show_json([answer.raw for answer in answers])
    else:
        show_table(columns, map(row, answers))


def print_one(answer: Any, columns: Sequence[str], as_json: bool, row: Callable[[Any], Sequence[object]]) -> None:
    """Print one answer as a table of one row, or as the JSON it came as."""
    if as_json:
        show_json(answer.raw)
    else:
        show_table(columns, [row(answer)])


def hold(verdict: Verdict) -> None:
    """Say of each assertion whether it holds, and end the command with 1 where one falls short."""
    for judged in verdict.assertions:
        click.echo(f"{'holds' if judged.passed else 'falls short'}: {judged.detail}", err=True)
    if not verdict.passed:
        click.get_current_context().exit(1)


def follow(job: Job, quiet: bool = False) -> Job:
    """Wait for a job, showing stage and progress; raise JobFailed when it does not succeed."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=quiet) as bar:
        task = bar.add_task(_description(job))

        def update(job: Job) -> None:
            progress = job.progress
            bar.update(task, description=_description(job), completed=progress["done"], total=progress["total"])

        update(job)
        return job.wait(on_change=update)


def _description(job: Job) -> str:
    stage = job.progress.get("stage") or job.state
    return f"{job.kind}, {stage} ({job.progress['unit']})"
