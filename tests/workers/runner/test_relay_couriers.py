"""What webhooks are told arrives: once where all goes well, again where it did not, and never out of nothing."""

import json
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
import standardwebhooks

from service.database import Sessions, now
from service.health.queries import DELIVERED, REFUSED, read_tallies
from service.jobs import queries as jobs
from service.jobs.tables import Job
from service.settings import Settings
from service.webhooks import queries
from service.webhooks.signing import make_secret
from service.webhooks.tables import Delivery, Webhook
from tests.service.webhooks.receiver import Receiver, receiving
from tests.workers.runner.conftest import Queue, team_of
from tests.workers.runner.test_executing import run_all
from workers.runner.executing import Process
from workers.runner.relay_couriers import Courier


@pytest.fixture
def courier(settings: Settings, sessions: Sessions) -> Courier:
    return Courier(replace(settings, webhook_http=True, webhook_networks="127.0.0.0/8"), sessions)


def hook(sessions: Sessions, url: str) -> Webhook:
    team_id = team_of(sessions)
    with sessions.begin() as session:
        return queries.add_webhook(session, team_id, url, "ana")


def send_test(sessions: Sessions, webhook: Webhook) -> UUID:
    with sessions.begin() as session:
        return queries.tell_test(session, session.get_one(Webhook, webhook.id)).id


def delivery_of(sessions: Sessions, delivery_id: UUID) -> Delivery:
    with sessions() as session:
        return session.get_one(Delivery, delivery_id)


def set_all(sessions: Sessions, **values: Any) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(Delivery).values(**values))


def make_due(sessions: Sessions) -> None:
    with sessions.begin() as session:
        session.execute(sa.update(Delivery).values(due_at=now(session)))


def deliver_all(courier: Courier) -> int:
    count = 0
    while courier.deliver_next():
        count += 1
    return count


def test_a_job_s_end_arrives_signed(courier: Courier, sessions: Sessions, queue: Queue, process: Process) -> None:
    with receiving(200) as receiver:
        webhook, job_id = hook(sessions, receiver.url), queue()
        assert not courier.deliver_next()
        run_all(process)
        assert deliver_all(courier) == 1
    [message] = receiver.messages
    heard = standardwebhooks.Webhook(webhook.secret).verify(message.body, message.headers)
    assert (heard["type"], heard["data"]["id"], heard["data"]["kind"]) == ("job.succeeded", str(job_id), "squares")
    delivery = delivery_of(sessions, UUID(message.headers["webhook-id"]))
    assert (delivery.state, delivery.attempts, delivery.last_status, delivery.last_answer) == (
        *("delivered", 1, 200, "thanks"),
    )
    assert delivery.delivered_at is not None


def test_a_secret_before_is_still_known_to_who_holds_it(courier: Courier, sessions: Sessions) -> None:
    with receiving(200) as receiver:
        webhook = hook(sessions, receiver.url)
        with sessions.begin() as session:
            queries.rotate_secret(session, session.get_one(Webhook, webhook.id))
        send_test(sessions, webhook)
        deliver_all(courier)
    [message] = receiver.messages
    assert standardwebhooks.Webhook(webhook.secret).verify(message.body, message.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(make_secret()).verify(message.body, message.headers)


def test_what_was_refused_is_tried_again_later_and_later(courier: Courier, sessions: Sessions) -> None:
    with receiving(500, 302, 200) as receiver:
        delivery_id = send_test(sessions, hook(sessions, receiver.url))
        for attempt in (1, 2):
            assert deliver_all(courier) == 1, "not again before it is due"
            with sessions() as session:
                delivery, time = session.get_one(Delivery, delivery_id), now(session)
            assert (delivery.state, delivery.attempts) == ("pending", attempt)
            shortest = 5 * 3 ** (attempt - 1) * 0.75
            assert timedelta(seconds=shortest - 5) < delivery.due_at - time < timedelta(seconds=shortest / 0.75 * 1.25)
            make_due(sessions)
        assert deliver_all(courier) == 1
    assert delivery_of(sessions, delivery_id).state == "delivered"
    with sessions() as session:
        assert (read_tallies(session)[DELIVERED], read_tallies(session)[REFUSED]) == (1, 2)
    assert len({message.headers["webhook-id"] for message in receiver.messages}) == 1
    assert len({message.body for message in receiver.messages}) == 1


def test_pauses_grow_to_six_hours_and_differ() -> None:
    middle = [sum((queries.pause(tries) for _ in range(400)), timedelta()) / 400 for tries in range(1, 12)]
    planned = [5, 15, 45, 135, 405, 1215, 3645, 10935, 21600, 21600, 21600]
    for found, wanted in zip(middle, planned, strict=True):
        assert abs(found.total_seconds() / wanted - 1) < 0.05
    drawn = [queries.pause(3).total_seconds() for _ in range(100)]
    assert len(set(drawn)) == 100
    assert all(45 * 0.75 <= seconds <= 45 * 1.25 for seconds in drawn)
    assert 20 * 3600 < sum(planned) < 28 * 3600


def test_a_dead_letter_is_kept_and_can_be_sent_again(courier: Courier, sessions: Sessions) -> None:
    with receiving(*[503] * queries.MAX_TRIES, 200) as receiver:
        delivery_id = send_test(sessions, hook(sessions, receiver.url))
        for _ in range(queries.MAX_TRIES):
            assert delivery_of(sessions, delivery_id).state == "pending"
            assert deliver_all(courier) == 1
            make_due(sessions)
        assert delivery_of(sessions, delivery_id).state == "dead"
        assert deliver_all(courier) == 0
        with sessions.begin() as session:
            queries.resend(session, session.get_one(Delivery, delivery_id))
        assert deliver_all(courier) == 1
    delivery = delivery_of(sessions, delivery_id)
    assert (delivery.state, delivery.attempts) == ("delivered", queries.MAX_TRIES + 1)


def test_an_internal_address_is_never_called(settings: Settings, sessions: Sessions) -> None:
    with receiving(200) as receiver:
        delivery_id = send_test(sessions, hook(sessions, receiver.url))
        assert deliver_all(Courier(replace(settings, webhook_http=True), sessions)) == 1
    assert receiver.messages == []
    delivery = delivery_of(sessions, delivery_id)
    assert (delivery.state, delivery.last_status) == ("pending", None)
    assert "internal" in str(delivery.last_answer)


def test_what_a_killed_courier_had_in_hand_another_sends(courier: Courier, sessions: Sessions) -> None:
    with receiving(200) as receiver:
        delivery_id = send_test(sessions, hook(sessions, receiver.url))
        with sessions.begin() as session:
            lost = queries.claim(session)
        assert deliver_all(courier) == 0, "it is another's as long as the lease lasts"
        with sessions() as session:
            before = now(session) - timedelta(seconds=1)
        set_all(sessions, lease_until=before)
        assert deliver_all(courier) == 1
        assert delivery_of(sessions, delivery_id).state == "delivered"
        with sessions.begin() as session:
            assert queries.settle(session, lost, None, "too late") is None
    assert delivery_of(sessions, delivery_id).last_status == 200


def test_a_late_answer_changes_nothing_that_another_has_begun(sessions: Sessions) -> None:
    delivery_id = send_test(sessions, hook(sessions, "https://hooks.example/"))
    with sessions.begin() as session:
        first = queries.claim(session)
    set_all(sessions, lease_until=None)
    with sessions.begin() as session:
        second = queries.claim(session)
    with sessions.begin() as session:
        assert queries.settle(session, first, 200, "") is None
        assert queries.settle(session, second, 500, "") == "pending"
    assert delivery_of(sessions, delivery_id).tries_left == queries.MAX_TRIES - 1


def test_an_inactive_webhook_s_messages_wait(courier: Courier, sessions: Sessions) -> None:
    with receiving(200) as receiver:
        webhook = hook(sessions, receiver.url)
        send_test(sessions, webhook)
        for active, sent in [(False, 0), (True, 1)]:
            with sessions.begin() as session:
                session.execute(sa.update(Webhook).values(active=active))
            assert deliver_all(courier) == sent


def test_one_that_answers_slowly_keeps_no_other_waiting(courier: Courier, sessions: Sessions) -> None:
    release = threading.Event()
    with receiving(200) as slow, receiving(200) as quick:
        slow.before = lambda: release.wait(10)
        for receiver in (slow, quick):
            webhook = hook(sessions, receiver.url)
            for _ in range(3):
                send_test(sessions, webhook)
        stuck = threading.Thread(target=courier.deliver_next)
        stuck.start()
        while not slow.messages:
            release.wait(0.01)
        assert deliver_all(courier) == 3
        assert (len(slow.messages), len(quick.messages)) == (1, 3)
        release.set()
        stuck.join()
        assert deliver_all(courier) == 2


def test_couriers_side_by_side_send_each_message_once(courier: Courier, sessions: Sessions, settings: Settings) -> None:
    with receiving(200) as one, receiving(200) as two:
        hooks = [hook(sessions, receiver.url) for receiver in (one, two)]
        told = [str(send_test(sessions, webhook)) for webhook in hooks for _ in range(8)]
        idle = threading.Event()

        def work() -> None:
            other = Courier(replace(settings, webhook_http=True, webhook_networks="127.0.0.0/8"), sessions)
            while sum(len(receiver.messages) for receiver in (one, two)) < len(told):
                if not other.deliver_next():
                    idle.wait(0.01)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        heard = Counter(message.headers["webhook-id"] for r in (one, two) for message in r.messages)
    assert heard == Counter(told)


def test_a_relay_forgets_old_deliveries_but_none_that_wait(sessions: Sessions) -> None:
    webhook = hook(sessions, "https://hooks.example/")
    kept, ended, dead, young = (send_test(sessions, webhook) for _ in range(4))
    with sessions.begin() as session:
        old = now(session) - timedelta(days=31)
        for delivery_id, state, created in [(kept, "pending", old), (ended, "delivered", old), (dead, "dead", old)]:
            statement = sa.update(Delivery).where(Delivery.id == delivery_id)
            session.execute(statement.values(state=state, created_at=created))
        session.execute(sa.update(Delivery).where(Delivery.id == young).values(state="dead"))
    with sessions.begin() as session:
        queries.forget_old(session)
    with sessions() as session:
        assert set(session.scalars(sa.select(Delivery.id))) == {kept, young}


def test_a_courier_outlives_a_database_that_is_away(
    courier: Courier, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Over(BaseException):
        pass

    faults = iter([sa.exc.OperationalError("", {}, Exception("away")), Over()])

    def fail(_session: object) -> bool:
        raise next(faults)

    monkeypatch.setattr(queries, "any_due", fail)
    courier.pause = 0.0
    with pytest.raises(Over):
        courier.run()
    assert next(faults, None) is None


def test_every_end_is_told_whichever_way_a_job_ends(courier: Courier, sessions: Sessions, queue: Queue) -> None:
    with receiving(200) as receiver:
        hook(sessions, receiver.url)
        ids = [queue() for _ in range(3)]
        for job_id, state in zip(ids, ("succeeded", "failed", "expired"), strict=True):
            with sessions.begin() as session:
                jobs.finish_job(session, session.get_one(Job, job_id), state)
        assert deliver_all(courier) == 3
    assert told(receiver) == {
        str(job_id): state for job_id, state in zip(ids, ("succeeded", "failed", "expired"), strict=True)
    }


def told(receiver: Receiver) -> dict[str, str]:
    data = [json.loads(message.body)["data"] for message in receiver.messages]
    return {job["id"]: job["state"] for job in data}
