"""What Prometheus reads: requests of these processes, and all else as the database has it at that moment."""

import os
import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from service.context import services
from service.database import reading
from service.health import queries
from service.health.queries import DELIVERED, LEASE_EXPIRIES, REFUSED

SHARED_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
"""Names where several processes that answer on one port count together; see deploy/gunicorn.conf.py."""


class DatabaseCollector(Collector):
    """Figures made anew for each scrape, of the services of the request that asks."""

    def collect(self) -> Iterator[Metric]:
        """Yield what the database says."""
        with reading(services().sessions) as session:
            yield from _jobs(session)
            yield from _workers(session)
            yield from _webhooks(session)


def _jobs(session: Session) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("unitatlas_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    for row in queries.count_jobs(session):
        jobs.add_metric([row.kind, row.state], row.count)
    yield jobs
    age = queries.oldest_queued_seconds(session)
    yield GaugeMetricFamily("unitatlas_oldest_queued_seconds", "Wait of the oldest queued job.", value=age)
    lost = queries.read_tallies(session)[LEASE_EXPIRIES]
    yield CounterMetricFamily("unitatlas_lease_expiries", "Shards taken from a worker whose lease ran out.", value=lost)


def _workers(session: Session) -> Iterator[Metric]:
    shards = CounterMetricFamily("unitatlas_shards", "Shards done since the worker began.", labels=["worker", "kind"])
    used = GaugeMetricFamily("unitatlas_gpu_memory_used_bytes", "Memory of a worker's GPU in use.", labels=["worker"])
    total = GaugeMetricFamily("unitatlas_gpu_memory_total_bytes", "Memory of a worker's GPU.", labels=["worker"])
    workers = queries.present_workers(session)
    for worker in workers:
        for kind, count in worker.shards.items():
            shards.add_metric([worker.name, kind], count)
        if worker.gpu_used_bytes is not None and worker.gpu_total_bytes is not None:
            used.add_metric([worker.name], worker.gpu_used_bytes)
            total.add_metric([worker.name], worker.gpu_total_bytes)
    yield GaugeMetricFamily("unitatlas_workers", "Workers seen lately.", value=len(workers))
    yield from (shards, used, total)


def _webhooks(session: Session) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "unitatlas_webhook_deliveries",
        "Deliveries of the last month by state; `dead` are dead letters.",
        labels=["state"],
    )
    for state, count in queries.count_deliveries(session).items():
        states.add_metric([state], count)
    attempts = CounterMetricFamily("unitatlas_webhook_attempts", "Attempts to deliver by outcome.", labels=["outcome"])
    tallies = queries.read_tallies(session)
    attempts.add_metric(["delivered"], tallies[DELIVERED])
    attempts.add_metric(["refused"], tallies[REFUSED])
    yield from (states, attempts)


def init_app(app: Flask) -> None:
    """Measure every request of the app."""
    registry = CollectorRegistry(auto_describe=False)
    shared = SHARED_DIRECTORY in os.environ
    latency = Histogram(
        "unitatlas_request_seconds",
        "Time to the head of the reply.",
        ["method", "endpoint", "status"],
        registry=None if shared else registry,
    )
    if shared:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(DatabaseCollector())
    app.extensions["unitatlas-metrics"] = registry

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def stop_clock(reply: Response) -> Response:
        labels = request.method, request.endpoint or "none", str(reply.status_code)
        latency.labels(*labels).observe(time.perf_counter() - g.started)
        return reply
