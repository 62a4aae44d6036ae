"""Working in a team from Python: its people, links, collections, annotations and audit log."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

from unitatlas.answers import Answer
from unitatlas.jobs import Job
from unitatlas.transport import Transport
from unitatlas.types import Annotation, Unit


@dataclass(frozen=True)
class Member(Answer):
    """A person in the team."""

    name: str
    role: str
    created_at: str


@dataclass(frozen=True)
class Key(Answer):
    """A key; `key`, its text, is there of one just made alone."""

    prefix: str
    name: str
    member: str | None
    scopes: list[str]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    key: str | None = None


@dataclass(frozen=True)
class Share(Answer):
    """A link; `url`, where people open it, is there of one just made alone."""

    id: str
    kind: str
    address: str
    author: str
    created_at: str
    expires_at: str
    revoked_at: str | None
    url: str | None = None


@dataclass(frozen=True)
class AuditEntry(Answer):
    """Something that somebody changed."""

    at: str
    actor: str
    action: str
    subject: str
    key_prefix: str | None
    request_id: str | None


@dataclass(frozen=True)
class Quotas(Answer):
    """What the team uses and may use: {"used", "allowed"} each, `allowed` None where there is no limit."""

    queued_jobs: dict[str, Any]
    worker_seconds: dict[str, Any]
    stored_bytes: dict[str, Any]


@dataclass(frozen=True)
class CollectedUnit(Unit):
    """A unit in a collection, with what is said of it there."""

    note: str = ""


@dataclass(frozen=True)
class Collection(Answer):
    """Units that somebody put together; `units` is empty in a list of collections."""

    id: str
    name: str
    note: str
    author: str
    version: int
    size: int
    created_at: str
    updated_at: str
    units: list[CollectedUnit]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read a collection with its units."""
        return cls._read(data, units=[CollectedUnit.from_json(unit) for unit in data.get("units", [])])


class Team:
    """What people of a team do beside starting jobs: `client.team`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    # people and keys

    def members(self) -> Iterator[Member]:
        """All members, by name."""
        return map(Member.from_json, self._transport.pages("/v1/members"))

    def add_member(self, name: str, role: str = "member") -> Member:
        """Take a person into the team as an admin, member or reader; make a key for them next."""
        return Member.from_json(self._send("POST", "/v1/members", {"name": name, "role": role}))

    def change_role(self, name: str, role: str) -> Member:
        """Give a member another role, which holds for all their keys at once."""
        return Member.from_json(self._send("PUT", _at("members", name), {"role": role}))

    def remove_member(self, name: str) -> Member:
        """Take a member out of the team, and revoke their keys."""
        return Member.from_json(self._send("DELETE", _at("members", name)))

    def keys(self) -> Iterator[Key]:
        """All keys of the team, without their texts, oldest first."""
        return map(Key.from_json, self._transport.pages("/v1/keys"))

    def make_key(
        self,
        name: str,
        *,
        member: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Key:
        """Make a key for a member or, without one, for a program; its text is in the answer and nowhere else."""
        given = {"member": member, "scopes": scopes and [*scopes], "expires_at": expires_at and expires_at.isoformat()}
        body = {"name": name} | {key: value for key, value in given.items() if value is not None}
        return Key.from_json(self._send("POST", "/v1/keys", body))

    def revoke_key(self, prefix: str) -> Key:
        """Revoke the key of this prefix, for good and at once."""
        return Key.from_json(self._send("DELETE", _at("keys", prefix)))

    def audit(self, **filters: Any) -> Iterator[AuditEntry]:
        """Who changed what and when, newest first; filters are actor, action and subject."""
        return map(AuditEntry.from_json, self._transport.pages("/v1/audit", **filters))

    def quotas(self) -> Quotas:
        """What the team uses and may use of jobs, workers' time and storage."""
        return Quotas.from_json(self._transport.get("/v1/quotas"))

    # links

    def share(self, what: str | Answer | Job, *, expires_at: datetime | None = None) -> Share:
        """Make a link that shows one thing, and nothing else, to whoever has it; by default for 30 days.

        The thing is an answer of this client (a unit, an explanation, a painting, a collection), a job, or an address.
        """
        body = {"address": what if isinstance(what, str) else what.raw["links"]["self"]}
        body |= {} if expires_at is None else {"expires_at": expires_at.isoformat()}
        made = self._send("POST", "/v1/shares", body)
        return Share.from_json(made | {"url": self._transport.url + made["links"]["page"]})

    def shares(self) -> Iterator[Share]:
        """All links of the team, newest first."""
        return map(Share.from_json, self._transport.pages("/v1/shares"))

    def revoke_share(self, id: str | UUID) -> Share:
        """Revoke a link, for good and at once."""
        return Share.from_json(self._send("DELETE", _at("shares", id)))

    # collections

    def collections(self) -> Iterator[Collection]:
        """All collections without their units, newest first."""
        return map(Collection.from_json, self._transport.pages("/v1/collections"))

    def collection(self, id: str | UUID) -> Collection:
        """One collection with its units in their order."""
        return Collection.from_json(self._transport.get(_at("collections", id)))

    def make_collection(self, name: str, units: Sequence[Unit] = (), *, note: str = "") -> Collection:
        """Make a collection of units."""
        body = {"name": name, "note": note, "units": [_named(unit) for unit in units]}
        return Collection.from_json(self._send("POST", "/v1/collections", body))

    def append_unit(self, id: str | UUID, model: str, layer: str, unit: int, *, note: str = "") -> Collection:
        """Put a unit at the end of a collection."""
        body = {"model": model, "layer": layer, "unit": unit, "note": note}
        return Collection.from_json(self._send("POST", f"{_at('collections', id)}/units", body))

    def change_collection(
        self, seen: Collection, *, units: Sequence[Unit] | None = None, name: str | None = None, note: str | None = None
    ) -> Collection:
        """Change a collection as it was seen: its units and their order, its name, its note.

        The service refuses it where somebody else changed the collection meanwhile.
        """
        units = seen.units if units is None else units
        body: dict[str, Any] = {
            "name": seen.name if name is None else name,
            "note": seen.note if note is None else note,
        }
        body |= {"version": seen.version, "units": [_named(unit) for unit in units]}
        return Collection.from_json(self._send("PUT", _at("collections", seen.id), body))

    def delete_collection(self, id: str | UUID) -> None:
        """Delete a collection; its units stay what they are."""
        self._transport.request("DELETE", _at("collections", id), tries=1)

    # annotations

    def annotations(self, **filters: Any) -> Iterator[Annotation]:
        """What people say of units, newest first; filters are model, layer, unit, category, concept and author."""
        return map(Annotation.from_json, self._transport.pages("/v1/annotations", **filters))

    def annotation(self, id: str | UUID) -> Annotation:
        """One annotation with all that it said before."""
        return Annotation.from_json(self._transport.get(_at("annotations", id)))

    def annotate(
        self, model: str, layer: str, unit: int, note: str = "", *, concept: str | None = None, category: str = "object"
    ) -> Annotation:
        """Write a label, a note or both on a unit, beside what was measured of it."""
        path = f"/v1/models/{quote(model, safe='')}/layers/{quote(layer, safe='')}/units/{unit}/annotations"
        return Annotation.from_json(self._send("POST", path, _content(note, concept, category)))

    def revise_annotation(
        self, id: str | UUID, note: str = "", *, concept: str | None = None, category: str = "object"
    ) -> Annotation:
        """Say it otherwise; what it said before is kept."""
        return Annotation.from_json(self._send("PUT", _at("annotations", id), _content(note, concept, category)))

    def withdraw_annotation(self, id: str | UUID) -> Annotation:
        """Take an annotation back; what it said is kept."""
        return Annotation.from_json(self._send("DELETE", _at("annotations", id)))

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        # once: what was made and not heard of would be made twice
        answer: dict[str, Any] = self._transport.request(method, path, tries=1, json=body).json()
        return answer


def _at(what: str, name: str | UUID) -> str:
    return f"/v1/{what}/{quote(str(name), safe='')}"


def _named(unit: Unit) -> dict[str, Any]:
    return {"model": unit.model, "layer": unit.layer, "unit": unit.unit, "note": getattr(unit, "note", "")}


def _content(note: str, concept: str | None, category: str) -> dict[str, Any]:
    return {"note": note, "label": None if concept is None else {"category": category, "concept": concept}}
