"""A job from the client's side: follow it, wait for it, stop it, read what it found."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from unitatlas.assertions import read_assertion
from unitatlas.comparing import Verdict
from unitatlas.errors import JobFailed
from unitatlas.pages import job_page
from unitatlas.showing import show_job
from unitatlas.transport import Transport
from unitatlas.types import Unit

FINISHED = ("succeeded", "failed", "canceled", "expired")
LONGEST_WAIT = 25


class Job:
    """A job as the service last told of it; `wait`, `refresh`, `cancel` and `retry` bring it up to date."""

    def __init__(self, transport: Transport, data: dict[str, Any]) -> None:
        self._transport = transport
        self._etag: str | None = None
        self.raw = data

    def __repr__(self) -> str:
        progress = self.progress
        return f"<Job {self.id} {self.kind} {self.state} {progress['done']}/{progress['total']} {progress['unit']}>"

    def _repr_html_(self) -> str:
        return show_job(self, job_page(self._transport.url, self.id))

    id = property(lambda self: str(self.raw["id"]), doc="The job's id.")
    kind = property(lambda self: str(self.raw["kind"]), doc="What the job does.")
    state = property(lambda self: str(self.raw["state"]), doc="Where the job stands.")

    @property
    def progress(self) -> dict[str, Any]:
        """{"done", "total", "unit", "stage"}."""
        progress: dict[str, Any] = self.raw["progress"]
        return progress

    @property
    def error(self) -> dict[str, Any] | None:
        """The problem that ended the job, if one did."""
        error: dict[str, Any] | None = self.raw["error"]
        return error

    @property
    def finished(self) -> bool:
        """Whether the state is a last one."""
        return self.state in FINISHED

    def refresh(self, wait: int = 0) -> "Job":
        """Ask again; with `wait`, let the service answer only when something changed or the seconds are over."""
        query, headers = {}, {}
        if wait and self._etag:  # who has seen no version yet cannot wait for another
            query, headers = {"wait": wait}, {"If-None-Match": self._etag}
        response = self._transport.request("GET", f"/v1/jobs/{self.id}", params=query, headers=headers)
        if response.status_code != httpx.codes.NOT_MODIFIED:
            self.raw, self._etag = response.json(), response.headers.get("ETag")
        return self

    def wait(self, timeout: float | None = None, on_change: Callable[["Job"], None] | None = None) -> "Job":
        """Return when the job succeeded; raise JobFailed when it ended otherwise, TimeoutError when time is up."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self.finished:
            left = LONGEST_WAIT if end is None else min(LONGEST_WAIT, end - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"{self} is not finished after {timeout} s")
            self.refresh(wait=max(1, int(left)))
            if on_change:
                on_change(self)
        if self.state != "succeeded":
            raise JobFailed(self.id, self.state, self.error)
        return self

    def cancel(self) -> "Job":
        """Ask the job to stop; a finished job stays as it is."""
        return self._after(f"/v1/jobs/{self.id}/cancel")

    def retry(self) -> "Job":
        """Go on with the shards that a failed or cancelled job is missing."""
        return self._after(f"/v1/jobs/{self.id}/retry")

    def _after(self, path: str) -> "Job":
        self.raw, self._etag = self._transport.post(path).json(), None
        return self

    def summary(self) -> dict[str, Any]:
        """The figures of a succeeded job."""
        summary: dict[str, Any] = self._transport.get(f"/v1/jobs/{self.id}/summary")
        return summary

    def check(self, assertions: Sequence[str | dict[str, Any]]) -> Verdict:
        """Whether a succeeded dissection is as asserted, in JSON or in lines as `read_assertion` takes them."""
        asserted = [read_assertion(given) if isinstance(given, str) else given for given in assertions]
        body = {"assertions": asserted}
        return Verdict.from_json(self._transport.request("POST", f"/v1/jobs/{self.id}/assertions", json=body).json())

    def export(
        self,
        path: str | Path,
        *,
        format: str | None = None,
        rows: str | None = None,
        layer: str | None = None,
        class_: str | None = None,
        n: int | None = None,
    ) -> Path:
        """Write what a job found to a file and return its path.

        `format` is parquet, csv, json or html, by default the file's ending; `rows` are labels (the default), units or
        matrix of a dissection, of all layers or of one, and effects (the default), units, classes, curves or matrix
        of an ablation, images (the default), units, targets or groups of an attack, and changes (the default), units,
        contexts or pictures of an intervention. An html file is a report instead, which needs no network. A
        safetensors file is the network without the `n` units that matter most for `class_`.
        """
        path = Path(path)
        format = format or path.suffix.removeprefix(".").lower()
        given = {"format": format, "rows": rows, "layer": layer, "class": class_, "n": n}
        self._transport.save(f"/v1/jobs/{self.id}/export", path, **given)
        return path

    def events(self) -> Iterator[dict[str, Any]]:
        """What has happened so far, oldest first."""
        return self._transport.pages(f"/v1/jobs/{self.id}/events", mark="after")

    def units(self, **filters: Any) -> Iterator[Unit]:
        """The units that this job found, filtered as `Client.units` does; of an ablation with `class_`."""
        return map(Unit.reader(self._transport), self._transport.pages("/v1/units", job=self.id, **filters))
