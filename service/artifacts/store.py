"""Where artifacts' bytes lie: a directory in which every file is named by its own sha256."""

import hashlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from service.errors import Invalid, NotFound

DIGEST = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 20


class ArtifactStore:
    """Immutable bytes by digest; putting the same bytes twice stores them once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes | Path) -> str:
        """Store bytes, or a copy of a file, and return their digest."""
        self.root.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=self.root, prefix="new-", delete=False) as file:
            try:
                for chunk in [data] if isinstance(data, bytes) else _chunks(data):
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
                self.adopt(Path(file.name), digest.hexdigest())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        return digest.hexdigest()

    def adopt(self, file: Path, digest: str) -> None:
        """Make a file, complete, of this digest and on the store's file system, an artifact by moving it."""
        target = self._place(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)

    def _place(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise Invalid(f"{digest!r} is not a sha256 in lower-case hexadecimal digits")
        return self.root / digest[:2] / digest[2:4] / digest

    def exists(self, digest: str) -> bool:
        """Whether the bytes of this digest are here."""
        return self._place(digest).is_file()

    def path(self, digest: str) -> Path:
        """The file with the bytes of this digest; raise NotFound where there is none."""
        path = self._place(digest)
        if not path.is_file():
            raise NotFound(f"no artifact {digest} is stored here")
        return path

    def old_files(self, before: float) -> Iterator[Path]:
        """Files that have not changed since a time: artifacts, and what was left of those that never became one."""
        for pattern in ("new-*", "uploads/*", "[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            for path in self.root.glob(pattern):
                with suppress(FileNotFoundError):  # finished, or removed by another collection
                    if path.stat().st_mtime < before:
                        yield path

    def discard(self, path: Path, before: float) -> bool:
        """Remove a file unless it was stored anew after all; False where it was, or is gone.

        It is moved aside before it is looked at: what is stored in between lies at its place already and stays.
        """
        aside = self.root / f"discarded-{path.name}-{uuid.uuid4().hex}"
        try:
            path.rename(aside)
            if aside.stat().st_mtime >= before:
                aside.rename(path)
                return False
            aside.unlink()
        except FileNotFoundError:  # another collection was quicker
            return False
        return True

    def put_back(self) -> None:
        """Put back what a killed collection had moved aside and not looked at yet."""
        for aside in self.root.glob("discarded-*"):
            digest = aside.name.split("-")[1]
            with suppress(FileNotFoundError):
                if DIGEST.fullmatch(digest) and not self.exists(digest):
                    aside.rename(self._place(digest))
                else:
                    aside.unlink()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
