"""The modules of a network that came as an archive: steps that run one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn


class Of(NamedTuple):
    """As an argument: what the step of this name yielded, or what the module was given under it."""

    name: str


class Size(NamedTuple):
    """A size that is not fixed: equal wherever the symbol is, within its limits."""

    symbol: str
    least: int
    most: int | None


class Step(NamedTuple):
    """One call of an operator or of a module below, or the look-up of a tensor (`get_attr`)."""

    name: str
    does: str
    target: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    options: Mapping[str, Any]


class Plan:
    """What a module does: names of what it is given, its steps, and what it returns of them."""

    def __init__(self, inputs: Sequence[str], steps: Sequence[Step], returns: Any) -> None:
        self.inputs, self.steps, self.returns = inputs, steps, returns
        self.frees = _find_last_uses(steps, returns)
        """For each step the names that nothing needs after it."""


def _find_last_uses(steps: Sequence[Step], returns: Any) -> list[set[str]]:
    needed = {*_names(returns)}
    frees = []
    for step in reversed(steps):
        uses = {step.name, *_names([*step.args, *step.options.values()])}
        frees.append(uses - needed)
        needed |= uses
    return frees[::-1]


def _names(argument: Any) -> Iterator[str]:
    if isinstance(argument, Of):
        yield argument.name
    elif isinstance(argument, list | tuple):
        for item in argument:
            yield from _names(item)


class Program(nn.Module):
    """One module of an exported network."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def forward(self, *given: Any) -> Any:
        """Run the steps."""
        values = dict(zip(self._plan.inputs, given, strict=True))
        for step, frees in zip(self._plan.steps, self._plan.frees, strict=True):
            values[step.name] = self._run(step, values)
            for name in frees:
                del values[name]
        return _fill(self._plan.returns, values)

    def _run(self, step: Step, values: Mapping[str, Any]) -> Any:
        args = [_fill(arg, values) for arg in step.args]
        if step.function is not None:
            return step.function(*args, **{name: _fill(value, values) for name, value in step.options.items()})
        if step.does == "call_module":
            return self.get_submodule(step.target)(*args)
        owner, _, name = step.target.rpartition(".")
        return getattr(self.get_submodule(owner), name)


def _fill(argument: Any, values: Mapping[str, Any]) -> Any:
    """Put what steps yielded into an argument."""
    if isinstance(argument, Of):
        return values[argument.name]
    if isinstance(argument, list | tuple):
        return type(argument)(_fill(item, values) for item in argument)
    return argument


class ExportedNetwork(Program):
    """A whole exported network, which takes images of the sizes that it was exported for."""

    def __init__(self, plan: Plan, sizes: Sequence[Size | int]) -> None:
        super().__init__(plan)
        self._sizes = sizes

    def forward(self, images: Tensor) -> Any:
        """Check the images' sizes and run the steps."""
        symbols: dict[str, int] = {}
        fits = len(images.shape) == len(self._sizes)
        if not fits or not all(map(lambda size, wanted: _fits(size, wanted, symbols), images.shape, self._sizes)):
            wanted = ", ".join(str(size) if isinstance(size, int) else "any" for size in self._sizes)
            raise ValueError(f"it was exported for images of the sizes ({wanted}), not {tuple(images.shape)}")
        return super().forward(images)


def _fits(size: int, wanted: Size | int, symbols: dict[str, int]) -> bool:
    if isinstance(wanted, int):
        return size == wanted
    within = wanted.least <= size <= (size if wanted.most is None else wanted.most)
    return within and symbols.setdefault(wanted.symbol, size) == size
