"""What every answer of the service is: typed fields, the JSON as it came, and pictures to be had where it came from."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ClassVar, Self

from unitatlas.errors import Problem, ServiceUnreachable
from unitatlas.transport import Transport


@dataclass(frozen=True)
class Answer:
    """Base of all answers; `raw` is the JSON as it came."""

    raw: dict[str, Any] = field(repr=False, compare=False, kw_only=True)
    _transport: ClassVar[Transport | None] = None

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read the fields that this client knows."""
        return cls._read(data)

    @classmethod
    def reader(cls, transport: Transport) -> Callable[[dict[str, Any]], Self]:
        """What reads answers that can fetch their pictures from where they came."""
        return partial(cls._told_by, transport)

    @classmethod
    def _told_by(cls, transport: Transport, data: dict[str, Any]) -> Self:
        answer = cls.from_json(data)
        object.__setattr__(answer, "_transport", transport)
        return answer

    @classmethod
    def _read(cls, data: dict[str, Any], **read: Any) -> Self:
        known = {f.name for f in fields(cls)} - {"raw"}
        return cls(**{name: value for name, value in data.items() if name in known} | read, raw=data)

    def __getstate__(self) -> dict[str, Any]:
        # a connection cannot be copied to another process
        return {name: value for name, value in vars(self).items() if name != "_transport"}

    def _picture(self, link: str) -> str | None:
        """The picture of a link as a data URL; None where there is none, or none to be had."""
        path = self.raw["links"].get(link)
        if self._transport is None or path is None:
            return None
        try:
            response = self._transport.request("GET", path, tries=1)
        except (Problem, ServiceUnreachable):
            return None
        return f"data:{response.headers['Content-Type']};base64,{base64.b64encode(response.content).decode()}"
