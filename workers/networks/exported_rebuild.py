"""Networks from exported programs in plain form: all is held against what it may be, nothing evaluated."""

import json
import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from workers.networks.exported_modules import ExportedNetwork, Of, Plan, Program, Size, Step
from workers.networks.exported_operators import SCALAR, is_known
from workers.networks.exported_plain import PROGRAM
from workers.networks.exported_program import NAME, OPTION, RESERVED, Json, refuse
from workers.networks.weights import MAX_INDEX_BYTES

PART = re.compile(r"([A-Za-z0-9_-]{1,128})(@\d{1,4})?")
"""Of a path: the name of a module in another, or of a tensor in a module."""
DEEPEST = 32
"""Modules within each other."""
LONGEST = 10**6
"""Steps of one pass through the network."""
TAKEN = RESERVED | {*dir(ExportedNetwork(Plan((), (), None), ()))}
NAMED = {
    kind: {str(value).removeprefix("torch."): value for value in vars(torch).values() if isinstance(value, of)}
    for kind, of in {"dtype": torch.dtype, "memory_format": torch.memory_format}.items()
} | {"layout": {"strided": torch.strided}}
"""What arguments name, by kind."""


def rebuild(file: Path, device: torch.device) -> ExportedNetwork:
    """Build a network from its plain form, with its tensors on a device.

    Raises
    ------
    Invalid
        If anything in the file is not what `extract` writes for a checked program.
    """
    try:
        with safe_open(file, "pt") as content:
            text = content.metadata()[PROGRAM]
            if len(text) > MAX_INDEX_BYTES:
                refuse(f"its program has {len(text)} characters, more than {MAX_INDEX_BYTES}")
            return _build(json.loads(text), _Tensors(content, device), device)
    except torch.OutOfMemoryError:
        raise
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
        refuse(f"its plain form makes no sense: {error!r:.200}")


def _build(program: Json, tensors: "_Tensors", device: torch.device) -> ExportedNetwork:
    described: Mapping[str, Json] = program["modules"]
    plans = {path: _read_plan(path, described, device) for path in described if "steps" in described[path]}
    _limit_work(plans)
    network = ExportedNetwork(plans[""], [_read_size(size) for size in program["takes"]])
    modules: dict[str, nn.Module] = {"": network}
    for path in described:
        if path:
            parent, _, name = path.rpartition(".")
            modules[path] = Program(plans[path]) if path in plans else nn.Module()
            modules[parent].add_module(_check_part(name), modules[path])
        for name, tensor in described[path]["tensors"].items():
            tensors.assign(modules[path], _check_part(name), tensor)
    return network


def _check_part(name: str) -> str:
    part = PART.fullmatch(name)
    if not part or part[1] in TAKEN:
        refuse(f"{name[:80]!r} is no plain name, or one that every module's own parts bear")
    return name


class _Tensors:
    """The tensors of a file, each made once for each kind of use."""

    def __init__(self, content: Any, device: torch.device) -> None:
        self._content, self._device = content, device
        self._made: dict[tuple[int, str], Tensor] = {}

    def assign(self, module: nn.Module, name: str, described: Json) -> None:
        kind, tensor = described["kind"], self._make(**described)
        match kind:
            case "parameter":
                module.register_parameter(name, tensor)
            case "buffer" | "constant":
                module.register_buffer(name, tensor, persistent=kind == "buffer")
            case _:
                refuse(f"{kind!r:.80} is no kind of tensor")

    def _make(self, kind: str, tensor: int, order: list[int]) -> Any:
        if (tensor, kind) not in self._made:
            stored = self._content.get_tensor(str(tensor))
            if sorted(order) != [*range(stored.ndim)]:
                refuse(f"{order!r:.80} is no order of dimensions")
            back = sorted(range(stored.ndim), key=order.__getitem__)
            # a copy, for what is mapped from a file would change with it
            value = stored.clone().permute(back).to(self._device)
            self._made[tensor, kind] = nn.Parameter(value, requires_grad=False) if kind == "parameter" else value
        return self._made[tensor, kind]


def _limit_work(plans: Mapping[str, Plan]) -> None:
    """Refuse modules that call each other so often that a pass would never end."""
    work: dict[str, int] = {}
    for path in sorted(plans, key=lambda path: -_depth(path)):
        calls = [_join(path, step.target) for step in plans[path].steps if step.does == "call_module"]
        work[path] = len(plans[path].steps) + sum(work[call] for call in calls)
        if work[path] > LONGEST or _depth(path) > DEEPEST:
            refuse(f"it has more than {LONGEST} steps, or more than {DEEPEST} modules within each other")


def _depth(path: str) -> int:
    return path.count(".") + 1 if path else 0


def _join(path: str, target: str) -> str:
    return ".".join(filter(None, (path, target)))


def _read_size(size: Any) -> Size | int:
    match size:
        case int():
            return size
        case {"symbol": str(symbol), "least": int(least), "most": (int() | None) as most}:
            return Size(symbol, least, most)
        case _:
            return refuse(f"{size!r:.80} is no size")


def _read_plan(path: str, described: Mapping[str, Json], device: torch.device) -> Plan:
    module = described[path]
    known: set[str] = set()
    for name in module["inputs"]:
        _add_name(known, name)
    steps = [_read_step(step, known, path, described, device) for step in module["steps"]]
    return Plan(tuple(module["inputs"]), steps, _read_argument(module["returns"], known, device))


def _read_step(step: Json, known: set[str], path: str, described: Mapping[str, Json], device: torch.device) -> Step:
    does, target = step["does"], step["target"]
    args = tuple(_read_argument(value, known, device) for value in step["args"])
    options = {name: _read_argument(value, known, device) for name, value in step["options"].items()}
    function = _find_function(target, args) if does == "call_function" else None
    if function is None and not (_is_reachable(does, target, path, described) and not options):
        refuse(f"a step {does!r:.80} {target!r:.80} leads nowhere")
    _add_name(known, step["name"])
    return Step(step["name"], does, target, function, args, options)


def _is_reachable(does: str, target: str, path: str, described: Mapping[str, Json]) -> bool:
    """Whether a module has such a module or tensor in it."""
    if does == "call_module":
        return "steps" in described.get(_join(path, target), {})
    owner, _, name = target.rpartition(".")
    return does == "get_attr" and name in described.get(_join(path, owner), {"tensors": {}})["tensors"]


def _add_name(known: set[str], name: str) -> None:
    if not NAME.fullmatch(name) or name in known:
        refuse(f"{name[:80]!r} is no plain name, or not the only one")
    known.add(name)


def _find_function(target: str, args: tuple[Any, ...]) -> Callable[..., Any]:
    if target == "_operator.getitem" and len(args) == 2 and isinstance(args[0], Of) and type(args[1]) is int:
        return operator.getitem
    if not is_known(target):
        refuse(f"it calls {target!r:.80}, which is not among the operators that an archive may call")
    place, _, name = target.rpartition(".")
    if target in SCALAR:
        return _on_numbers(getattr(torch if place == "torch" else operator, name))
    operators: Callable[..., Any] = getattr(getattr(torch.ops.aten, place.rpartition(".")[2]), name)
    return operators


def _on_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a function from anything but numbers: a list times a number would fill the memory."""

    def run(*args: int | float) -> Any:
        if not all(isinstance(arg, int | float) for arg in args):
            raise TypeError("arithmetic on what is no size")
        return function(*args)

    return run


def _read_argument(value: Any, known: set[str], device: torch.device) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case list():
            return [_read_argument(item, known, device) for item in value]
        case dict() if len(value) == 1:
            ((kind, content),) = value.items()
            return _read_member(kind, content, known, device)
        case _:
            return refuse(f"{value!r:.80} is no plain argument")


def _read_member(kind: str, content: Any, known: set[str], device: torch.device) -> Any:
    match kind, content:
        case "of", str() if content in known:
            return Of(content)
        case "tuple", list():
            return tuple(_read_argument(item, known, device) for item in content)
        case "text", str() if OPTION.fullmatch(content):
            return content
        case "float", "inf" | "-inf" | "nan":
            return float(content)
        case "device", None:
            return device
        case "dtype" | "memory_format" | "layout", str() if content in NAMED[kind]:
            return NAMED[kind][content]
        case _:
            return refuse(f"{content!r:.80} is no {kind[:80]} that is known there")
