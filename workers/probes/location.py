"""Where a dataset's files lie: in the import directory, in an uploaded archive, or in the built-in world."""

from collections.abc import Mapping
from pathlib import Path

from service.artifacts.store import ArtifactStore
from service.errors import Invalid, NotFound
from service.settings import Settings
from workers.probes import builtin
from workers.probes.trees import FolderTree, Tree, ZipTree


def open_tree(location: Mapping[str, str], settings: Settings, store: ArtifactStore) -> Tree:
    """Open {"path": ...}, {"artifact": sha256} or {"builtin": name}; raise Invalid where it does not lead anywhere."""
    match dict(location):
        case {"path": str(path), **others} if not others:
            return _folder(path, settings.import_dir)
        case {"artifact": str(digest), **others} if not others:
            return _archive(digest, store)
        case {"builtin": str(name), **others} if not others:
            return ZipTree(builtin.archive(name, settings.data_dir.absolute() / "cache"))
    raise Invalid("a location is one of path, artifact and builtin, with a text", "/location")


def _folder(path: str, import_dir: Path | None) -> Tree:
    if import_dir is None:
        raise Invalid("no path can be read here: UNITATLAS_IMPORT_DIR is not set; upload an archive", "/location/path")
    limit = import_dir.resolve()
    try:
        folder = (limit / path).resolve()
        inside, there = folder.is_relative_to(limit), folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, a loop of links
        inside, there = True, False
    if not inside:
        raise Invalid(f"{path!r} leads out of the import directory; give a path inside it", "/location/path")
    if not there:
        raise Invalid(f"there is no folder {path!r} in the import directory", "/location/path")
    return FolderTree(folder, limit)


def _archive(digest: str, store: ArtifactStore) -> Tree:
    try:
        return ZipTree(store.path(digest))
    except NotFound:
        raise Invalid(f"no artifact {digest} is stored here; upload it first", "/location/artifact") from None
