"""The broker's configuration and its hints, on every transport."""

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from service.broker import MAX_HINTS, RUN_SHARD, count_hints, make_celery, publish, tidy
from service.settings import Settings


def ids(count: int) -> list[uuid.UUID]:
    return [uuid.uuid4() for _ in range(count)]


@pytest.fixture(params=["filesystem", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = "" if request.param == "filesystem" else request.getfixturevalue("redis_broker")
    return Settings(data_dir=tmp_path / "data", broker_url=url)


def test_a_hint_names_the_task_and_the_shard(settings: Settings) -> None:
    celery, shard_ids = make_celery(settings), ids(2)
    publish(celery, shard_ids)
    assert count_hints(celery) == 2
    with celery.connection_for_read() as connection:
        queue = celery.amqp.queues["shards"].bind(connection.default_channel)
        messages = [queue.get(no_ack=True) for _ in shard_ids]
    assert {message.headers["task"] for message in messages} == {RUN_SHARD}
    assert {message.payload[0][0] for message in messages} == {str(shard_id) for shard_id in shard_ids}
    assert {message.content_type for message in messages} == {"application/json"}


def test_hints_are_heard_by_another_process_with_the_same_settings(settings: Settings) -> None:
    publish(make_celery(settings), ids(3))
    assert count_hints(make_celery(settings)) == 3


def test_no_more_hints_than_workers_could_heed(settings: Settings) -> None:
    celery = make_celery(settings)
    publish(celery, ids(MAX_HINTS + 10))
    assert count_hints(celery) == MAX_HINTS


def test_a_queue_that_nobody_used_is_empty(settings: Settings) -> None:
    assert count_hints(make_celery(settings)) == 0


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://127.0.0.1:1//", "nonsense://somewhere"])
def test_a_broken_broker_fails_no_request(tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture) -> None:
    celery = make_celery(Settings(data_dir=tmp_path, broker_url=url))
    publish(celery, ids(2))
    assert "the relay will publish" in caplog.text
    with pytest.raises(Exception):  # noqa: B017 (each transport has errors of its own)
        count_hints(celery)


def test_lost_folders_fail_no_request_and_come_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data_dir=tmp_path)
    celery = make_celery(settings)
    (tmp_path / "broker").rename(tmp_path / "gone")
    publish(celery, ids(1))
    assert "the relay will publish" in caplog.text
    tidy(settings)
    publish(celery, ids(1))
    assert count_hints(celery) == 1


def test_tidying_removes_old_leftovers_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    celery = make_celery(settings)
    publish(celery, ids(1))
    taken, messages = tmp_path / "broker/processed", tmp_path / "broker/messages"
    for path in (taken / "old", taken / "new", messages / "1.lost-worker.pidbox.msg", messages / "2.worker.pidbox.msg"):
        path.write_text("{}")
    hint = next(messages.glob("*.shards.msg"))
    for path in (taken / "old", messages / "1.lost-worker.pidbox.msg", hint):
        os.utime(path, (time.time() - 3600,) * 2)
    tidy(settings)
    assert [path.name for path in taken.iterdir()] == ["new"]
    assert {path.name for path in messages.iterdir()} == {hint.name, "2.worker.pidbox.msg"}
    tidy(replace(settings, broker_url="redis://127.0.0.1:1/0"))


def test_the_settings_that_the_guarantees_rest_on(tmp_path: Path) -> None:
    conf = make_celery(Settings(data_dir=tmp_path, broker_url="redis://127.0.0.1:1/0")).conf
    assert conf.task_acks_late and not conf.task_reject_on_worker_lost and conf.worker_prefetch_multiplier == 1
    assert conf.worker_pool_start_method == "spawn" and conf.result_backend is None
    assert conf.accept_content == ["json"] and conf.task_serializer == "json"
    assert conf.broker_transport_options["visibility_timeout"] == 3600
    assert not make_celery(Settings(data_dir=tmp_path, broker_url="amqp://127.0.0.1:1//")).conf.task_acks_late


def test_messages_are_read_whole_while_others_are_written(tmp_path: Path) -> None:
    celery, shard_ids = make_celery(Settings(data_dir=tmp_path)), ids(10 * MAX_HINTS)
    heard: list[str] = []
    with ThreadPoolExecutor() as pool, celery.connection_for_read() as connection:
        queue = celery.amqp.queues["shards"].bind(connection.default_channel)
        queue.declare()
        writing = [pool.submit(publish, celery, shard_ids[i::10]) for i in range(10)]
        while len(heard) < len(shard_ids):
            message = queue.get(no_ack=True)
            heard += [message.payload[0][0]] if message else []
            assert message or not all(written.done() for written in writing) or count_hints(celery), "one was lost"
    assert sorted(heard) == sorted(map(str, shard_ids))
