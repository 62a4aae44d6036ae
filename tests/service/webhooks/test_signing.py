"""Signatures, held against the package of those who wrote the standard."""

import base64
import time

import pytest
import standardwebhooks

from service.webhooks.signing import headers_of, make_secret, sign

BODY = '{"type":"job.succeeded","data":{"name":"æ—木"}}'


def test_a_secret_is_32_bytes_behind_a_prefix() -> None:
    secrets = {make_secret() for _ in range(10)}
    assert len(secrets) == 10
    for secret in secrets:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_the_example_of_the_standard() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", '{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_receivers_accept_what_is_signed_and_nothing_else() -> None:
    secret = make_secret()
    headers = dict(headers_of([secret], "m", int(time.time()), BODY))
    receiver = standardwebhooks.Webhook(secret)
    assert receiver.verify(BODY, headers)["data"]["name"] == "æ—木"
    for wrong in ({"webhook-id": "n"}, {"webhook-timestamp": str(int(time.time()) + 1)}):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            receiver.verify(BODY, headers | wrong)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        receiver.verify(BODY + " ", headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(make_secret()).verify(BODY, headers)


def test_each_of_two_secrets_signs() -> None:
    old, new = make_secret(), make_secret()
    headers = dict(headers_of([new, old], "m", int(time.time()), BODY))
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(BODY, headers)
