"""What a painting may touch."""

from dataclasses import dataclass

from service.artifacts.store import ArtifactStore
from service.database import Sessions
from service.settings import Settings
from workers.jobs.kind import JobView


@dataclass(frozen=True)
class PaintingContext:
    """The context that a painting is done in, see `workers.jobs.kind.WorkContext`."""

    job: JobView
    settings: Settings
    sessions: Sessions
    store: ArtifactStore
