"""Removing what nothing shows any more: artifacts that no row names, and files that are no artifact."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.artifacts import collecting_queries as queries
from service.artifacts.store import DIGEST, ArtifactStore
from service.artifacts.tables import Artifact
from service.database import Sessions, now, reading
from service.settings import Settings

GRACE = timedelta(days=1)
"""What is younger is nobody's yet: its request or shard may not have come to write who names it."""
FILES_AT_A_TIME = 500

log = logging.getLogger(__name__)


@dataclass
class Seen:
    """What is there to be removed, when one looks."""

    rows_before: datetime
    """What was touched since stays."""
    files_before: float
    """What was stored since stays, a timestamp: also what the oldest unfinished job has stored."""
    named: set[bytes]
    unnamed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def is_named(self, name: str) -> bool:
        """Whether a row names the artifact of this digest; a file's name may be none."""
        return bool(DIGEST.fullmatch(name)) and bytes.fromhex(name) in self.named


@dataclass
class Collected:
    """What was removed, or would be."""

    artifacts: int = 0
    files: int = 0
    """Of artifacts that were removed, and those that were no artifact."""
    bytes: int = 0
    missing: list[str] = field(default_factory=list)
    """Artifacts whose file is not there."""

    def __str__(self) -> str:
        return f"{self.artifacts} artifacts that nothing shows and {self.files} files, {self.bytes} bytes"


def collect(sessions: Sessions, store: ArtifactStore, settings: Settings, *, dry_run: bool = False) -> Collected:
    """Remove, or only count, what nothing shows any more; harmless beside requests, jobs and other collections."""
    store.put_back()
    with reading(sessions) as session:
        seen = _look(session, store, settings)
    removed = seen.unnamed if dry_run else list(_remove_rows(sessions, seen))
    collected = Collected(len(removed), missing=seen.missing)
    for path in _nobodys(sessions, store, seen, {*removed} if dry_run else set()):
        if (size := _size(path)) is not None and (dry_run or store.discard(path, seen.files_before)):
            collected.files, collected.bytes = collected.files + 1, collected.bytes + size
    return collected


def _look(session: Session, store: ArtifactStore, settings: Settings) -> Seen:
    # the times before all else: whoever names an artifact later touches it later
    time = now(session)
    rows_before = time - max(GRACE, timedelta(seconds=settings.artifact_retention_seconds))
    files_before = min(time - GRACE, queries.find_open_since(session, GRACE, time)).timestamp()
    seen = Seen(rows_before, files_before, queries.find_named(session, rows_before))
    for artifact in queries.all_artifacts(session):
        if _is_old(artifact, rows_before) and not seen.is_named(artifact.digest):
            seen.unnamed.append(artifact.digest)
        elif not store.exists(artifact.digest):
            seen.missing.append(artifact.digest)
    return seen


def _is_old(artifact: Artifact, before: datetime) -> bool:
    return artifact.touched_at is not None and artifact.touched_at < before


def _remove_rows(sessions: Sessions, seen: Seen) -> Iterator[str]:
    # each on its own: the database looks through all tables that may refer to it, and on SQLite others wait meanwhile
    for digest in seen.unnamed:
        try:
            with sessions.begin() as session:
                removed = queries.remove_untouched(session, digest, seen.rows_before)
        except IntegrityError:  # what a row refers to after all stays, and the next collection looks again
            log.warning("the artifact %s, which nothing named, is named by now", digest, exc_info=True)
            continue
        if removed:
            yield digest


def _nobodys(sessions: Sessions, store: ArtifactStore, seen: Seen, gone: set[str]) -> Iterator[Path]:
    """Old files that nothing names and that are no artifact, or one of those that would be gone."""
    files = store.old_files(seen.files_before)
    while chunk := list(islice(files, FILES_AT_A_TIME)):
        paths = [path for path in chunk if not seen.is_named(path.name)]
        with reading(sessions) as session:
            known = queries.find_known(session, [path.name for path in paths]) - gone
        yield from (path for path in paths if path.name not in known)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another collection was quicker
        return None
