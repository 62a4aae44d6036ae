"""`python -m workers run|seen|relay`."""

import os
import socket

import click

from service import logs
from service.database import make_engine, make_sessions, reading
from service.settings import Settings


@click.group()
def main() -> None:
    """The processes that do the work."""
    logs.configure()


@main.command()
@click.option("--name", help="How the worker calls itself; by default after its process.")
def run(name: str | None) -> None:
    """Run shards, one at a time."""
    name = _full_name(name or f"worker-{os.getpid()}")
    # both before Celery is imported; SIGTERM lets a shard end in `worker_soft_shutdown_timeout`, not in any time
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    os.environ["CELERY_CUSTOM_WORKER_POOL"] = "workers.runner.pool:TaskPool"
    from workers.celery_app import celery
    from workers.runner.ending import end_surely
    from workers.runner.process import NAME_VARIABLE

    end_surely()
    os.environ[NAME_VARIABLE] = name
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    celery.worker_main(["worker", "--pool=custom", "--concurrency=1", f"--hostname={name}", "--loglevel=INFO", *quiet])


@main.command()
@click.option("--name", required=True, help="How the worker calls itself.")
def seen(name: str) -> None:
    """Fail unless the worker of this name on this machine was seen lately."""
    from workers.runner.queries import was_seen

    name = _full_name(name)
    with reading(make_sessions(make_engine(Settings.from_environment()))) as session:
        if not was_seen(session, name):
            raise click.ClickException(f"no worker {name} was seen lately")


@main.command()
def relay() -> None:
    """Repeat lost hints, take shards from lost workers, end what is over."""
    from workers.celery_app import celery
    from workers.runner.relay import Relay

    settings = Settings.from_environment()
    Relay(settings, make_sessions(make_engine(settings)), celery).run()


def _full_name(name: str) -> str:
    return f"{name}@{socket.gethostname()}"


if __name__ == "__main__":
    main()
