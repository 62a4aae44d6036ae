"""Answers as tables for people or as JSON for programs, and a progress bar for a job."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from unitatlas.jobs import Job

console = Console()

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
limited = click.option("--limit", default=20, show_default=True, help="Most rows to show.")


def show_json(data: Any) -> None:
    """Print JSON, nothing else."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*map(cell, row))
    console.print(table)


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_rows(
    answers: Sequence[Any], columns: Sequence[str], as_json: bool, row: Callable[[Any], Sequence[object]]
) -> None:
    """Print answers as a table, or as the JSON they came as."""
    if as_json:
        show_json([answer.raw for answer in answers])
    else:
        show_table(columns, map(row, answers))


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
