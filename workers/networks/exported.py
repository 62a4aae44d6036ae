"""Source `exported`: any network as a `torch.export` archive, layers named by module path, no code uploaded."""

import logging
import shutil
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from service.artifacts.store import DIGEST
from service.errors import Invalid
from workers.networks.exported_jail import load_confined
from workers.networks.exported_rebuild import rebuild

log = logging.getLogger(__name__)

PLAIN = "plain-1"
"""Ending of the file beside an artifact that keeps its plain form, of this version."""
INITIAL = {"running_mean": 0.0, "running_var": 1.0}
"""Of a network that saw no image."""
OTHER_DEVIATION = 0.02


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
        """Have an archive checked and loaded by a confined process, and build its network on a device.

        Where the second call of `relu` computes otherwise than its first, for another size perhaps, it is `relu@1`.
        The plain form is kept beside an archive that lies in the artifact store, and read as warily as when it was new.

        Raises
        ------
        Invalid
            If the file is no archive of a plain network, or cannot be loaded; see `write_clean`.
        """
        kept = file.with_name(f"{file.name}.{PLAIN}")
        with suppress(FileNotFoundError, Invalid):
            return rebuild(kept, device)
        with tempfile.NamedTemporaryFile() as plain:
            load_confined(file, plain)
            network = rebuild(Path(plain.name), device)
            if DIGEST.fullmatch(file.name):
                _keep(Path(plain.name), kept)
        return network


def _keep(plain: Path, kept: Path) -> None:
    """Put a file in its place at once; where there is no room or no permission, only the time is lost."""
    new = kept.with_name(f"{kept.name}.{uuid.uuid4().hex}")
    try:
        shutil.copyfile(plain, new)
        new.replace(kept)
    except OSError:
        new.unlink(missing_ok=True)
        log.warning("the plain form of %s could not be kept", kept, exc_info=True)


def untrained(module: nn.Module, seed: int) -> None:
    """Draw the parameters of a network anew, in place, as if it had never been trained.

    Weights of two and more dimensions are normal by Kaiming's rule for ReLUs (fan-in), those of one are 1, biases 0,
    running means 0 and variances 1; what bears another name, such as class tokens, is normal with deviation 0.02.
    The archive does not tell how its network was initialized; the same seed gives the same values on every device.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for path, parameter in module.named_parameters():
            parameter.copy_(_draw(path.rpartition(".")[2], parameter.shape, generator))
        for path, buffer in module.named_buffers():
            name = path.rpartition(".")[2]
            if name in INITIAL:
                buffer.fill_(INITIAL[name])


def _draw(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    if name.endswith("bias"):
        return torch.zeros(shape)
    if not name.endswith("weight"):
        return torch.empty(shape).normal_(0, OTHER_DEVIATION, generator=generator)
    if len(shape) < 2:
        return torch.ones(shape)
    return nn.init.kaiming_normal_(torch.empty(shape), nonlinearity="relu", generator=generator)
