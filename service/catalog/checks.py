"""What of a registration can be known before a worker loads anything."""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.artifacts.queries import hold_artifact
from service.errors import Invalid


def check_model(session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any]) -> None:
    """Raise Invalid where the weights are an artifact that the team does not have."""
    if "artifact" in wanted["weights"]:
        _check_artifact(session, team_id, wanted["weights"]["artifact"], "/weights/artifact")


def check_dataset(
    session: Session, team_id: uuid.UUID, wanted: Mapping[str, Any], import_dir: Path | None
) -> dict[str, Any]:
    """The dataset with its path relative to the import directory; raise Invalid for a location out of reach."""
    location = dict(wanted["location"])
    if (wanted["format"] == "scenes") != ("builtin" in location):
        raise Invalid("the format 'scenes' and a built-in location belong together", "/format")
    if "artifact" in location:
        _check_artifact(session, team_id, location["artifact"], "/location/artifact")
    if "path" in location:
        location["path"] = relative_path(location["path"], import_dir)
    return {**wanted, "location": location}


def _check_artifact(session: Session, team_id: uuid.UUID, digest: str, pointer: str) -> None:
    if hold_artifact(session, team_id, digest) is None:
        raise Invalid(f"the team has no artifact {digest}; upload it with PUT /v1/artifacts/{digest} first", pointer)


def relative_path(path: str, import_dir: Path | None) -> str:
    """The path relative to the import directory; raise Invalid where it, or what its links lead to, is not inside."""
    if import_dir is None:
        raise Invalid(
            "no path can be read here, because UNITATLAS_IMPORT_DIR is not set; upload an archive instead",
            "/location/path",
        )
    root = import_dir.absolute()
    there = Path(os.path.normpath(root / path))
    if not (there.is_relative_to(root) and _resolve(there).is_relative_to(root.resolve())):
        raise Invalid(
            f"{path!r} leads out of the import directory; name a folder inside UNITATLAS_IMPORT_DIR", "/location/path"
        )
    return there.relative_to(root).as_posix()


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a name that is too long, a loop of links
        raise Invalid(f"{path.name!r} cannot be followed to a folder", "/location/path") from None
