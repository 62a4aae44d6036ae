"""Webhooks from Python: addresses that hear of the team's jobs as they end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from unitatlas.answers import Answer
from unitatlas.transport import Transport


@dataclass(frozen=True)
class Webhook(Answer):
    """An address that hears of jobs; `secret` is there where it is new alone."""

    id: str
    url: str
    active: bool
    author: str
    created_at: str
    rotated_at: str | None
    secret: str | None = None


@dataclass(frozen=True)
class Delivery(Answer):
    """A message on its way to a webhook; `message`, what it says, is there of one that was asked for by its id."""

    id: str
    type: str
    job: str | None
    state: str
    attempts: int
    due_at: str | None
    last_status: int | None
    last_answer: str | None
    created_at: str
    delivered_at: str | None
    message: dict[str, Any] | None = None


class Webhooks:
    """What admins do with webhooks: `client.webhooks`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> Iterator[Webhook]:
        """All webhooks of the team, newest first."""
        return map(Webhook.from_json, self._transport.pages("/v1/webhooks"))

    def add(self, url: str) -> Webhook:
        """Register a webhook; its secret is in the answer and nowhere else."""
        return Webhook.from_json(self._send("POST", "/v1/webhooks", {"url": url}))

    def get(self, id: str | UUID) -> Webhook:
        """One webhook."""
        return Webhook.from_json(self._transport.get(f"/v1/webhooks/{id}"))

    def change(self, seen: Webhook, *, url: str | None = None, active: bool | None = None) -> Webhook:
        """Change where a webhook leads, or whether it hears anything."""
        body = {"url": url or seen.url, "active": seen.active if active is None else active}
        return Webhook.from_json(self._send("PUT", f"/v1/webhooks/{seen.id}", body))

    def delete(self, id: str | UUID) -> None:
        """Delete a webhook with its deliveries."""
        self._transport.request("DELETE", f"/v1/webhooks/{id}", tries=1)

    def rotate(self, id: str | UUID) -> Webhook:
        """Give a webhook a new secret, which is in the answer; for a day the one before signs beside it."""
        return Webhook.from_json(self._send("POST", f"/v1/webhooks/{id}/rotate"))

    def test(self, id: str | UUID) -> Delivery:
        """Send a webhook a message that tells nothing but that it arrives."""
        return Delivery.from_json(self._send("POST", f"/v1/webhooks/{id}/test"))

    def deliveries(self, id: str | UUID, *, state: str | None = None) -> Iterator[Delivery]:
        """A webhook's deliveries, newest first, with `state="dead"` those that failed for good."""
        return map(Delivery.from_json, self._transport.pages(f"/v1/webhooks/{id}/deliveries", state=state))

    def delivery(self, id: str | UUID, delivery: str | UUID) -> Delivery:
        """One delivery, with what it says."""
        return Delivery.from_json(self._transport.get(f"/v1/webhooks/{id}/deliveries/{delivery}"))

    def resend(self, id: str | UUID, delivery: str | UUID) -> Delivery:
        """Send a message again, whatever became of it."""
        return Delivery.from_json(self._send("POST", f"/v1/webhooks/{id}/deliveries/{delivery}/resend"))

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        # once: what was made and not heard of would be made twice
        answer: dict[str, Any] = self._transport.request(method, path, tries=1, json=body).json()
        return answer
