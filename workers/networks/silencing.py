"""Which weights, set to 0, silence a unit: those that make its map, or those with which its map is read."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from workers.networks.tails.trace import IMAGES, Call, Of, Trace

LINEAR = frozenset(["conv1d", "conv2d", "conv_transpose2d", "convolution", "linear"])
"""Operators that sum what the units put in, each with weights of its own."""
_NORMS = """
    batch_norm group_norm instance_norm layer_norm native_batch_norm native_group_norm native_layer_norm
    _native_batch_norm_legit_no_training
"""
NORMS = frozenset(_NORMS.split())
"""Operators that end with a factor and an offset for each unit."""
_KEEP_ZERO = """
    abs celu elu gelu hardshrink hardswish hardtanh leaky_relu mish neg prelu relu relu6 selu silu softshrink square
    tanh
    alias clone constant_pad_nd contiguous detach dropout feature_dropout flatten lift_fresh movedim pad permute
    pixel_shuffle reshape _reshape_copy roll squeeze swapaxes to _to_copy transpose unflatten _unsafe_view unsqueeze
    view
    adaptive_avg_pool2d adaptive_max_pool2d amax avg_pool2d max_pool2d max_pool2d_with_indices mean sum
    upsample_bicubic2d upsample_bilinear2d upsample_nearest2d
"""
KEEP_ZERO = frozenset(_KEEP_ZERO.split())
"""Operators that let no unit look at another, and that make 0 of what is 0."""
SUMS, PRODUCTS = frozenset(["add", "sub"]), frozenset(["mul", "div"])
APART = KEEP_ZERO | SUMS | PRODUCTS | {"hardsigmoid", "sigmoid", "batch_norm"}
"""Operators that let no unit look at another."""


class Audible(Exception):
    """A unit cannot be silenced in this way; the text says why."""


class Slice(NamedTuple):
    """What a unit owns of a tensor: along `dim` the places from unit * width, `width` of them."""

    name: str
    """In the network's state dict."""
    dim: int
    width: int


class Silencer:
    """Finds the weights that silence the units of a traced layer.

    `state` is the network's state dict, whose tensors share their memory with those that the trace used.
    """

    def __init__(self, trace: Trace, state: Mapping[str, Tensor], units: int) -> None:
        self._calls, self._layer, self._logits, self._units = trace.calls, trace.layer, trace.logits, units
        self._names: dict[tuple[int, tuple[int, ...]], list[str]] = defaultdict(list)
        for name, tensor in state.items():
            self._names[_memory(tensor)].append(name)
        self._readers: dict[Of, list[int]] = defaultdict(list)
        self._uses: Counter[tuple[int, tuple[int, ...]]] = Counter()
        for index, call in enumerate(trace.calls):
            self._note(index, call)

    def _note(self, index: int, call: Call) -> None:
        for argument in _flat((*call.args, *call.options.values())):
            if isinstance(argument, Of):
                self._readers[argument].append(index)
            else:
                self._uses[_memory(argument)] += 1

    def made(self) -> list[Slice]:
        """Weights that make the units' maps; raise Audible where they make anything else."""
        found = list(self._make(self._layer))
        return list(dict.fromkeys(found))

    def _make(self, of: Any) -> Iterator[Slice]:
        if not isinstance(of, Of) or of == IMAGES:
            raise Audible("its map is made of something that has no weights for each unit")
        call = self._calls[of.call]
        name, given = name_of(call), arguments_of(call)
        if name in LINEAR | NORMS:
            self._check_readers(of)
            dim = 1 if _is_transposed(call) else 0
            yield self._slice(given["weight"], dim)
            if given.get("bias") is not None:
                yield self._slice(given["bias"], 0)
        elif name in KEEP_ZERO:
            yield from self._make(call.args[0])
        elif name in SUMS and all(isinstance(argument, Of) for argument in call.args[:2]):
            for argument in call.args[:2]:
                yield from self._make(argument)
        elif name in PRODUCTS:
            yield from self._make_either(call)
        else:
            raise Audible(f"its map is made by an operator ({name}) without weights for each unit")

    def _make_either(self, call: Call) -> list[Slice]:
        """Silence one factor of a product; a quotient has one that will do, the first."""
        factors = [argument for argument in call.args[:2] if isinstance(argument, Of)]
        reasons = []
        for factor in factors if name_of(call) == "mul" else factors[:1]:
            try:
                return list(self._make(factor))
            except Audible as reason:
                reasons.append(reason)
        raise reasons[0]

    def _check_readers(self, of: Of) -> None:
        """See that an output goes into the layer and nowhere else, its units apart all the way."""
        waiting = [of]
        while waiting:
            output = waiting.pop()
            if output == self._layer:
                continue
            for index in self._readers[output]:
                name = name_of(self._calls[index])
                if name not in APART:
                    raise Audible(f"what its map is made of is read by others, too ({name})")
                waiting += self._outputs(index)
            if output == self._logits:
                raise Audible("what its map is made of reaches the classes by another way, too")

    def read(self) -> list[Slice]:
        """Weights with which the units' maps are read; raise Audible where they are read without such weights."""
        found: list[Slice] = []
        waiting = [self._layer]
        seen: set[int] = set()
        while waiting:
            output = waiting.pop()
            if output == self._logits:
                raise Audible("its map reaches the classes without passing weights")
            for index in set(self._readers[output]) - seen:
                seen.add(index)
                columns = self._columns(index, output)
                found += columns
                waiting += [] if columns else self._outputs(index)
        if not found:
            raise Audible("nothing reads its map")
        return sorted(found)

    def _columns(self, index: int, of: Of) -> list[Slice]:
        """The weights of a linear map for each unit of what it is given; none where the units just pass."""
        call = self._calls[index]
        name, given = name_of(call), arguments_of(call)
        if name in LINEAR and call.args[0] == of:
            groups = given.get("groups", 1)
            if groups not in (1, self._units):
                raise Audible("its map is read by a convolution in groups")
            rows = groups != 1 or _is_transposed(call)  # of a depthwise convolution or a transposed one
            return [self._slice(given["weight"], 0 if rows else 1)]
        if name not in KEEP_ZERO | {"mul"} and not (name == "div" and call.args[0] == of):
            raise Audible(f"its map is read by an operator ({name}) that passes it on without weights for each unit")
        return []

    def _outputs(self, index: int) -> list[Of]:
        return [Of(index, output) for output in range(len(self._calls[index].shapes))]

    def _slice(self, weight: Any, dim: int) -> Slice:
        """A parameter's share of a unit; raise Audible for what is no parameter, or is one of several uses."""
        if not isinstance(weight, Tensor):
            raise Audible("what silences it is no weight but is computed")
        names = self._names[_memory(weight)]
        if not names or weight.shape[dim] % self._units:
            raise Audible("what silences it is no weight of one unit each")
        if len(names) > 1 or self._uses[_memory(weight)] > 1:
            raise Audible(f"the weights {names[0]!r} are used elsewhere, too")
        return Slice(names[0], dim, weight.shape[dim] // self._units)


def name_of(call: Call) -> str:
    """Name of an operator without its overload, the same for the one that works in place."""
    return call.function._schema.name.partition("::")[2].removesuffix("_")


def arguments_of(call: Call) -> dict[str, Any]:
    """Arguments by the names that the operator gives them."""
    names = (argument.name for argument in call.function._schema.arguments)
    return dict(zip(names, call.args, strict=False)) | dict(call.options)


def _is_transposed(call: Call) -> bool:
    return name_of(call) == "conv_transpose2d" or bool(arguments_of(call).get("transposed"))


def _memory(tensor: Tensor) -> tuple[int, tuple[int, ...]]:
    return tensor.data_ptr(), tuple(tensor.shape)


def _flat(argument: Any) -> Iterator[Any]:
    """Yield tensors and outputs of calls in an argument."""
    if isinstance(argument, Of | Tensor):
        yield argument
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from _flat(item)
