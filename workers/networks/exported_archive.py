"""Clean copies of `torch.export` archives: what torch.export.load shall see of a file that anybody may have written.

torch.export.load unpickles some entries and looks others up by what their neighbours say. Here every entry is known by
its name and checked; only tensors' bytes are copied as they are, and the rest is written anew.
"""

import json
import os
import re
import shutil
import zipfile
from math import prod
from typing import IO, Any

import torch
from torch._export.serde.serialize import deserialize_scalar_type

from service.errors import Invalid
from workers.networks.exported_program import Json, check_payloads, check_program, refuse
from workers.networks.weights import MAX_INDEX_BYTES

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"
FIXED = {"archive_format": b"pt2", "archive_version": b"0", "byteorder": b"little"}
"""Entries that say what kind of archive this is; another version or byte order is refused."""
TENSOR = re.compile(r"data/(weights/weight|constants/tensor)_\d{1,6}")
LEFT_OUT = re.compile(r"data/sample_inputs/model\.pt|\.data/(version|serialization_id)|extra/[^/]{1,128}")
"""Nothing here reads them, and the sample inputs are pickled."""


def write_clean(file: IO[bytes], target: IO[bytes]) -> None:
    """Write an archive that holds the same program and tensors, and nothing that is run or unpickled when it is loaded.

    Raises
    ------
    Invalid
        If the file is no such archive, is damaged, or holds anything that cannot be taken over.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as clean:
            _copy(source, clean, _list_entries(source, size))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RecursionError, RuntimeError, ValueError) as error:
        raise Invalid(f"the exported archive is cut off or damaged: {error}", "/weights") from error


def _list_entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Entries by their names below the archive's one folder, all of them known and stored as they are."""
    entries: dict[str, zipfile.ZipInfo] = {}
    folder = archive.namelist()[0].partition("/")[0] if archive.namelist() else ""
    for entry in archive.infolist():
        name = entry.filename.removeprefix(f"{folder}/")
        if entry.filename == name or name in entries or not _is_known(name):
            refuse(f"its entry {entry.filename[:200]!r} is not one that torch.export.save writes for a network")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            refuse("its entries are compressed or encrypted; torch.export.save stores them as they are")
        entries[name] = entry
    if sum(entry.file_size for entry in entries.values()) > size:
        refuse("its entries overlap")
    if missing := [name for name in (*FIXED, PROGRAM, WEIGHTS, CONSTANTS) if name not in entries]:
        refuse(f"it has no entry {missing[0]!r}; write it with torch.export.save of torch 2.14")
    return entries


def _is_known(name: str) -> bool:
    fixed = name in FIXED or name in (PROGRAM, WEIGHTS, CONSTANTS)
    return fixed or bool(TENSOR.fullmatch(name) or LEFT_OUT.fullmatch(name))


def _copy(source: zipfile.ZipFile, clean: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
    for name, content in FIXED.items():
        if entries[name].file_size != len(content) or source.read(entries[name]) != content:
            refuse(f"its {name} is not {content.decode()!r}; write it with torch.export.save of torch 2.14")
        clean.writestr(f"model/{name}", content)
    clean.writestr("model/.data/version", b"6\n")
    clean.writestr(f"model/{SAMPLES}", b"")
    clean.writestr(f"model/{PROGRAM}", json.dumps(check_program(_read_json(source, entries[PROGRAM]))))
    for config in (WEIGHTS, CONSTANTS):
        payloads = check_payloads(_read_json(source, entries[config]))
        clean.writestr(f"model/{config}", json.dumps({"config": payloads}))
        folder = config.rpartition("/")[0]
        for path in {f"{folder}/{payload['path_name']}" for payload in payloads.values()}:
            if path not in entries:
                refuse(f"it has no entry {path!r}")
            with source.open(entries[path]) as stored, clean.open(f"model/{path}", "w", force_zip64=True) as copy:
                shutil.copyfileobj(stored, copy)
        for name, payload in payloads.items():
            _check_size(name, payload["tensor_meta"], entries[f"{folder}/{payload['path_name']}"].file_size)


def _read_json(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    if entry.file_size > MAX_INDEX_BYTES:
        refuse(f"{entry.filename[:200]!r} has {entry.file_size} bytes, more than {MAX_INDEX_BYTES}")
    return json.loads(archive.read(entry))


def _check_size(name: str, meta: Json, stored: int) -> None:
    """Refuse a tensor that claims more values than its entry has, or places outside of it."""
    sizes, strides, (offset,) = (_numbers(name, meta[key]) for key in ("sizes", "strides", "storage_offset"))
    if len(sizes) != len(strides):
        refuse(f"the shape of {name!r} makes no sense")
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    needed = max(prod(sizes), last + 1 if prod(sizes) else 0)
    if needed * torch.empty(0, dtype=deserialize_scalar_type(meta["dtype"])).element_size() > stored:
        refuse(f"{name!r} claims more values than the {stored} bytes that are stored")


def _numbers(name: str, sizes: list[Json] | Json) -> list[int]:
    numbers = [size.get("as_int", -1) for size in (sizes if isinstance(sizes, list) else [sizes])]
    return numbers if min(numbers, default=0) >= 0 else refuse(f"the shape of {name!r} is not fixed")
