"""Every error that a caller may see; `service.api` turns each into problem+json."""

from collections.abc import Mapping
from typing import Any


class UnitAtlasError(Exception):
    """An error with a status, a title and, where a field is at fault, a JSON pointer to it."""

    status = 500
    slug = "internal"
    title = "Something went wrong here"
    headers: Mapping[str, str] = {}

    def __init__(self, detail: str, pointer: str | None = None, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or ([{"pointer": pointer, "detail": detail}] if pointer is not None else [])

    def problem(self) -> dict[str, Any]:
        """The error as an RFC 9457 problem."""
        return {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": self.errors,
        }


class InvalidSetting(UnitAtlasError):
    """A UNITATLAS_* variable does not parse."""

    slug, title = "invalid-setting", "A setting is not valid"


class BadRequest(UnitAtlasError):
    """The request cannot be read."""

    status, slug, title = 400, "bad-request", "The request cannot be read"


class InvalidCursor(BadRequest):
    """A cursor is damaged or belongs to another query."""

    slug, title = "invalid-cursor", "The cursor does not belong to this query"


class Unauthorized(UnitAtlasError):
    """No valid key came with the request."""

    status, slug, title = 401, "unauthorized", "A valid key is needed"


class Forbidden(UnitAtlasError):
    """The key's scopes do not cover the request."""

    status, slug, title = 403, "forbidden", "The key does not allow this"


class NotFound(UnitAtlasError):
    """Nothing of this name is in the caller's team."""

    status, slug, title = 404, "not-found", "There is no such thing here"


class Conflict(UnitAtlasError):
    """The request contradicts the state of things."""

    status, slug, title = 409, "conflict", "The request contradicts the present state"


class UnfinishedUpload(NotFound):
    """An artifact is not here, or not all of it."""

    def __init__(self, digest: str, offset: int) -> None:
        super().__init__(f"the team has no artifact {digest}; {offset} bytes of it were uploaded")
        self.headers = {"Upload-Offset": str(offset)}


class WrongOffset(Conflict):
    """An upload does not go on where the bytes that are here end."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"{offset} bytes are here; go on from there", "header:Content-Range")
        self.headers = {"Upload-Offset": str(offset)}


class TooLarge(UnitAtlasError):
    """A body, file or image is over its limit."""

    status, slug, title = 413, "too-large", "Too large"


class Invalid(UnitAtlasError):
    """A value is well-formed and still not usable."""

    status, slug, title = 422, "invalid", "A value is not valid"


class TooMany(UnitAtlasError):
    """A quota is used up."""

    status, slug, title = 429, "quota", "The team's quota is used up"


class StorageFull(UnitAtlasError):
    """A team stores as much as it may, which no waiting changes."""

    status, slug, title = 403, "storage-full", "The team's storage is used up"


class Unavailable(UnitAtlasError):
    """Something that the request needs is not there at the moment."""

    status, slug, title = 503, "unavailable", "Not available at the moment"


class WorkerLost(UnitAtlasError):
    """The process that worked on a shard disappeared too often."""

    slug, title = "worker-lost", "The workers of this job disappeared"


class ShardFailed(UnitAtlasError):
    """A shard ended with an unexpected error whenever it was tried."""

    slug, title = "shard-failed", "A part of the job failed whenever it was tried"


class PaintingFailed(UnitAtlasError):
    """A painting ended with an unexpected error."""

    slug, title = "painting-failed", "The painting failed"


class DeadlinePassed(UnitAtlasError):
    """The deadline of a job or painting passed before it was done."""

    slug, title = "deadline-passed", "The deadline passed"


class Reported(UnitAtlasError):
    """A problem that ended a job, told to the request that waited for it."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"], errors=problem["errors"])
        self.status, self.title = problem["status"], problem["title"]
        self.slug = problem["type"].removeprefix("/problems/")
