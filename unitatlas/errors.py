"""What can go wrong between a client and the service."""

from collections.abc import Mapping
from typing import Any


class ServiceUnreachable(Exception):
    """Nothing answered at the service's address, or only 5xx did."""


class Problem(Exception):
    """The service refused a request and said why (RFC 9457)."""

    def __init__(self, problem: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        self.headers = headers or {}
        self.status: int = problem.get("status", 0)
        self.type: str = problem.get("type", "")
        self.title: str = problem.get("title", "")
        self.detail: str = problem.get("detail", "")
        self.errors: list[dict[str, str]] = problem.get("errors") or []
        self.request_id: str | None = problem.get("request_id")
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [f"{self.title}: {self.detail}"]
        lines += [f"  {e['pointer']}: {e['detail']}" for e in self.errors if e["detail"] not in self.detail]
        return "\n".join(lines)


class UploadError(Exception):
    """Files cannot be uploaded as they are on this side."""


class JobFailed(Exception):
    """A job that was waited for ended in another way than `succeeded`."""

    def __init__(self, job_id: str, state: str, error: dict[str, Any] | None) -> None:
        self.job_id = job_id
        self.state = state
        self.problem = Problem(error) if error else None
        super().__init__(f"job {job_id} {state}" + (f": {self.problem}" if self.problem else ""))
