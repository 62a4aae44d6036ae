"""Source `exported`: any network as a `torch.export` archive, layers named by module path, no code uploaded."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.export.passes import move_to_device_pass

from service.errors import Invalid
from workers.networks.exported_archive import write_clean


def source(name: str, pretrained: str | None) -> "ExportedArchive":
    """Take up an uploaded archive; raise Invalid where a name or pretrained weights are asked for."""
    if name or pretrained is not None:
        raise Invalid(
            "an exported network has no names; its source is 'exported', its weights are the archive", "/source"
        )
    return ExportedArchive()


@dataclass(frozen=True)
class ExportedArchive:
    """A network whose file holds its architecture and its weights."""

    kind: None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    classes: Sequence[str] = ()
    concepts: Sequence[tuple[str, str] | None] = ()

    def weights(self) -> Path:
        """Raise Invalid, for an archive ships with nothing."""
        raise Invalid("an exported network needs its archive: upload the .pt2 and give it as an artifact", "/weights")

    def open(self, file: Path, device: torch.device) -> nn.Module:
        """Check an archive, load what is left of it on a device, and restore the network's modules.

        Where the second call of `relu` computes otherwise than its first, for another size perhaps, it is `relu@1`.

        Raises
        ------
        Invalid
            If the file is no archive of a plain network, or cannot be loaded; see `write_clean`.
        """
        with tempfile.TemporaryFile() as clean:
            write_clean(file, clean)
            clean.seek(0)
            try:
                program = torch.export.load(clean)
                return torch.export.unflatten(move_to_device_pass(program, device))
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # a program that contradicts itself can raise anything
                raise Invalid(f"the exported archive does not load: {error}", "/weights") from error
