"""Every setting of the service and its workers, read once from UNITATLAS_* variables."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from service.errors import InvalidSetting

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TRUTH = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a process needs to know of the world it runs in; the defaults run everything on one machine."""

    data_dir: Path = Path(".unitatlas")
    """Where the embedded database, broker, artifacts and scratch space lie."""
    database_url: str = ""
    """SQLAlchemy address; empty means SQLite in `data_dir`."""
    broker_url: str = ""
    """Celery address; empty means the file-system broker in `data_dir`."""
    import_dir: Path | None = None
    """The only directory that a dataset's `path` may lie in; None refuses every path."""
    host: str = "127.0.0.1"
    port: int = 8000
    device: str = "auto"
    """`auto`, `cpu`, `cuda` or `cuda:N`."""
    threads: int = 0
    """Threads that torch may use in a worker; 0 leaves it to torch."""
    memory_bytes: int = 2**30
    """What a worker's pass may hold beside its networks; what goes beyond is brought to the scratch space."""
    lease_seconds: float = 60.0
    """How long a claimed shard is a worker's own without a heartbeat."""
    grace_seconds: float = 15.0
    """How long a cancelled shard may take to stop by itself before its process is ended."""
    retry_seconds: float = 5.0
    """Pause before a lost shard is tried again; doubled with each attempt."""
    max_attempts: int = 3
    """How often one shard is tried before its job fails."""
    relay_seconds: float = 1.0
    """Pause between two rounds of the relay."""
    wait_seconds: float = 30.0
    """How long a registration or a long poll is answered synchronously at the most."""
    painting_seconds: float = 10.0
    """How long a painting waits for a worker to paint it."""
    max_artifact_bytes: int = 8 * 2**30
    """Largest artifact that is taken."""
    max_body_bytes: int = 2 * 2**20
    """Largest JSON body that is taken."""
    max_image_pixels: int = 64 * 10**6
    """Largest image that is decoded."""
    max_queued_jobs: int = 1000
    """Unfinished jobs that one team may have, unless it has a quota of its own; 0 is without a limit, as below."""
    max_worker_seconds: float = 0.0
    """Time that workers may spend on one team's jobs within `quota_period_seconds`."""
    quota_period_seconds: float = 24 * 3600.0
    """The period, up to now, within which workers' time counts."""
    max_stored_bytes: int = 0
    """Bytes of artifacts that one team may store."""
    artifact_retention_seconds: float = 7 * 24 * 3600.0
    """How long an artifact that nothing shows any more is kept, a day at the least."""
    max_streams: int = 8
    """Event streams that one API process serves at a time."""
    scratch_bytes: int = 50 * 2**30
    """Scratch space that one job may fill."""

    segmentation_cache_bytes: int = 10 * 2**30
    """Labels of segmenters that are kept for later jobs; the oldest are forgotten first."""
    webhook_http: bool = False
    """Whether webhooks may lead to addresses without TLS."""
    webhook_networks: str = ""
    """Networks, with commas between, that webhooks may lead to beside public addresses: `10.1.0.0/16`."""

    @property
    def sqlalchemy_url(self) -> str:
        """The address of the database, the embedded one where none is named."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'unitatlas.sqlite3'}"

    @property
    def trusted_networks(self) -> list[Network]:
        """The networks that webhooks may lead to beside public addresses; raise InvalidSetting for what is none."""
        texts = [text.strip() for text in self.webhook_networks.split(",") if text.strip()]
        try:
            return [ipaddress.ip_network(text) for text in texts]
        except ValueError as error:
            raise InvalidSetting(f"UNITATLAS_WEBHOOK_NETWORKS={self.webhook_networks!r}: {error}") from None

    @property
    def artifact_dir(self) -> Path:
        """Where artifacts lie."""
        return self.data_dir.absolute() / "artifacts"

    @property
    def scratch_dir(self) -> Path:
        """Where jobs keep what only they need; shared by all workers."""
        return self.data_dir.absolute() / "scratch"

    @property
    def segmentation_dir(self) -> Path:
        """Where the labels of segmenters are kept; shared by all workers."""
        return self.data_dir.absolute() / "segmentations"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read UNITATLAS_* variables; raise InvalidSetting for a value that does not parse."""
        variables = os.environ if environment is None else environment
        given: dict[str, Any] = {}
        for setting in fields(cls):
            name = f"UNITATLAS_{setting.name.upper()}"
            if variables.get(name):
                given[setting.name] = _parse(name, variables[name], setting.type)
        settings = cls(**given)
        _ = settings.trusted_networks  # what is no network is told at once
        return settings


def _parse(name: str, text: str, kind: object) -> object:
    if kind in (Path, Path | None):
        return Path(text)
    assert isinstance(kind, type)
    try:
        return TRUTH[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise InvalidSetting(f"{name}={text!r} is not of type {kind.__name__}") from None
