"""Weights: what a model asks for, and state dicts read from files without running anything that is in them."""

import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from service.errors import Invalid

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of torch.save begin since 1.6, and before."""
MAX_INDEX_BYTES = 64 * 2**20
"""Largest table of contents (safetensors header, pickled index) that is read."""
WRAPPERS = {"module", "_orig_mod"}
"""What DataParallel and torch.compile put into the names of parameters."""
REMEDY = "save the state dict alone: safetensors.torch.save_file(model.state_dict(), path)"


@dataclass(frozen=True)
class Weights:
    """What a model's `weights` ask for; at most one of the three, none of them for what the source ships."""

    artifact: str | None = None
    pretrained: str | None = None
    seed: int | None = None

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Self:
        """Read a model's `weights`; raise Invalid that says which forms there are."""
        match dict(given):
            case {"artifact": str(), **others} | {"pretrained": str(), **others} if not others:
                return cls(**given)
            case {"seed": int(seed), **others} if not others and not isinstance(seed, bool) and 0 <= seed < 2**63:
                return cls(seed=seed)
            case {**others} if not others:
                return cls()
        forms = '{"artifact": "<sha256>"}, {"pretrained": "<name>"}, {"seed": <number from 0>} or {}'
        raise Invalid(f"{json.dumps(given)} is none of the forms {forms}", "/weights")


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file or from one of torch.save that holds nothing but tensors.

    Wrappers (`state_dict`, `model`, DataParallel's `module.`) are taken off.

    Raises
    ------
    Invalid
        If the file is of another kind, damaged, holds code, or claims more values than it has.
    """
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(ZIP):
        state = _unwrap(_read_zip(path))
    elif start.startswith(LEGACY):
        state = _unwrap(_read_pickle(path, mmap=False))
    elif start[8:9] == b"{":
        state = _read_safetensors(path, int.from_bytes(start[:8], "little"))
    else:
        raise Invalid(
            f"the weights are neither a safetensors file nor a state dict of torch.save; {REMEDY}", "/weights"
        )
    return {_without_wrappers(name): tensor for name, tensor in state.items()}


def fill(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy a state dict into a network; raise Invalid that names keys missing, unexpected or of wrong shape."""
    own = network.state_dict()
    shapes = {
        name: f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    }
    fitting = {name: tensor for name, tensor in state.items() if name not in shapes}
    missing, unexpected = network.load_state_dict(fitting, strict=False)
    problems = [
        _enumerate("missing", [name for name in missing if name not in shapes]),
        _enumerate("unexpected", unexpected),
        _enumerate("of wrong shape", shapes.values()),
    ]
    if any(problems):
        raise Invalid(f"the weights do not fit the network: {'; '.join(filter(None, problems))}", "/weights")


def _enumerate(what: str, names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(every[:5]) + (", ..." if len(every) > 5 else "")
    return f"{len(every)} {what} ({shown})" if every else ""


def _read_safetensors(path: Path, header: int) -> dict[str, Tensor]:
    if header > min(MAX_INDEX_BYTES, path.stat().st_size - 8):
        raise Invalid(f"the safetensors file is cut off: its header claims {header} bytes", "/weights")
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise Invalid(f"the safetensors file is damaged: {error}", "/weights") from error


def _read_zip(path: Path) -> Any:
    """Read a file of torch.save, which stores its entries as they are: none may unfold into more than the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Invalid(f"the weights are cut off or damaged: {error}", "/weights") from error
    if any(entry.filename.endswith("constants.pkl") for entry in entries):
        raise Invalid(f"the weights are a TorchScript archive, which holds code; {REMEDY}", "/weights")
    indices = [entry.file_size for entry in entries if entry.filename.endswith(".pkl")]
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    if not stored or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise Invalid(f"the weights are a compressed archive, not a file of torch.save; {REMEDY}", "/weights")
    if max(indices, default=0) > MAX_INDEX_BYTES:
        raise Invalid(f"the weights hold {max(indices)} bytes that are no tensors; {REMEDY}", "/weights")
    return _read_pickle(path, mmap=True)


def _read_pickle(path: Path, mmap: bool) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:  # a damaged or hostile pickle can raise anything
        named = re.search(r"GLOBAL (\S+)", str(error))
        problem = f"name {named[1]}, which is more than tensors" if named else "are damaged"
        raise Invalid(f"the weights {problem}; {REMEDY}", "/weights") from error


def _unwrap(content: Any) -> dict[str, Tensor]:
    """Find the state dict in what torch.load returned and check that every entry is a tensor whose values are there."""
    if isinstance(content, Mapping):
        for wrapper in ("state_dict", "model"):
            if isinstance(content.get(wrapper), Mapping):
                return _unwrap(content[wrapper])
    if not isinstance(content, Mapping) or not content:
        raise Invalid(f"the weights hold no state dict; {REMEDY}", "/weights")
    for name, value in content.items():
        if not isinstance(name, str) or not _is_plain(value):
            raise Invalid(f"the weights' entry {name!r} is no plain tensor; {REMEDY}", "/weights")
    return dict(content)


def _is_plain(value: Any) -> bool:
    # an expanded view or a meta tensor would claim more values than the file holds
    return (
        isinstance(value, Tensor)
        and value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _without_wrappers(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)
