"""What Prometheus reads: requests of this process, and jobs as the database has them at that moment."""

import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.context import Services
from service.database import reading
from service.health.queries import count_jobs, oldest_queued_seconds
from service.jobs.queries import count_workers


class JobCollector(Collector):
    """Counts made anew for each scrape."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def collect(self) -> Iterator[Metric]:
        """Yield what the database says."""
        jobs = GaugeMetricFamily("unitatlas_jobs", "Jobs by kind and state.", labels=["kind", "state"])
        with reading(self.services.sessions) as session:
            for row in count_jobs(session):
                jobs.add_metric([row.kind, row.state], row.count)
            age, workers = oldest_queued_seconds(session), count_workers(session)
        yield jobs
        yield GaugeMetricFamily("unitatlas_oldest_queued_seconds", "Wait of the oldest queued job.", value=age)
        yield GaugeMetricFamily("unitatlas_workers", "Workers seen lately.", value=workers)


def init_app(app: Flask, services: Services) -> None:
    """Measure every request of the app."""
    registry = CollectorRegistry(auto_describe=False)
    latency = Histogram(
        "unitatlas_request_seconds",
        "Time to the head of the reply.",
        ["method", "endpoint", "status"],
        registry=registry,
    )
    registry.register(JobCollector(services))
    app.extensions["unitatlas-metrics"] = registry

    @app.before_request
    def start_clock() -> None:
        g.started = time.perf_counter()

    @app.after_request
    def stop_clock(reply: Response) -> Response:
        labels = request.method, request.endpoint or "none", str(reply.status_code)
        latency.labels(*labels).observe(time.perf_counter() - g.started)
        return reply
