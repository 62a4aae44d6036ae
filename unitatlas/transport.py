"""Requests to the service: the key, retries that are safe to make, problems as exceptions."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import httpx

from unitatlas.errors import Problem, ServiceUnreachable

TRIES = 5
LONGEST_PAUSE = 10.0
PASSING = {429, 502, 503, 504}
"""Answers that may be another in a moment."""


class Transport:
    """One connection pool to one service."""

    def __init__(self, url: str, key: str | None, timeout: float = 60.0) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path; None and empty values are left out of the query."""
        return self.request("GET", path, params=_given(query)).json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """Post JSON under an Idempotency-Key of its own, so that a retry cannot do the work twice."""
        return self.request("POST", path, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    def pages(self, path: str, mark: str = "cursor", **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, fetched page by page as they are asked for; `mark` is what `next_cursor` goes into."""
        cursor: str | None = None
        while True:
            page = self.get(path, **query, **{mark: cursor})
            yield from page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def request(self, method: str, path: str, *, tries: int = TRIES, **options: Any) -> httpx.Response:
        """Send a request, again while the answer may change; raise Problem or ServiceUnreachable."""
        for left in reversed(range(tries)):
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                if not left:
                    raise ServiceUnreachable(f"nothing answers at {self.url}: {error}") from error
                time.sleep(_pause(left, None))
                continue
            if response.status_code not in PASSING or not left:
                return _checked(response)
            time.sleep(_pause(left, response.headers.get("Retry-After")))
        raise AssertionError("the last try returns or raises")

    def save(self, path: str, file: Path, **query: Any) -> None:
        """Write the bytes at a path to a file, which is there only once it is whole; raise as `request` does."""
        partial = file.with_name(f"{file.name}.part")
        try:
            with partial.open("wb") as written:
                self._download(path, written, query)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)

    def _download(self, path: str, file: IO[bytes], query: dict[str, Any]) -> None:
        try:
            with self._http.stream("GET", path, params=_given(query)) as response:
                if response.is_error:
                    response.read()
                for chunk in _checked(response).iter_bytes():
                    file.write(chunk)
        except httpx.TransportError as error:
            raise ServiceUnreachable(f"the download of {path} from {self.url} broke off: {error}") from error


def _given(query: dict[str, Any]) -> dict[str, Any]:
    # `class_` stands for `class`, which is a word of Python's
    return {
        name.removesuffix("_"): str(value).lower() if isinstance(value, bool) else value
        for name, value in query.items()
        if value is not None
    }


def _pause(left: int, retry_after: str | None) -> float:
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), LONGEST_PAUSE)
    return float(0.2 * 2 ** (TRIES - 1 - left))


def _checked(response: httpx.Response) -> httpx.Response:
    if response.status_code < 400:
        return response
    if response.headers.get("Content-Type", "").startswith("application/problem+json"):
        # the answer to HEAD has headers only
        raise Problem(response.json() if response.content else {"status": response.status_code}, response.headers)
    raise ServiceUnreachable(f"{response.request.url} answered {response.status_code} and not as Unit Atlas does")
