"""Reading and changing what layers put out during a forward pass."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.inputs import Size
from workers.networks.maps import as_map

Images = tuple[int, Size]
"""How many images a pass shows, and their height and width."""


class Maps(dict[str, Tensor]):
    """The maps of the last forward pass by layer name; a layer that did not run raises Invalid."""

    def __missing__(self, name: str) -> Tensor:
        raise Invalid(f"layer {name!r} put out nothing in this forward pass", "/layers")


@contextmanager
def tap(module: nn.Module, names: Sequence[str], size: Size | None = None) -> Iterator[Maps]:
    """Keep the maps of the named layers, until the next forward pass.

    The maps are copies, made before anything that follows can change the output in place. A layer that runs several
    times in a pass keeps its last output. The hooks are gone when the block is left, however it is left.
    `size` is that of a generator's pictures; else the images that the network is given have it.

        with tap(network.module, ["layer3", "layer4"]) as maps:
            network.module(images)  # (B, 3, H, W)
            maps["layer4"]  # (B, U, h, w)

    Raises
    ------
    Invalid
        If a layer does not exist, or, in the forward pass, if its output is no map.
    """
    maps = Maps()
    images: Images

    def begin(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal images
        maps.clear()
        images = _images(inputs, size)

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            maps[name] = _as_map(name, output, images).clone()

        return hook

    layers = [_find(module, name) for name in names]
    with ExitStack() as hooks:
        hooks.enter_context(module.register_forward_pre_hook(begin))
        for name, layer in zip(names, layers, strict=True):
            hooks.enter_context(layer.register_forward_hook(keep(name)))
        yield maps


@contextmanager
def stream(
    module: nn.Module,
    consumers: Mapping[str, Callable[[Tensor], None]],
    calls: Mapping[str, int],
    size: Size | None = None,
) -> Iterator[None]:
    """Hand each layer's map (B, U, h, w) to its consumer as soon as it is there, so that only one is held at a time.

    A consumer must be done with the map when it returns: what follows in the network may change it in place. `calls`
    says how often each layer runs in a pass (`count_calls`); its last output is the one that is handed on. `size` as in
    `tap`.

    Raises
    ------
    Invalid
        If a layer does not exist, or, in the forward pass, if its output is no map.
    """
    counts: Counter[str] = Counter()
    images: Images

    def begin(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal images
        counts.clear()
        images = _images(inputs, size)

    def hand_on(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            counts[name] += 1
            if counts[name] == calls[name]:
                consumers[name](_as_map(name, output, images))

        return hook

    layers = [_find(module, name) for name in consumers]
    with ExitStack() as hooks:
        hooks.enter_context(module.register_forward_pre_hook(begin))
        for name, layer in zip(consumers, layers, strict=True):
            hooks.enter_context(layer.register_forward_hook(hand_on(name)))
        yield


@contextmanager
def edit(
    module: nn.Module, name: str, calls: int, change: Callable[[Tensor], None], size: Size | None = None
) -> Iterator[None]:
    """Let what follows a layer see its map changed.

    `change` is given the map (B, U, h, w) of each pass and changes it in place; it is a copy, and what the layer itself
    put out stays as it is. `calls` says how often the layer runs in a pass (`count_calls`); its last output is changed.
    The hooks are gone when the block is left, however it is left. `size` as in `tap`.

    Raises
    ------
    Invalid
        If the layer does not exist, or, in the forward pass, if its output is no map.
    """
    count = 0
    images: Images

    def begin(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal images, count
        count = 0
        images = _images(inputs, size)

    def replace(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        nonlocal count
        count += 1
        if count != calls:
            return output
        changed = output.clone() if isinstance(output, Tensor) else output
        change(_as_map(name, changed, images))
        return changed

    layer = _find(module, name)
    with module.register_forward_pre_hook(begin), layer.register_forward_hook(replace):
        yield


def count_calls(module: nn.Module, names: Sequence[str], images: Tensor) -> dict[str, int]:
    """Count how often each layer runs in one forward pass over images (B, 3, H, W) or latents."""
    counts: Counter[str] = Counter()
    with ExitStack() as hooks:
        for name in names:
            hook = _find(module, name).register_forward_hook(lambda *_, name=name: counts.update([name]))
            hooks.enter_context(hook)
        module(images)
    return {name: counts[name] for name in names}


def _images(inputs: tuple[Tensor, ...], size: Size | None) -> Images:
    (images,) = inputs
    height, width = size or images.shape[2:]
    return len(images), (height, width)


def _as_map(name: str, output: Any, images: Images) -> Tensor:
    found = as_map(output, *images)
    if found is None:
        raise Invalid(f"the output of layer {name!r} is no map", "/layers")
    return found


def _find(module: nn.Module, name: str) -> nn.Module:
    layers: dict[str, nn.Module] = dict(module.named_modules(remove_duplicate=False))
    if not name or name not in layers:
        raise Invalid(f"the network has no layer {name!r}", "/layers")
    return layers[name]
