"""Exported programs in plain form: tensors by number, and of every module its tensors, its steps and what it returns.

This is what a confined process hands back: a safetensors file, with the modules as JSON in its header. An argument is
JSON as well: None, truth values, numbers and lists are themselves, everything else is an object with one member:
`{"of": step}`, `{"tuple": [...]}`, `{"text": ...}`, `{"float": "inf"}`, `{"device": null}` (whichever the network runs
on) and `{"dtype" | "memory_format" | "layout": name}`.
"""

import json
import math
from collections.abc import Iterator
from typing import IO, Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram, unflatten
from torch.fx import Graph, Node

from service.errors import Invalid
from workers.networks.exported_archive import write_clean
from workers.networks.exported_program import LARGEST, Json

PROGRAM = "program"
"""Where the modules are in the file's header."""


def extract(archive: IO[bytes], clean: IO[bytes]) -> bytes:
    """Check an archive, load a clean copy of it, and return what it holds in plain form.

    Raises
    ------
    Invalid
        If the file is no archive of a plain network, or cannot be loaded; see `write_clean`.
    """
    write_clean(archive, clean)
    clean.seek(0)
    try:
        return _describe(torch.export.load(clean))
    except Exception as error:  # a program that contradicts itself can raise anything
        raise Invalid(f"the exported archive does not load: {error}", "/weights") from error


def _describe(program: ExportedProgram) -> bytes:
    network = unflatten(program)
    tensors = _Tensors()
    modules = {path: _describe_module(module, tensors) for path, module in network.named_modules()}
    # the root returns a list of outputs, and there is one
    modules[""]["returns"] = modules[""]["returns"]["tuple"][0]
    sizes = next(node for node in network.graph.nodes if node.op == "placeholder").meta["val"].shape
    text = json.dumps({"takes": [_describe_size(size, program) for size in sizes], "modules": modules})
    return safetensors.torch.save(tensors.stored, {PROGRAM: text})


def _describe_size(size: int | torch.SymInt, program: ExportedProgram) -> Json | int:
    """Write a size that is not fixed as its symbol, and within which limits that is."""
    if isinstance(size, int):
        return size
    limits = program.range_constraints[size.node.expr]
    most = None if limits.upper > LARGEST else int(limits.upper)
    return {"symbol": str(size), "least": int(limits.lower), "most": most}


class _Tensors:
    """The tensors of a program, each once however often it is named."""

    def __init__(self) -> None:
        self.stored: dict[str, Tensor] = {}
        self._numbers: dict[Any, int] = {}

    def describe(self, kind: str, tensor: Tensor) -> Json:
        key = (tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        number = self._numbers.setdefault(key, len(self._numbers))
        # with the dimensions in the order of their strides, a dense tensor is contiguous
        order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
        if str(number) not in self.stored:
            self.stored[str(number)] = tensor.detach().permute(order).contiguous().clone()
        return {"kind": kind, "tensor": number, "order": order}


def _describe_module(module: nn.Module, tensors: _Tensors) -> Json:
    graph = getattr(module, "graph", None)
    steps = {} if graph is None else _describe_graph(graph)
    return {"tensors": {name: tensors.describe(kind, value) for name, kind, value in _list_tensors(module)}, **steps}


def _list_tensors(module: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    for name, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
        yield name, "parameter", parameter
    for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
        yield name, "constant" if name in module._non_persistent_buffers_set else "buffer", buffer
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield name, "constant", value


def _describe_graph(graph: Graph) -> Json:
    takes = [node.name for node in graph.nodes if node.op == "placeholder"]
    steps = [_describe_step(node) for node in graph.nodes if node.op not in ("placeholder", "output")]
    return {"inputs": takes, "steps": steps, "returns": _describe_argument(graph.output_node().args[0])}


def _describe_step(node: Node) -> Json:
    target = node.target if isinstance(node.target, str) else _describe_function(node.target)
    options = {name: _describe_argument(value) for name, value in node.kwargs.items()}
    args = [_describe_argument(value) for value in node.args]
    return {"name": node.name, "does": node.op, "target": target, "args": args, "options": options}


def _describe_function(function: Any) -> str:
    if isinstance(function, torch._ops.OpOverload):
        return f"torch.ops.{function}"
    return f"{function.__module__}.{function.__name__}"


def _describe_argument(value: Any) -> Any:
    match value:
        case Node():
            return {"of": value.name}
        case tuple():
            return {"tuple": [_describe_argument(item) for item in value]}
        case list():
            return [_describe_argument(item) for item in value]
        case str():
            return {"text": value}
        case float() if not math.isfinite(value):
            return {"float": str(value)}
        case None | bool() | int() | float():
            return value
        case torch.device():
            return {"device": None}
        case torch.dtype() | torch.memory_format() | torch.layout():
            return {type(value).__name__: str(value).removeprefix("torch.")}
    raise ValueError(f"{value!r:.80} is no plain argument")
