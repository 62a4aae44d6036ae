import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from service.errors import Invalid
from workers.networks.weights import Weights, fill, read_state


def small(outputs=3):
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), head=nn.Linear(4, outputs)))


@pytest.fixture
def state():
    torch.manual_seed(0)
    return small().state_dict()


def save_new(content, path):
    torch.save(content, path)


def save_old(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


def same(found, expected):
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in expected)


def refused(path, match):
    with pytest.raises(Invalid, match=match) as caught:
        read_state(path)
    assert caught.value.errors[0]["pointer"] == "/weights"
    return caught.value.detail


@pytest.mark.parametrize("save", [save_new, save_old, save_file])
def test_each_format_is_known_by_its_content(tmp_path, state, save):
    save(state, tmp_path / "w")
    assert same(read_state(tmp_path / "w"), state)


@pytest.mark.parametrize("save", [save_new, save_old])
@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_wrappers_are_taken_off(tmp_path, state, save, wrapper):
    prefixed = {f"module.{key}": tensor for key, tensor in state.items()}
    save({"epoch": 90, "arch": "small", wrapper: prefixed, "best": torch.tensor(0.5)}, tmp_path / "w")
    assert same(read_state(tmp_path / "w"), state)


def test_wrappers_inside_and_around_names_are_taken_off(tmp_path):
    save_file({"_orig_mod.features.module.0.weight": torch.ones(2), "modules.0": torch.ones(1)}, tmp_path / "w")
    assert set(read_state(tmp_path / "w")) == {"features.0.weight", "modules.0"}


def test_values_that_are_not_finite_are_the_users_own(tmp_path, state):
    state["head.bias"][0] = float("nan")
    save_file(state, tmp_path / "w")
    network = small()
    fill(network, read_state(tmp_path / "w"))
    assert network.head.bias.isnan()[0]


class Command:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("save", [save_new, save_old])
@pytest.mark.parametrize("place", ["root", "entry", "beside"])
def test_code_is_never_run(tmp_path, state, save, place):
    proof = tmp_path / "proof"
    hostile = Command(proof)
    content = {"root": hostile, "entry": {**state, "x": hostile}, "beside": {"state_dict": state, "x": hostile}}[place]
    save(content, tmp_path / "w")
    assert "system" in refused(tmp_path / "w", "more than tensors")
    assert not proof.exists()


def test_a_pickled_module_is_refused_with_the_remedy(tmp_path):
    torch.save(small(), tmp_path / "w")
    assert "save_file(model.state_dict(), path)" in refused(tmp_path / "w", r"torch\.nn\.modules")


def test_a_bare_pickle_is_refused(tmp_path):
    (tmp_path / "w").write_bytes(pickle.dumps(Command(tmp_path / "proof")))
    refused(tmp_path / "w", "neither a safetensors file nor")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x00" * 64, b"\x89PNG\r\n\x1a\n" + b"\x00" * 64, b"{}"])
def test_other_content_is_refused(tmp_path, content):
    (tmp_path / "w").write_bytes(content)
    refused(tmp_path / "w", "save the state dict alone|cut off")


@pytest.mark.parametrize("save", [save_new, save_old, save_file])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_files_that_were_cut_off_are_refused(tmp_path, state, save, kept):
    save(state, tmp_path / "w")
    whole = (tmp_path / "w").read_bytes()
    (tmp_path / "w").write_bytes(whole[: int(kept * len(whole))])
    refused(tmp_path / "w", "damaged|cut off|more than tensors")


@pytest.mark.parametrize("length", [2**63, 2**40, 99_000_000])
def test_a_header_longer_than_the_file_is_refused(tmp_path, length):
    (tmp_path / "w").write_bytes(struct.pack("<Q", length) + b"{" + b" " * 100)
    refused(tmp_path / "w", "cut off")


def test_a_safetensors_file_that_points_outside_itself_is_refused(tmp_path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(header)) + header + b"\x00" * 64)
    refused(tmp_path / "w", "damaged")


def repack(path, change):
    """Write the archive anew with every entry as `change` makes it."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            change(archive, name, content)


def test_a_compressed_archive_is_refused_before_it_unfolds(tmp_path):
    torch.save({"x": torch.zeros(1000, 1000)}, tmp_path / "w")
    repack(tmp_path / "w", lambda archive, name, content: archive.writestr(name, content, zipfile.ZIP_DEFLATED))
    assert (tmp_path / "w").stat().st_size < 100_000
    refused(tmp_path / "w", "compressed archive")


def test_entries_that_overlap_are_refused(tmp_path):
    torch.save({"x": torch.zeros(1000)}, tmp_path / "w")
    content = bytearray((tmp_path / "w").read_bytes())
    at = content.index(b"PK\x01\x02")
    for _ in range(4):  # each record of the central directory claims a thousand times what the file has
        content[at + 20 : at + 28] = struct.pack("<II", 4_000_000, 4_000_000)
        at = content.index(b"PK\x01\x02", at + 4)
    (tmp_path / "w").write_bytes(content)
    refused(tmp_path / "w", "compressed archive")


def test_a_huge_index_is_refused(tmp_path, monkeypatch, state):
    monkeypatch.setattr("workers.networks.weights.MAX_INDEX_BYTES", 100)
    torch.save(state, tmp_path / "w")
    refused(tmp_path / "w", "that are no tensors")


def test_a_torchscript_archive_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "w", "w") as archive:
        archive.writestr("net/constants.pkl", b"")
        archive.writestr("net/code/net.py", b"")
    refused(tmp_path / "w", "TorchScript")


@pytest.mark.parametrize("save", [save_new, save_old])
def test_a_tensor_that_claims_more_than_it_stores_is_refused(tmp_path, save):
    save({"x": torch.zeros(1).expand(10**12)}, tmp_path / "w")
    refused(tmp_path / "w", "no plain tensor")


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.empty(10**12, device="meta"),
        lambda: torch.zeros(2, 2).to_sparse(),
        lambda: torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8),
        lambda: 3,
        lambda: [torch.zeros(1)],
    ],
    ids=["meta", "sparse", "quantized", "number", "list"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_entries_that_are_no_plain_tensors_are_refused(tmp_path, make):
    torch.save({"x": make()}, tmp_path / "w")
    refused(tmp_path / "w", "no plain tensor")


@pytest.mark.parametrize("content", [{}, [], 5, torch.zeros(3), {1: torch.zeros(3)}])
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "w")
    refused(tmp_path / "w", "no state dict|no plain tensor")


def test_arrays_of_numpy_are_refused(tmp_path):
    torch.save({"x": np.zeros(3)}, tmp_path / "w")
    refused(tmp_path / "w", "numpy|no plain tensor")


def test_fill_copies_every_value(state):
    torch.manual_seed(1)
    network = small()
    fill(network, {key: tensor.double() for key, tensor in state.items()})
    assert same(network.state_dict(), state)
    assert network.conv.weight.dtype is torch.float32


def test_fill_tells_what_does_not_fit(state):
    state["head.weight"] = torch.zeros(5, 4)
    state["conv.bias"] = torch.zeros(())
    del state["conv.weight"]
    state.update({f"extra.{i}": torch.zeros(1) for i in range(7)})
    with pytest.raises(Invalid) as caught:
        fill(small(), state)
    detail = caught.value.detail
    assert "1 missing (conv.weight)" in detail
    assert "7 unexpected (extra.0, extra.1, extra.2, extra.3, extra.4, ...)" in detail
    assert "2 of wrong shape (conv.bias () instead of (4,), head.weight (5, 4) instead of (3, 4))" in detail
    assert caught.value.errors[0]["pointer"] == "/weights"


def test_old_batch_norms_without_a_counter_fit(state):
    del state["norm.num_batches_tracked"]
    fill(small(), dict(state))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Weights()),
        ({"artifact": "ab"}, Weights(artifact="ab")),
        ({"pretrained": "IMAGENET1K_V1"}, Weights(pretrained="IMAGENET1K_V1")),
        ({"seed": 0}, Weights(seed=0)),
        ({"seed": 2**63 - 1}, Weights(seed=2**63 - 1)),
    ],
)
def test_forms_of_weights(given, expected):
    assert Weights.from_json(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        {"artifact": 5},
        {"artifact": None},
        {"pretrained": None},
        {"seed": -1},
        {"seed": True},
        {"seed": 1.5},
        {"seed": 2**63},
        {"file": "x"},
        {"seed": 0, "artifact": "ab"},
        {"artifact": "ab", "x": 1},
    ],
)
def test_other_forms_are_refused(given):
    with pytest.raises(Invalid, match="none of the forms") as caught:
        Weights.from_json(given)
    assert caught.value.errors[0]["pointer"] == "/weights"


def test_reading_leaves_no_handle_on_the_file(tmp_path, state):
    """A file that is replaced later does not change what was read and copied."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    (tmp_path / "w").write_bytes(buffer.getvalue())
    network = small()
    fill(network, read_state(tmp_path / "w"))
    (tmp_path / "w").write_bytes(b"\x00" * len(buffer.getvalue()))
    assert same(network.state_dict(), state)
