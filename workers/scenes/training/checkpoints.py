"""What a training keeps between two runs, and what it leaves in the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn


def restore(state: Mapping[str, Any], checkpoint: Path, device: torch.device) -> int:
    """Load what a checkpoint holds; returns the number of steps done, 0 where there is none."""
    if not checkpoint.exists():
        return 0
    saved = torch.load(checkpoint, map_location=device, weights_only=True)
    for name, part in state.items():
        part.load_state_dict(saved[name])
    return int(saved["step"])


def preserve(state: Mapping[str, Any], step: int, checkpoint: Path) -> None:
    """Write the state of every part and the number of steps done, at once or not at all."""
    partial = checkpoint.with_suffix(".part")
    torch.save({name: part.state_dict() for name, part in state.items()} | {"step": step}, partial)
    partial.replace(checkpoint)


def save(network: nn.Module, path: Path) -> None:
    """Write a network's weights as float16, which halves the file and changes no figure that is reported."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous().cpu()
        for name, tensor in network.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
