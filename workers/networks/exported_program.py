"""The program in a `torch.export` archive: its JSON, copied part by part by the schema, or refused.

Names become Python source (torch.fx writes a `forward` for every module), shape expressions are evaluated by sympy,
and targets are looked up by attribute; so every string is held against what it may be, and those that only describe
where the program came from are left out.
"""

import re
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from functools import cache
from keyword import iskeyword
from types import NoneType, UnionType
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from torch import nn
from torch._export.serde import schema
from torch._export.serde.union import _Union
from torch.export.unflatten import UnflattenedModule

from service.errors import Invalid
from workers.networks.exported_operators import SCALAR, is_known

Json = dict[str, Any]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
PATH = re.compile(r"[A-Za-z0-9_-]{1,128}(\.[A-Za-z0-9_-]{1,128}){0,31}(@\d{1,4})?")
"""Of a module or tensor in the network; `@1` marks a module's second call."""
STACK_KEY = re.compile(r"[A-Za-z0-9_.@-]{1,512}")
SYMBOL = re.compile(r"s\d{1,4}")
BATCH = re.compile(r"Symbol\('(s\d{1,4})'")
SIZE = re.compile(r"Integer\(-?\d{1,18}\)|Symbol\('s\d{1,4}'(, (positive|nonnegative|integer)=True){0,3}\)")
SIZES = re.compile(r"(Add|Mul|Min|Max|FloorDiv|Mod)\(#(, #){0,15}\)")
"""What sizes are computed by: whole numbers and symbols, and functions of them (`#`)."""
LONGEST = 1000
"""Characters of such an expression."""
OPTION = re.compile(r"[A-Za-z0-9_ ,.>-]{0,256}")
"""A string among an operator's arguments, such as a padding mode or the equation of einsum."""
LARGEST = 2**63
RESERVED = frozenset([*dir(nn.Module()), *dir(UnflattenedModule), "graph", "graph_module", "graph_signature"])
"""Names that a module's own parts bear."""
MANY = 256
"""Batches up to this size must be allowed; none is larger."""
REMEDY = (
    "export with torch.export.export(model.eval(), (torch.zeros(2, 3, h, w),), "
    'dynamic_shapes=({0: torch.export.Dim("batch")},)), or by `unitatlas export`'
)

VARIANTS: dict[type, set[str]] = {
    schema.Argument: {
        *("as_none", "as_tensor", "as_tensors", "as_optional_tensor", "as_optional_tensors"),
        *("as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string"),
        *("as_sym_int", "as_sym_ints", "as_sym_float", "as_sym_floats", "as_sym_bool", "as_sym_bools"),
        *("as_scalar_type", "as_memory_format", "as_layout", "as_device"),
    },
    schema.InputSpec: {"user_input", "parameter", "buffer", "tensor_constant"},
    schema.OutputSpec: {"user_output", "buffer_mutation"},
}
"""Which members of a union may be there; of unions that are not named here, all."""
SCALARS = {"as_int", "as_float", "as_bool", "as_sym_int", "as_sym_float", "as_sym_bool"}
ONE_TENSOR_IN = (
    '[1, {"type": "builtins.tuple", "context": "null", "children_spec": [{"type": "builtins.tuple", "context": "null", '
    '"children_spec": [{"type": null, "context": null, "children_spec": []}]}, '
    '{"type": "builtins.dict", "context": "[]", "children_spec": []}]}]'
)
ONE_TENSOR_OUT = '[1, {"type": null, "context": null, "children_spec": []}]'


def check_program(program: Any) -> Json:
    """Copy a program that takes a batch of images and returns one tensor, and does nothing but compute.

    Raises
    ------
    Invalid
        If it is of another version, has another form than the schema's, calls an unknown operator, holds anything that
        would have to be evaluated or unpickled, was exported in training mode or for one size of batch.
    """
    _check_version(program)
    checked: Json = _copy(schema.ExportedProgram, program)
    _check_batch(checked)
    return checked


def check_payloads(config: Any) -> Json:
    """Copy the table of a program's tensors; raise Invalid for one that is pickled or has a symbol in its shape."""
    table: Json = _copy(schema.PayloadConfig, config)["config"]
    for name, payload in table.items():
        if payload["use_pickle"] or payload["tensor_meta"] is None:
            refuse(f"{name!r} is pickled; only plain tensors are read")
        _expect(PATH, name)
    return table


def refuse(problem: str) -> NoReturn:
    """Raise Invalid about an exported archive."""
    raise Invalid(f"the exported archive is not usable: {problem}", "/weights")


def _check_version(program: Any) -> None:
    version = program.get("schema_version") if isinstance(program, dict) else None
    major, minor = schema.SCHEMA_VERSION
    match version:
        case {"major": int(found), "minor": int(least)} if found == major and least <= minor:
            return
    refuse(f"its schema version is {version}, this service reads {major}.0 to {major}.{minor}; export it anew")


def _check_batch(program: Json) -> None:
    graph, signature = program["graph_module"]["graph"], program["graph_module"]["signature"]
    images = [spec["user_input"]["arg"] for spec in signature["input_specs"] if "user_input" in spec]
    if [*map(list, images)] != [["as_tensor"]] or len(graph["outputs"]) != 1 or "as_tensor" not in graph["outputs"][0]:
        refuse(f"its program does not take one tensor and return one; {REMEDY}")
    meta = graph["tensor_values"].get(images[0]["as_tensor"]["name"], {})
    if meta.get("dtype") != schema.ScalarType.FLOAT or len(meta["sizes"]) != 4:
        refuse(f"its program does not take float32 images of shape (batch, channels, height, width); {REMEDY}")
    batch = BATCH.match(meta["sizes"][0].get("as_expr", {}).get("expr_str", ""))
    limits = program["range_constraints"].get(batch[1] if batch else None, {"min_val": MANY, "max_val": 1})
    if (limits["min_val"] or 0) > 1 or (limits["max_val"] or MANY) < MANY:
        refuse(f"it does not take batches of every size from 1 to {MANY}; {REMEDY}")


def _copy(kind: Any, value: Any) -> Any:
    """Copy a value that has exactly the type `kind`, a part of the schema."""
    arguments = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        (present,) = (argument for argument in arguments if argument is not NoneType)
        return None if value is None else _copy(present, value)
    if get_origin(kind) is list:
        return [_copy(arguments[0], item) for item in _of(list, value)]
    if get_origin(kind) is dict:
        return {_of(str, key): _copy(arguments[1], item) for key, item in _of(dict, value).items()}
    if is_dataclass(kind):
        return _copy_object(kind, _of(dict, value))
    return _copy_scalar(kind, value)


def _copy_object(kind: Any, value: Json) -> Json:
    types, required = _fields(kind)
    if not value.keys() <= types.keys() or not required <= value.keys():
        refuse(f"{', '.join(map(repr, value))} are not the fields of {kind.__name__}")
    if issubclass(kind, _Union) and (len(value) != 1 or not value.keys() <= VARIANTS.get(kind, types.keys())):
        refuse(f"{', '.join(map(repr, value))} cannot stand for {kind.__name__}")
    copied = {name: _copy(types[name], item) for name, item in value.items()}
    return CHECKS[kind](copied) if kind in CHECKS else copied


@cache
def _fields(kind: Any) -> tuple[Json, frozenset[str]]:
    """Types of a dataclass's fields, and the names of those that must be given."""
    optional = {f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING}
    types = get_type_hints(kind, vars(schema))
    types = {field.name: types[field.name] for field in fields(kind)}
    return types, frozenset() if issubclass(kind, _Union) else frozenset(types.keys() - optional)


def _copy_scalar(kind: type, value: Any) -> Any:
    if issubclass(kind, IntEnum):
        return _of(int, value) if value in [*kind] else refuse(f"{value!r} is no {kind.__name__}")
    if kind is float and (type(value) in (int, float) or value in ("Infinity", "-Infinity", "NaN")):
        return float(value)
    if kind is int and abs(_of(int, value)) > LARGEST:
        refuse(f"{value} is too large a number")
    return _of(kind, value)


def _of(kind: type, value: Any) -> Any:
    return value if type(value) is kind else refuse(f"{_shown(value)} stands where a {kind.__name__} should")


def _expect(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text) or iskeyword(text):
        refuse(f"{_shown(text)} is no plain name")
    if pattern is PATH and not RESERVED.isdisjoint(text.partition("@")[0].split(".")):
        refuse(f"{_shown(text)} bears a name that every module uses for a part of its own")
    return text


def _check_size(size: Json) -> Json:
    """Check a size's expression, which sympy will evaluate, by reducing it from the innermost functions outwards."""
    text: str = size["expr_str"]
    rest = "" if len(text) > LONGEST or "#" in text else SIZE.sub("#", text)
    while rest != (shorter := SIZES.sub("#", rest)):
        rest = shorter
    return size if rest == "#" else refuse(f"{_shown(text)} is no plain size")


def _shown(value: Any) -> str:
    return repr(value)[:80]


def _plain(field: str, pattern: re.Pattern[str] = NAME) -> Callable[[Json], Json]:
    """Make a check that a string, where it is there, matches a pattern."""

    def check(value: Json) -> Json:
        if value.get(field) is not None:
            _expect(pattern, value[field])
        return value

    return check


def _check_argument(argument: Json) -> Json:
    if argument.get("as_layout", schema.Layout.Strided) != schema.Layout.Strided:
        refuse("it computes on tensors that are not dense")
    return _plain("as_string", OPTION)(argument)


def _check_named(argument: Json) -> Json:
    name, arg = argument["name"], argument["arg"]
    if name in ("train", "training", "dropout_p") and any(arg.values()):
        refuse(f"it was exported in training mode; {REMEDY}")
    return argument if name == "" else _plain("name")(argument)


def _check_node(node: Json) -> Json:
    if not is_known(node["target"]):
        refuse(f"it calls {_shown(node['target'])}, which is not among the operators that an archive may call")
    kinds = {kind for given in node["inputs"] for kind in given["arg"]}
    if node["target"] in SCALAR and not kinds <= SCALARS:
        refuse(f"it calls {node['target']} on what is no size")
    stack = node["metadata"].get("nn_module_stack")
    origin = {} if stack is None else {"nn_module_stack": ";".join(map(_check_frame, stack.split(";")))}
    return _plain("name")(node | {"metadata": origin, "is_hop_single_tensor_return": None})


def _check_frame(frame: str) -> str:
    """Keep of `key,path,class` what says where in the network a node lies."""
    match frame.split(",", 2):
        case [key, path, _]:
            return f"{_expect(STACK_KEY, key)},{_expect(PATH, path) if path else ''},torch.nn.Module"
    refuse(f"{_shown(frame)} does not say which module a node belongs to")


def _check_graph(graph: Json) -> Json:
    for table in ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"):
        for name in graph.get(table, {}):
            _expect(NAME, name)
    if graph.get("custom_obj_values"):
        refuse("it holds objects that are no tensors")
    return graph


def _check_meta(meta: Json) -> Json:
    if meta["layout"] != schema.Layout.Strided or meta["dtype"] == schema.ScalarType.UNKNOWN:
        refuse("it holds tensors that are not dense")
    return meta


def _check_output(output: Json) -> Json:
    return output if "user_output" in output else refuse(f"it changes its own buffers; {REMEDY}")


def _check_call(call: Json) -> Json:
    if call["fqn"]:
        return {"fqn": _expect(PATH, call["fqn"]), "signature": None}
    return {"fqn": "", "signature": {"inputs": [], "outputs": [], "in_spec": ONE_TENSOR_IN, "out_spec": ONE_TENSOR_OUT}}


def _check_top(program: Json) -> Json:
    """Leave out what nothing here needs: guards are source code, and the rest only describes."""
    for symbol in program["range_constraints"]:
        _expect(SYMBOL, symbol)
    kept = ("graph_module", "range_constraints", "schema_version")
    aten = {"aten": program["opset_version"].get("aten", 0)}
    return {name: program[name] for name in kept} | {"opset_version": aten, "verifiers": ["TRAINING"]}


CHECKS: dict[type, Callable[[Json], Json]] = {
    schema.Device: lambda _: {"type": "cpu", "index": None},
    schema.SymExpr: _check_size,
    schema.SymIntArgument: _plain("as_name"),
    schema.SymFloatArgument: _plain("as_name"),
    schema.SymBoolArgument: _plain("as_name"),
    schema.TensorArgument: _plain("name"),
    schema.TensorMeta: _check_meta,
    schema.Argument: _check_argument,
    schema.NamedArgument: _check_named,
    schema.Node: _check_node,
    schema.Graph: _check_graph,
    schema.InputToParameterSpec: _plain("parameter_name", PATH),
    schema.InputToBufferSpec: _plain("buffer_name", PATH),
    schema.InputToTensorConstantSpec: _plain("tensor_constant_name", PATH),
    schema.OutputSpec: _check_output,
    schema.ModuleCallEntry: _check_call,
    schema.GraphModule: lambda module: module | {"metadata": {}, "treespec_namedtuple_fields": {}},
    schema.PayloadMeta: _plain("path_name", re.compile(r"(weight|tensor)_\d{1,6}")),
    schema.ExportedProgram: _check_top,
}
"""What is looked at, changed or left out beyond the types."""
