"""Write a network as a `torch.export` archive, on the machine where its code is; the service never sees the code."""

import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class NotExportable(Exception):
    """What was named gives no network that torch.export can write."""


def export(network: str, size: Sequence[int], output: Path) -> None:
    """Call the function that `network` names (`my_module.py:build`) and write what it returns, for batches of any size.

    `size` is the channels, height and width of the images. Raises NotExportable that says what stands in the way.
    """
    torch = _import_torch()
    module = _call(network)
    if not isinstance(module, torch.nn.Module):
        raise NotExportable(f"{network} returned a {type(module).__name__}, not a torch.nn.Module")
    images = torch.zeros(2, *size)  # a batch of one would be taken for a constant
    try:
        program = torch.export.export(module.cpu().eval(), (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, output)
    except Exception as error:  # whatever the network's own code raises on such images
        raise NotExportable(f"torch.export cannot write {network} for images of {tuple(size)}: {error}") from error


def _import_torch() -> Any:
    """Import torch only when it is needed: the client does without it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise NotExportable("exporting needs PyTorch in this environment: pip install torch") from error


def _call(network: str) -> Any:
    file, _, name = network.rpartition(":")
    path = Path(file).resolve()
    if not path.is_file() or path.suffix != ".py":
        raise NotExportable(f"{network!r} names no Python file and function; write it as my_module.py:build")
    build = getattr(_run(path), name, None)
    if not callable(build):
        raise NotExportable(f"{file} has no function {name!r}")
    return _guard(network, build)


def _run(path: Path) -> Any:
    """Import a file as Python would from its own directory."""
    sys.path.insert(0, str(path.parent))
    return _guard(str(path), lambda: importlib.import_module(path.stem))


def _guard(what: str, run: Callable[[], Any]) -> Any:
    try:
        return run()
    except Exception as error:
        raise NotExportable(f"{what} raised {type(error).__name__}: {error}") from error
