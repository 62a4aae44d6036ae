"""`unitatlas webhooks`."""

from collections.abc import Sequence
from itertools import islice
from uuid import UUID

import click

from unitatlas.client import Client
from unitatlas.commands.options import as_json, limited
from unitatlas.output import print_one, print_rows, show_json
from unitatlas.webhooks import Delivery, Webhook

WEBHOOK_COLUMNS = ["id", "address", "active", "by", "since"]
SECRET_COLUMNS = ["id", "address", "secret"]
DELIVERY_COLUMNS = ["id", "type", "job", "state", "attempts", "last status", "last answer"]
STATES = ["pending", "delivered", "dead"]
LONGEST_ANSWER = 60

webhook_id = click.argument("id", type=click.UUID)


def webhook_row(webhook: Webhook) -> Sequence[object]:
    """A webhook as a row of a table."""
    return webhook.id, webhook.url, webhook.active, webhook.author, webhook.created_at


def secret_row(webhook: Webhook) -> Sequence[object]:
    """A webhook with its secret as a row of a table."""
    return webhook.id, webhook.url, webhook.secret


def delivery_row(delivery: Delivery) -> Sequence[object]:
    """A delivery as a row of a table."""
    answer = delivery.last_answer and " ".join(delivery.last_answer.split())[:LONGEST_ANSWER]
    return (delivery.id, delivery.type, delivery.job, delivery.state, delivery.attempts, delivery.last_status, answer)


@click.group()
def webhooks() -> None:
    """Addresses that hear of jobs as they end."""


@webhooks.command("list")
@limited
@as_json
@click.pass_obj
def list_webhooks(client: Client, limit: int, as_json: bool) -> None:
    """List the webhooks, newest first."""
    print_rows([*islice(client.webhooks.list(), limit)], WEBHOOK_COLUMNS, as_json, webhook_row)


@webhooks.command("add")
@click.argument("url")
@as_json
@click.pass_obj
def add_webhook(client: Client, url: str, as_json: bool) -> None:
    """Register a webhook and print its secret; it is shown this once."""
    print_one(client.webhooks.add(url), SECRET_COLUMNS, as_json, secret_row)


@webhooks.command("change")
@webhook_id
@click.option("--url", help="Where it leads from now on.")
@click.option("--active/--inactive", default=None, help="Whether it hears anything.")
@as_json
@click.pass_obj
def change_webhook(client: Client, id: UUID, url: str | None, active: bool | None, as_json: bool) -> None:
    """Change where a webhook leads, or whether it hears anything."""
    changed = client.webhooks.change(client.webhooks.get(id), url=url, active=active)
    print_one(changed, WEBHOOK_COLUMNS, as_json, webhook_row)


@webhooks.command("remove")
@webhook_id
@click.pass_obj
def remove_webhook(client: Client, id: UUID) -> None:
    """Delete a webhook with its deliveries."""
    client.webhooks.delete(id)


@webhooks.command("rotate")
@webhook_id
@as_json
@click.pass_obj
def rotate_secret(client: Client, id: UUID, as_json: bool) -> None:
    """Give a webhook a new secret and print it, this once; for a day the one before signs beside it."""
    print_one(client.webhooks.rotate(id), SECRET_COLUMNS, as_json, secret_row)


@webhooks.command("test")
@webhook_id
@as_json
@click.pass_obj
def send_test(client: Client, id: UUID, as_json: bool) -> None:
    """Send a webhook a message that tells nothing but that it arrives."""
    print_one(client.webhooks.test(id), DELIVERY_COLUMNS, as_json, delivery_row)


@webhooks.command("deliveries")
@webhook_id
@click.option("--state", type=click.Choice(STATES), help="Those in this state alone.")
@limited
@as_json
@click.pass_obj
def list_deliveries(client: Client, id: UUID, state: str | None, limit: int, as_json: bool) -> None:
    """List what a webhook was told, newest first."""
    found = [*islice(client.webhooks.deliveries(id, state=state), limit)]
    print_rows(found, DELIVERY_COLUMNS, as_json, delivery_row)


@webhooks.command("show")
@webhook_id
@click.argument("delivery", type=click.UUID)
@click.pass_obj
def show_delivery(client: Client, id: UUID, delivery: UUID) -> None:
    """Print a delivery with what it says, as JSON."""
    show_json(client.webhooks.delivery(id, delivery).raw)


@webhooks.command("resend")
@webhook_id
@click.argument("delivery", type=click.UUID)
@as_json
@click.pass_obj
def resend(client: Client, id: UUID, delivery: UUID, as_json: bool) -> None:
    """Send a message again, whatever became of it."""
    print_one(client.webhooks.resend(id, delivery), DELIVERY_COLUMNS, as_json, delivery_row)
