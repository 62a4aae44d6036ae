"""What a network computes for some images, call by call."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

aten = torch.ops.aten
READING = {aten.is_nonzero.default, aten.allclose.default, aten.resolve_neg.default}
"""Operators, beside those that say it themselves, that hand a tensor's values to Python (`tolist` by the last)."""


_BY_SHAPE = """
    empty_like full_like new_empty new_full new_ones new_zeros ones_like sym_numel sym_size sym_stride zeros_like
"""
BY_SHAPE = frozenset(_BY_SHAPE.split())
"""Operators that look at nothing but the shape of what they are given."""


class CannotCut(Exception):
    """A network cannot be cut behind a layer; the text says why."""


class Of(NamedTuple):
    """As an argument: an output of a call; those of call -1 are the images."""

    call: int
    output: int


IMAGES = Of(-1, 0)


class Shape(NamedTuple):
    """Of a tensor that a call put out."""

    sizes: tuple[int, ...]
    dtype: torch.dtype
    fresh: bool
    """Whether the tensor shares its memory with none that the call was given."""

    @property
    def nbytes(self) -> int:
        """Bytes of its values."""
        return torch.Size(self.sizes).numel() * self.dtype.itemsize


@dataclass(frozen=True)
class Call:
    """One call of an operator."""

    function: OpOverload
    args: tuple[Any, ...]
    options: Mapping[str, Any]
    shapes: tuple[Shape | None, ...]
    """Of its outputs; None for one that is no tensor."""
    constants: tuple[Any, ...]
    """The outputs themselves, where they do not depend on the images' values."""


@dataclass
class Trace:
    """The calls of one pass, and which of them the layer's output and the logits come from."""

    images: Tensor
    calls: list[Call] = field(default_factory=list)
    layer: Of = IMAGES
    output: Tensor | None = None
    logits: Of = IMAGES


class _Known(NamedTuple):
    of: Of
    live: bool
    """Whether it depends on the images' values."""
    writes: int
    """How often its memory had been written to when it was put out."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every call of an operator within the block, and passes it on.

    Raises
    ------
    CannotCut
        Where a call reads values of the images out of a tensor, or reads a tensor that was overwritten under another
        name: repeating the calls for other images would not give what the network gives.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = Trace(images)
        self._known: MutableMapping[Tensor, _Known] = WeakTensorKeyDictionary()
        self._writes: dict[int, int] = {}
        self._know(images, IMAGES, live=True)

    def find(self, tensor: Tensor) -> Of:
        """Tell which call a tensor came from; raise CannotCut for one that did not come from the images."""
        known = self._known.get(tensor)
        if known is None or not known.live:
            raise CannotCut("its output does not come from the images by way of torch's operators")
        return known.of

    def __torch_dispatch__(
        self, function: OpOverload, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Note a call."""
        options: dict[str, Any] = kwargs or {}
        given = [*tensors_in((*args, *options.values()))]
        known = [self._is_live(tensor) for tensor in given]
        live = any(known) and name_of(function) not in BY_SHAPE
        if live:
            _check_reading(function, args)
        noted = self._note(args), {name: self._note(value) for name, value in options.items()}
        memory = {_memory(tensor) for tensor in given}
        result = function(*args, **options)
        outputs = tuple(result) if isinstance(result, tuple | list) else (result,)
        self._note_writes(function, args, live)
        shapes = tuple(_shape(output, memory) for output in outputs)
        self.trace.calls.append(Call(function, *noted, shapes, () if live else outputs))
        for index, output in enumerate(outputs):
            if isinstance(output, Tensor):
                self._know(output, Of(len(self.trace.calls) - 1, index), live)
        return result

    def _know(self, tensor: Tensor, of: Of, live: bool) -> None:
        self._known[tensor] = _Known(of, live, self._writes.get(_memory(tensor), 0))

    def _is_live(self, tensor: Tensor) -> bool:
        known = self._known.get(tensor)
        if (known.writes if known else 0) != self._writes.get(_memory(tensor), 0):
            raise CannotCut("it reads a tensor that it overwrote under another name")
        return known is not None and known.live

    def _note_writes(self, function: OpOverload, args: tuple[Any, ...], live: bool) -> None:
        if not live:
            return
        for argument, value in zip(function._schema.arguments, args, strict=False):
            if argument.is_write and isinstance(value, Tensor):
                self._writes[_memory(value)] = self._writes.get(_memory(value), 0) + 1

    def _note(self, argument: Any) -> Any:
        """Put in place of a tensor the call that it came from, where there is one."""
        if isinstance(argument, Tensor):
            known = self._known.get(argument)
            return argument if known is None else known.of
        return rebuild(argument, self._note)


def tensors_in(argument: Any) -> Iterator[Tensor]:
    """Yield the tensors in an argument."""
    if isinstance(argument, Tensor):
        yield argument
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from tensors_in(item)


def uses_in(argument: Any) -> list[Of]:
    """List the outputs of calls in an argument."""
    if isinstance(argument, Of):
        return [argument]
    return [use for item in argument for use in uses_in(item)] if isinstance(argument, tuple | list) else []


def find_argument(operator: OpOverload, args: Sequence[Any], options: Mapping[str, Any], name: str) -> Any:
    """Value of an operator's argument by its name; None where it has none of this name."""
    for index, argument in enumerate(operator._schema.arguments):
        if argument.name == name:
            given = args[index] if index < len(args) else None
            return options.get(name, argument.default_value if given is None else given)
    return None


def rebuild(argument: Any, replace: Callable[[Any], Any]) -> Any:
    """Copy a list or tuple with every item replaced; anything else stays."""
    if isinstance(argument, list):
        return [replace(item) for item in argument]
    return tuple(replace(item) for item in argument) if isinstance(argument, tuple) else argument


def trace(module: nn.Module, layer: nn.Module, calls: int, images: Tensor) -> Trace:
    """Run a network on images (B, 3, H, W) and note what it computes; the layer runs so many times in a pass."""
    count = 0
    recorder = Recorder(images)
    found = recorder.trace

    def note(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        nonlocal count
        count += 1
        if count != calls or not isinstance(output, Tensor):
            return output
        # a tensor of its own, for a layer that does nothing puts out what it was given
        found.output = aten.alias.default(output)
        found.layer = recorder.find(found.output)
        return found.output

    with torch.inference_mode(), layer.register_forward_hook(note), recorder:
        logits = module(images)
    found.logits = recorder.find(logits)
    return found


def name_of(function: OpOverload) -> str:
    """Name of an operator without its overload, the same for the one that works in place."""
    name: str = function._schema.name.partition("::")[2]
    return name.removesuffix("_")


def _check_reading(function: OpOverload, args: tuple[Any, ...]) -> None:
    by_number = function is aten.index.Tensor and all(index.dtype != torch.bool for index in tensors_in(args[1]))
    depends = torch.Tag.dynamic_output_shape in function.tags and not by_number
    if depends or torch.Tag.data_dependent_output in function.tags or function in READING:
        raise CannotCut(f"what it computes depends on values that it reads ({function})")


def _memory(tensor: Tensor) -> int:
    memory: int = tensor.untyped_storage()._cdata
    return memory


def _shape(output: Any, memory: set[int]) -> Shape | None:
    if not isinstance(output, Tensor):
        return None
    return Shape(tuple(output.shape), output.dtype, _memory(output) not in memory)
