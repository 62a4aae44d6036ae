"""Addresses that hear of the team's jobs as they end."""

from typing import Any
from uuid import UUID

from flask import Response

from service.api import Blueprint
from service.context import caller, db, services, team_id
from service.pagination import Page, PageRequest
from service.webhooks import queries
from service.webhooks.addresses import check_url
from service.webhooks.replies import describe_delivery, describe_message, describe_secret, describe_webhook
from service.webhooks.schemas import (
    ChangedWebhookSchema,
    DeliveriesQuerySchema,
    DeliveryDetailSchema,
    DeliverySchema,
    MadeWebhookSchema,
    NewWebhookSchema,
    WebhookSchema,
)
from service.webhooks.tables import Webhook

blueprint = Blueprint("webhooks", "Addresses that hear of jobs as they end, by signed messages.")


def _get(webhook_id: UUID) -> Webhook:
    return queries.get_webhook(db(), team_id(), webhook_id)


@blueprint.get("/webhooks")
@blueprint.requires("admin")
@blueprint.paginated(WebhookSchema)
def list_all(page: PageRequest) -> Page:
    """List the team's webhooks, newest first, without their secrets."""
    found = queries.list_webhooks(db(), team_id(), page)
    return Page([describe_webhook(webhook) for webhook in found.data], found.next_cursor)


@blueprint.post("/webhooks")
@blueprint.requires("admin")
@blueprint.arguments(NewWebhookSchema)
@blueprint.response(201, MadeWebhookSchema)
def register(body: dict[str, Any]) -> Any:
    """Register a webhook; its secret is shown this once."""
    url = check_url(body["url"], services().settings)
    made = queries.add_webhook(db(), team_id(), url, caller().name)
    return describe_secret(made), 201, {"Location": f"/v1/webhooks/{made.id}"}


@blueprint.get("/webhooks/<uuid:webhook_id>")
@blueprint.requires("admin")
@blueprint.response(200, WebhookSchema)
def get_one(webhook_id: UUID) -> dict[str, Any]:
    """Retrieve a webhook, without its secret."""
    return describe_webhook(_get(webhook_id))


@blueprint.put("/webhooks/<uuid:webhook_id>")
@blueprint.requires("admin")
@blueprint.arguments(ChangedWebhookSchema)
@blueprint.response(200, WebhookSchema)
def change(body: dict[str, Any], webhook_id: UUID) -> dict[str, Any]:
    """Change where a webhook leads, or whether it hears anything."""
    webhook = _get(webhook_id)
    webhook.url, webhook.active = check_url(body["url"], services().settings), body["active"]
    return describe_webhook(webhook)


@blueprint.delete("/webhooks/<uuid:webhook_id>")
@blueprint.requires("admin")
@blueprint.response(204)
def delete(webhook_id: UUID) -> Response:
    """Delete a webhook with its deliveries."""
    queries.delete_webhook(db(), _get(webhook_id))
    return Response(status=204)


@blueprint.post("/webhooks/<uuid:webhook_id>/rotate")
@blueprint.requires("admin")
@blueprint.response(200, MadeWebhookSchema)
def rotate(webhook_id: UUID) -> dict[str, Any]:
    """Give a webhook a new secret, shown this once; for a day the one before signs beside it."""
    webhook = _get(webhook_id)
    queries.rotate_secret(db(), webhook)
    return describe_secret(webhook)


@blueprint.post("/webhooks/<uuid:webhook_id>/test")
@blueprint.requires("admin")
@blueprint.response(202, DeliverySchema)
def send_test(webhook_id: UUID) -> Any:
    """Send a webhook a message that tells nothing but that it arrives."""
    described = describe_delivery(queries.tell_test(db(), _get(webhook_id)))
    return described, 202, {"Location": described["links"]["self"]}


@blueprint.get("/webhooks/<uuid:webhook_id>/deliveries")
@blueprint.requires("admin")
@blueprint.paginated(DeliverySchema, DeliveriesQuerySchema)
def list_deliveries(page: PageRequest, webhook_id: UUID) -> Page:
    """List a webhook's deliveries, newest first; with `state=dead` those that failed for good."""
    found = queries.list_deliveries(db(), _get(webhook_id), page)
    return Page([describe_delivery(delivery) for delivery in found.data], found.next_cursor)


@blueprint.get("/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>")
@blueprint.requires("admin")
@blueprint.response(200, DeliveryDetailSchema)
def get_delivery(webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """Retrieve a delivery with what it says."""
    return describe_message(queries.get_delivery(db(), _get(webhook_id), delivery_id))


@blueprint.post("/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/resend")
@blueprint.requires("admin")
@blueprint.response(202, DeliverySchema)
def resend(webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """Send a message again, whatever became of it, under the same `webhook-id`."""
    delivery = queries.get_delivery(db(), _get(webhook_id), delivery_id)
    queries.resend(db(), delivery)
    return describe_delivery(delivery)
