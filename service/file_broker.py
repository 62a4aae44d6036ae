"""The broker of a service that runs alone: kombu's files, whose messages appear whole.

kombu opens a message's file in the folder that others look into, and then writes it. A worker that takes it between
the two reads nothing, calls that no JSON, and ends; what was to be heard is lost.
"""

import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

URL = "unitatlas-files://"


class Channel(filesystem.Channel):
    """A channel that moves messages to where they are looked for once they are written."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # as of kombu's own
        name = f"{round(1000 * time.monotonic())}_{uuid.uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        unfinished = folder / f"{name}.part"  # the name of no queue's message
        unfinished.write_text(dumps(payload))
        unfinished.rename(folder / name)


class Transport(filesystem.Transport):
    """What `URL` stands for."""

    Channel = Channel


TRANSPORT_ALIASES[URL.removesuffix("://")] = f"{__name__}:{Transport.__name__}"
