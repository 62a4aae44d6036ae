"""`unitatlas jobs`."""

import json
from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import Assertions, as_json, asserted, limited, submitted
from unitatlas.jobs import Job
from unitatlas.output import follow, hold, print_one, print_rows, show_json, show_table


@click.group()
def jobs() -> None:
    """Jobs: submit, follow, cancel, retry, compare, check."""


def job_row(job: Job) -> Sequence[object]:
    """A job as a row of a table."""
    progress = job.progress
    where = f"{progress['done']}/{progress['total']} {progress['unit']}"
    return job.id, job.kind, job.state, job.raw["model"], job.raw["dataset"], where, job.raw["created_at"][:19]


JOB_COLUMNS = ["id", "kind", "state", "model", "dataset", "progress", "created"]


@jobs.command("list")
@click.option("--kind")
@click.option("--model")
@click.option("--state")
@limited
@as_json
@click.pass_obj
def list_jobs(
    client: Client, kind: str | None, model: str | None, state: str | None, limit: int, as_json: bool
) -> None:
    """List the jobs, newest first."""
    found = islice(client.jobs(kind=kind, model=model, state=state), limit)
    print_rows([*found], JOB_COLUMNS, as_json, job_row)


@jobs.command("dissect")
@click.argument("model")
@click.argument("dataset")
@click.argument("layers", nargs=-1, required=True)
@submitted
@asserted
@as_json
@click.pass_obj
def dissect(
    client: Client,
    model: str,
    dataset: str,
    layers: Sequence[str],
    params: dict[str, Any],
    estimate: bool,
    wait: bool,
    asserted: Assertions,
    as_json: bool,
) -> None:
    """Dissect layers of a model: `jobs dissect MODEL DATASET LAYER...`; the dataset of a generator is `-`."""
    if asserted and not wait:
        raise click.UsageError("--assert needs the job's end; leave out --no-wait")
    images = None if dataset == "-" else dataset
    body = {"layers": list(layers), **params}
    if estimate:
        show_json(client.estimate("dissection", model, images, **body).raw)
        return
    job = run(client.submit("dissection", model, images, **body), wait, as_json)
    if asserted:
        hold(job.check(asserted))


def run(job: Job, wait: bool, as_json: bool) -> Job:
    """Show a job that was started, once it is finished if that is waited for."""
    if wait:
        follow(job, quiet=as_json)
    print_one(job, JOB_COLUMNS, as_json, job_row)
    return job


@jobs.command("ablate")
@click.argument("model")
@click.argument("dataset")
@click.argument("layer")
@click.option("--ranking-dataset", help="Images that units are ranked on; without it half of the dataset's.")
@submitted
@as_json
@click.pass_obj
def ablate(
    client: Client,
    model: str,
    dataset: str,
    layer: str,
    ranking_dataset: str | None,
    params: dict[str, Any],
    estimate: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Silence the units of a layer, alone and in sets: `jobs ablate MODEL DATASET LAYER`."""
    body = {"layer": layer, "ranking_dataset": ranking_dataset, **params}
    if estimate:
        show_json(client.estimate("ablation", model, dataset, **body).raw)
    else:
        run(client.submit("ablation", model, dataset, **body), wait, as_json)


@jobs.command("show")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def show_job(client: Client, id: UUID, as_json: bool) -> None:
    """Show one job."""
    print_one(client.job(id), JOB_COLUMNS, as_json, job_row)


@jobs.command("watch")
@click.argument("id", type=click.UUID)
@click.pass_obj
def watch_job(client: Client, id: UUID) -> None:
    """Show a job's progress until it is finished."""
    follow(client.job(id))


@jobs.command("summary")
@click.argument("id", type=click.UUID)
@click.pass_obj
def show_summary(client: Client, id: UUID) -> None:
    """Print a job's figures as JSON."""
    show_json(client.job(id).summary())


@jobs.command("events")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def show_events(client: Client, id: UUID, as_json: bool) -> None:
    """Show what happened to a job."""
    events = [*client.job(id).events()]
    if as_json:
        show_json(events)
    else:
        show_table(["at", "type", "data"], ((e["at"], e["type"], json.dumps(e["data"])) for e in events))


@jobs.command("cancel")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def cancel_job(client: Client, id: UUID, as_json: bool) -> None:
    """Stop a job."""
    print_one(client.job(id).cancel(), JOB_COLUMNS, as_json, job_row)


@jobs.command("retry")
@click.argument("id", type=click.UUID)
@as_json
@click.pass_obj
def retry_job(client: Client, id: UUID, as_json: bool) -> None:
    """Go on with what a failed or cancelled job is missing."""
    print_one(client.job(id).retry(), JOB_COLUMNS, as_json, job_row)
