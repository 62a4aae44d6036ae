"""Pages of jobs: asked for, followed, ended early, compared."""

import json
from typing import Any
from uuid import UUID

import flask
from flask import Response, request

from service.catalog import queries as catalog
from service.context import db, services, team_id
from service.errors import Invalid
from service.explorer import forms, found, queries
from service.explorer.generator_queries import concepts_of_layers, edited_pictures
from service.explorer.linking import shared
from service.explorer.pages import pages, render, see_other
from service.explorer.schemas import CompareQuerySchema, NewJobSchema, StartSchema
from service.jobs import events, submission
from service.jobs import queries as jobs
from service.jobs.checks import GENERATOR
from service.jobs.replies import describe
from service.jobs.schemas import JobsQuerySchema
from service.jobs.tables import ACTIVE_STATES, JOB_STATES
from service.jobs.views import check, publish_shards
from service.pagination import MAX_LIMIT, PageRequest
from service.parsing import parse_json
from service.results.comparing import queries as comparing
from service.results.comparing.pairs import corresponding
from service.results.comparing.replies import describe_change, describe_diff

LAST_EVENTS = 50
SOME = 12
"""Units that stand for all that a job found."""


@pages.get("/jobs")
@pages.requires("read")
@pages.arguments(JobsQuerySchema, location="query")
def list_jobs(page: PageRequest) -> str:
    """List the team's jobs, newest first."""
    listed = jobs.list_jobs(db(), team_id(), page)
    shown = describe(db(), listed.data)
    return render("jobs.html", filters=page.filters, jobs=shown, states=JOB_STATES, next_cursor=listed.next_cursor)


@pages.get("/jobs/<uuid:job_id>")
@pages.requires("read")
def show_job(job_id: UUID) -> str:
    """Show a job: how far it is, what happened to it, and what it found."""
    job = jobs.find_job(db(), team_id(), job_id)
    last = events.page(db(), job.id, max(0, job.version - LAST_EVENTS), 2 * LAST_EVENTS)
    found_units = job.kind in ("dissection", "import") and job.state == "succeeded"
    return render(
        "job.html",
        job=describe(db(), [job])[0],
        active=job.state in ACTIVE_STATES,
        ahead=queries.jobs_ahead(db(), job),
        events=last.data,
        summary=job.summary if job.state == "succeeded" else None,
        units=found.best(SOME, job=str(job.id)) if found_units else [],
        others=queries.other_dissections(db(), team_id(), job) if found_units and not shared() else [],
        edited=edited_pictures(db(), job.id, SOME) if job.kind == "intervention" else [],
    )


@pages.post("/jobs/<uuid:job_id>/cancel")
@pages.requires("run")
def cancel_job(job_id: UUID) -> Response:
    """Cancel a job."""
    jobs.cancel(db(), jobs.find_job(db(), team_id(), job_id))
    return _to_job(job_id)


@pages.post("/jobs/<uuid:job_id>/retry")
@pages.requires("run")
def retry_job(job_id: UUID) -> Response:
    """Try a job again."""
    job = jobs.find_job(db(), team_id(), job_id)
    jobs.retry(db(), job)
    publish_shards(job)
    return _to_job(job_id)


def _to_job(job_id: UUID) -> Response:
    return see_other(flask.url_for(".show_job", job_id=job_id))


@pages.get("/models/<name>/jobs/new")
@pages.requires("read")
@pages.arguments(NewJobSchema, location="query")
def new_job(query: dict[str, Any], name: str) -> str:
    """Ask for a job by a form; once it is filled in, tell what the job would cost."""
    subject = _subject(name)
    kind = _kind(query["kind"], subject, name)
    fields = forms.fields_of(kind, subject)
    body = forms.body_of(kind, name, fields, request.args)
    estimate, problem = _estimate(body) if query["estimate"] else (None, None)
    return render(
        "new_job.html",
        model=name,
        kind=kind,
        kinds=forms.KINDS[subject.kind],
        fields=fields,
        asked=query["estimate"],
        body=json.dumps(body, indent=2, ensure_ascii=False),
        estimate=estimate,
        problem=problem,
    )


def _subject(name: str) -> forms.Subject:
    model = catalog.get_model(db(), team_id(), name).model
    layers = catalog.layers_of(db(), model)
    dissected = queries.dissected_layers(db(), [layer.id for layer in layers])
    datasets, segmenters = catalog.dataset_names(db(), team_id()), catalog.model_names(db(), team_id(), "segmenter")
    return forms.Subject(
        kind=model.kind,
        layers=[layer.name for layer in layers],
        classes=catalog.classes_of(db(), model),
        datasets=sorted(datasets),
        segmenters=sorted(segmenters),
        concepts=concepts_of_layers(db(), *layers) if model.kind == GENERATOR else [],
        dissected=[layer.name for layer in layers if layer.id in dissected],
    )


def _kind(wanted: str | None, subject: forms.Subject, model: str) -> str:
    """The kind of job that the form asks for; raise Invalid where there is none of a model of such a kind."""
    kinds = forms.KINDS[subject.kind]
    if wanted not in (None, *kinds) or not kinds:
        raise Invalid(f"{model!r} is a {subject.kind}; of that there is {' or '.join(kinds) or 'no job'}", "query:kind")
    return wanted or kinds[0]


def _estimate(body: dict[str, Any]) -> tuple[Any, Invalid | None]:
    """What the job would cost, or why there can be none."""
    try:
        return check(db(), forms.read_body(body)).estimate(db(), jobs.count_workers(db())), None
    except Invalid as problem:
        return None, problem


@pages.post("/jobs")
@pages.requires("run")
@pages.arguments(StartSchema, location="form")
def start_job(form: dict[str, Any]) -> Response:
    """Submit a job whose cost was shown."""
    wanted = forms.read_body(parse_json(form["body"].encode()))
    job, status = submission.submit(db(), check(db(), wanted).request, services().settings)
    if status == 202:
        publish_shards(job)
    return _to_job(job.id)


@pages.get("/compare")
@pages.requires("read")
@pages.arguments(CompareQuerySchema, location="query")
def compare(page: PageRequest) -> str:
    """Compare two dissections, which a form chooses."""
    a, b = (page.filters[side] for side in "ab")
    choices = [] if shared() else _dissections()
    if a is None or b is None:
        return render("compare.html", a=a, b=b, choices=choices, diff=None)
    layers = {name: page.filters[name] for name in ("layer_a", "layer_b")}
    compared = comparing.find_comparison(db(), team_id(), a, b, **layers)
    named = {name: value for name, value in layers.items() if value is not None}
    more = {"filters": page.filters, "layers": named, **_differences(compared, page)}
    return render("compare.html", a=a, b=b, choices=choices, **more)


def _dissections() -> list[dict[str, Any]]:
    wanted = PageRequest(MAX_LIMIT, filters={"kind": "dissection", "state": "succeeded"})
    return describe(db(), jobs.list_jobs(db(), team_id(), wanted).data)


def _differences(compared: comparing.Comparison, page: PageRequest) -> dict[str, Any]:
    pairs = compared.paired.pairs
    by_unit = [pair for pair in pairs if pair.by_unit]
    concepts = comparing.concepts_of(db(), [layer for pair in pairs for layer in pair])
    names = jobs.subject_names(db(), [compared.a, compared.b])
    diff = describe_diff(compared, names, concepts, comparing.count_changes(db(), by_unit))
    if not by_unit:
        return {"diff": diff, "changes": [], "next_cursor": None}
    found_changes = comparing.list_changes(db(), corresponding(pairs), page)
    layers = {pair.a.dissection_id: pair.a.name for pair in by_unit}
    changes = [describe_change(row, layers) for row in found_changes.data]
    # the pictures of two whole jobs are no part of what a link to their comparison shows
    wanted = set() if shared() else {(change["layer"], change["unit"]) for change in changes}
    sides = {"a": compared.a.id, "b": compared.b.id}
    pictures = {side: queries.units_in_run(db(), team_id(), id, wanted) for side, id in sides.items()}
    model = names.get(compared.b.model_id) if compared.b.model_id else None
    more = {"model": model, "pictures": pictures, "next_cursor": found_changes.next_cursor}
    return {"diff": diff, "changes": changes, **more}
