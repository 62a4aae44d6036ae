"""The list of a dataset's files with their digests: what a registration fixes and every later reading is held to."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from service.errors import Conflict
from workers.probes.trees import Tree

VERSION = 1  # of the way that files are read; part of the manifest, so that its digest stands for the labels too


class Entry(NamedTuple):
    """Size in bytes and sha256 of one file."""

    size: int
    sha256: str


def entry(data: bytes) -> Entry:
    """The entry of a file with these bytes."""
    return Entry(len(data), hashlib.sha256(data).hexdigest())


def write(format: str, entries: Mapping[str, Entry], *, scenes: bool = False) -> str:
    """A manifest as canonical JSON lines: a head with the format, then one line a file, sorted bytewise by name."""
    head = {"format": format, "version": VERSION} | ({"scenes": True} if scenes else {})
    lines = [{"name": name, **entries[name]._asdict()} for name in sorted(entries, key=str.encode)]
    return "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in [head, *lines])


def has_scenes(text: str) -> bool:
    """Whether a manifest's images are labelled with their classes as scenes."""
    return bool(json.loads(text.partition("\n")[0]).get("scenes"))


def parse(text: str) -> dict[str, Entry]:
    """The entries of a manifest, in its order."""
    lines = (json.loads(line) for line in text.splitlines()[1:])
    return {line["name"]: Entry(line["size"], line["sha256"]) for line in lines}


@dataclass(frozen=True)
class PinnedTree:
    """A tree that shows exactly the files of a manifest, with exactly their bytes."""

    tree: Tree
    entries: dict[str, Entry]

    @property
    def names(self) -> list[str]:
        """The names of the manifest."""
        return list(self.entries)

    def read(self, name: str) -> bytes:
        """The bytes of a file; raise Conflict where they are not those that were registered."""
        data = self.tree.read(name)
        if entry(data) != self.entries[name]:
            raise Conflict(f"{name} changed since the dataset was registered; register it anew under another name")
        return data
