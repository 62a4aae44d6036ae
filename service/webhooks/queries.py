"""All SQL on webhooks and their deliveries: registered, told, claimed, settled, sent again, forgotten."""

import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from service.access.tables import Team
from service.database import new_id, now
from service.errors import Conflict, NotFound
from service.pagination import Page, PageRequest, paginate
from service.webhooks.messages import trial_message
from service.webhooks.signing import make_secret
from service.webhooks.tables import Delivery, Webhook

MAX_WEBHOOKS = 20
"""Of a team: the end of each of its jobs writes as many rows."""
OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation signs beside the new one."""
LEASE = timedelta(seconds=90)
"""How long a delivery is a relay's own: longer than any attempt takes."""
MAX_TRIES = 12
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=6)
GROWTH = 3
"""Pauses of 5 s, 15 s, 45 s ... 6 h: twelve attempts end about a day after the first."""
JITTER = 0.25
DELIVERY_LIFETIME = timedelta(days=30)


class Sending(NamedTuple):
    """A relay's hold on a delivery, and what it needs to send it; `attempt` is the fencing token."""

    delivery_id: uuid.UUID
    job_id: uuid.UUID | None
    attempt: int
    url: str
    secrets: Sequence[str]
    body: str


# webhooks


def list_webhooks(session: Session, team_id: uuid.UUID, page: PageRequest) -> Page:
    """The team's webhooks, newest first."""
    return paginate(session, sa.select(Webhook).where(Webhook.team_id == team_id), [Webhook.id], page, descending=True)


def get_webhook(session: Session, team_id: uuid.UUID, webhook_id: uuid.UUID) -> Webhook:
    """The team's webhook; raise NotFound where it has none of this id."""
    webhook = session.scalar(sa.select(Webhook).where(Webhook.team_id == team_id, Webhook.id == webhook_id))
    if webhook is None:
        raise NotFound(f"there is no webhook {webhook_id} here; GET /v1/webhooks lists the team's")
    return webhook


def add_webhook(session: Session, team_id: uuid.UUID, url: str, author: str) -> Webhook:
    """Register a webhook with a fresh secret; raise Conflict where the team has as many as it may."""
    session.get_one(Team, team_id, with_for_update={"key_share": True})  # nobody else adds one meanwhile
    count = sa.select(sa.func.count()).select_from(Webhook).where(Webhook.team_id == team_id)
    if session.scalars(count).one() >= MAX_WEBHOOKS:
        raise Conflict(f"the team has {MAX_WEBHOOKS} webhooks, the most that one may have; delete one")
    webhook = Webhook(
        id=new_id(),
        team_id=team_id,
        url=url,
        active=True,
        secret=make_secret(),
        author=author,
        created_at=now(session),
    )
    session.add(webhook)
    return webhook


def rotate_secret(session: Session, webhook: Webhook) -> None:
    """Give a webhook a fresh secret; the one before signs beside it for a day."""
    webhook.previous_secret, webhook.secret = webhook.secret, make_secret()
    webhook.rotated_at = now(session)


def delete_webhook(session: Session, webhook: Webhook) -> None:
    """Remove a webhook and, as the database sees to, its deliveries."""
    session.execute(sa.delete(Webhook).where(Webhook.id == webhook.id))


# the outbox


def find_listening(session: Session, team_id: uuid.UUID) -> list[uuid.UUID]:
    """The team's active webhooks, none of which can be deleted before the transaction ends."""
    statement = sa.select(Webhook.id).where(Webhook.team_id == team_id, Webhook.active).order_by(Webhook.id)
    return list(session.scalars(statement.with_for_update(read=True, key_share=True)))


def tell(
    session: Session, webhooks: Sequence[uuid.UUID], type: str, body: str, job_id: uuid.UUID | None
) -> list[Delivery]:
    """Write a message to each webhook, which is sent once the transaction is committed, and never if it is not."""
    time = now(session)
    told = [
        Delivery(
            id=new_id(),
            webhook_id=webhook_id,
            job_id=job_id,
            type=type,
            body=body,
            state="pending",
            attempts=0,
            tries_left=MAX_TRIES,
            due_at=time,
            created_at=time,
        )
        for webhook_id in webhooks
    ]
    session.add_all(told)
    return told


def tell_test(session: Session, webhook: Webhook) -> Delivery:
    """Write a message that tells nothing but that it arrives; raise Conflict for a webhook that hears nothing."""
    if not webhook.active:
        raise Conflict("the webhook is not active, so that nothing is sent to it; activate it first")
    [delivery] = tell(session, [webhook.id], *trial_message(webhook.id, now(session)), job_id=None)
    return delivery


# deliveries


def list_deliveries(session: Session, webhook: Webhook, page: PageRequest) -> Page:
    """A webhook's deliveries, newest first, as far as they fit the page's filters."""
    statement = sa.select(Delivery).where(Delivery.webhook_id == webhook.id)
    if page.filters.get("state"):
        statement = statement.where(Delivery.state == page.filters["state"])
    return paginate(session, statement, [Delivery.id], page, descending=True)


def get_delivery(session: Session, webhook: Webhook, delivery_id: uuid.UUID) -> Delivery:
    """A webhook's delivery; raise NotFound where it has none of this id."""
    statement = sa.select(Delivery).where(Delivery.webhook_id == webhook.id, Delivery.id == delivery_id)
    if (delivery := session.scalar(statement)) is None:
        raise NotFound(f"the webhook has no delivery {delivery_id}")
    return delivery


def resend(session: Session, delivery: Delivery) -> None:
    """Send a message again, at once and with all tries anew, whatever became of it."""
    session.refresh(delivery, with_for_update=True)
    delivery.state, delivery.tries_left, delivery.due_at = "pending", MAX_TRIES, now(session)
    delivery.delivered_at = None


# what the relay does with them


def any_due(session: Session) -> bool:
    """Whether a delivery waits to be sent now."""
    return session.scalar(_due(session)) is not None


def claim(session: Session) -> Sending | None:
    """Claim the delivery that waits longest, None without any; a webhook gets one at a time, so that none holds up."""
    delivery_id = session.scalar(_due(session).with_for_update(of=Delivery, skip_locked=True))
    if delivery_id is None:
        return None
    delivery = session.get_one(Delivery, delivery_id)
    webhook = session.get_one(Webhook, delivery.webhook_id)
    delivery.attempts, delivery.lease_until = delivery.attempts + 1, now(session) + LEASE
    secrets = _valid_secrets(session, webhook)
    return Sending(delivery.id, delivery.job_id, delivery.attempts, webhook.url, secrets, delivery.body)


def _due(session: Session) -> sa.Select[uuid.UUID]:
    time = now(session)
    busy = sa.select(Delivery.webhook_id).where(Delivery.state == "pending", Delivery.lease_until > time)
    return (
        sa.select(Delivery.id)
        .join(Webhook, Webhook.id == Delivery.webhook_id)
        .where(Delivery.state == "pending", Delivery.due_at <= time, Webhook.active, Webhook.id.not_in(busy))
        # of the row itself, too: PostgreSQL looks at it anew once it has the lock, and at the others as they were
        .where(sa.or_(Delivery.lease_until.is_(None), Delivery.lease_until <= time))
        .order_by(Delivery.due_at, Delivery.id)
        .limit(1)
    )


def _valid_secrets(session: Session, webhook: Webhook) -> list[str]:
    if webhook.previous_secret is None or webhook.rotated_at is None or webhook.rotated_at <= now(session) - OVERLAP:
        return [webhook.secret]
    return [webhook.secret, webhook.previous_secret]


def settle(session: Session, sending: Sending, status: int | None, answer: str) -> str | None:
    """Note how an attempt was answered and return the delivery's state; None where another relay has it by now."""
    statement = sa.select(Delivery).where(Delivery.id == sending.delivery_id, Delivery.state == "pending")
    delivery = session.scalar(statement.with_for_update())
    if delivery is None or delivery.attempts != sending.attempt:
        return None
    delivery.last_status, delivery.last_answer, delivery.lease_until = status, answer, None
    if status is not None and 200 <= status < 300:
        delivery.state, delivery.delivered_at = "delivered", now(session)
    else:
        _put_off(session, delivery)
    return delivery.state


def _put_off(session: Session, delivery: Delivery) -> None:
    delivery.tries_left -= 1
    if delivery.tries_left:
        delivery.due_at = now(session) + pause(MAX_TRIES - delivery.tries_left)
    else:
        delivery.state = "dead"


def pause(tries: int) -> timedelta:
    """How long to wait after so many attempts in vain, give or take a quarter, so that not all come at once."""
    seconds: float = min(FIRST_PAUSE.total_seconds() * GROWTH ** (tries - 1), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)


def forget_old(session: Session) -> None:
    """Forget deliveries, and dead letters, that are a month old."""
    over = (Delivery.state != "pending", Delivery.created_at < now(session) - DELIVERY_LIFETIME)
    session.execute(sa.delete(Delivery).where(*over))
