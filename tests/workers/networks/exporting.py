"""Exported archives for tests: honest ones, and ways to spoil them."""

import io
import json
import zipfile

import torch
from torch import nn

from workers.networks.exported_plain import extract

BATCH = {0: torch.export.Dim("batch")}
PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"


class Block(nn.Module):
    """A residual block that overwrites what it can and calls one module twice."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.relu = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.norm(self.conv(x)))
        out += x
        return self.relu(out).mul_(2)


class Net(nn.Module):
    """A classifier with names that are no identifiers, constants, buffers, a factory call and sizes of the batch."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential()
        self.stem.add_module("conv-0", nn.Conv2d(3, 4, 3, padding=1))
        self.block, self.drop, self.head = Block(), nn.Dropout(0.5), nn.Linear(4, 5)
        self.register_buffer("scale", torch.rand(4, 1, 1))
        self.register_buffer("hidden", torch.rand(4), persistent=False)

    def forward(self, x):
        x = self.block(self.stem(x)) * self.scale
        x = x.masked_fill(x > torch.tensor(1e6), float("-inf")) + torch.arange(x.shape[-1], device=x.device)
        tokens = x.flatten(2).transpose(1, 2).reshape(x.shape[0] * 64, 4) + self.hidden
        return self.head(self.drop(tokens.reshape(-1, 64, 4).mean(1)))


def network():
    torch.manual_seed(0)
    net = Net()
    net.block.norm.running_mean.normal_()
    net.block.norm.running_var.uniform_(0.5, 2)
    return net.eval().requires_grad_(False)


def archive(module, *images, dynamic=(BATCH,)):
    file = io.BytesIO()
    images = images or (torch.zeros(2, 3, 8, 8),)
    torch.export.save(torch.export.export(module, images, dynamic_shapes=dynamic and tuple(dynamic)), file)
    return file.getvalue()


def entries_of(data):
    """Entries of an archive by the names below its folder."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        return {entry.filename.partition("/")[2]: source.read(entry) for entry in source.infolist()}


def pack(entries, compression=zipfile.ZIP_STORED, folder="net/"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, content in entries.items():
            target.writestr(f"{folder}{name}", content)
    return file.getvalue()


def spoil(data, entry=PROGRAM, **changes):
    """Rewrite an archive, its JSON changed by `change(value)` and its entries by name."""
    entries = entries_of(data)
    value = json.loads(entries[entry])
    changes.get("change", lambda _: None)(value)
    entries[entry] = json.dumps(value).encode()
    return pack(entries | changes.get("entries", {}))


def load_unconfined(archive, plain):
    """What the confined child does, in this process: a child for every archive would take minutes."""
    with archive.open("rb") as content:
        plain.write(extract(content, io.BytesIO()))
    plain.flush()
