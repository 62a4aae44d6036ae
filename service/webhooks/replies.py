"""Webhooks and their deliveries as the wire has them."""

import json
from typing import Any

from service.webhooks.tables import Delivery, Webhook

_WEBHOOK = ("id", "url", "active", "author", "created_at", "rotated_at")
_DELIVERY = ("id", "type", "state", "attempts", "last_status", "last_answer", "created_at", "delivered_at")


def describe_webhook(webhook: Webhook) -> dict[str, Any]:
    """A webhook without its secret, for `WebhookSchema`."""
    self = f"/v1/webhooks/{webhook.id}"
    links = {"self": self, **{name: f"{self}/{name}" for name in ("deliveries", "test", "rotate")}}
    return {**{name: getattr(webhook, name) for name in _WEBHOOK}, "links": links}


def describe_secret(webhook: Webhook) -> dict[str, Any]:
    """A webhook with its secret, for `MadeWebhookSchema`."""
    return describe_webhook(webhook) | {"secret": webhook.secret}


def describe_delivery(delivery: Delivery) -> dict[str, Any]:
    """A delivery without what it says, for `DeliverySchema`."""
    self = f"/v1/webhooks/{delivery.webhook_id}/deliveries/{delivery.id}"
    return {
        **{name: getattr(delivery, name) for name in _DELIVERY},
        "job": delivery.job_id,
        "due_at": delivery.due_at if delivery.state == "pending" else None,
        "links": {"self": self, "resend": f"{self}/resend"},
    }


def describe_message(delivery: Delivery) -> dict[str, Any]:
    """A delivery with what it says, for `DeliveryDetailSchema`."""
    return describe_delivery(delivery) | {"message": json.loads(delivery.body)}
