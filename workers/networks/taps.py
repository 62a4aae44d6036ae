"""Reading what layers put out during a forward pass."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from service.errors import Invalid
from workers.networks.maps import as_map


class Maps(dict[str, Tensor]):
    """The maps of the last forward pass by layer name; a layer that did not run raises Invalid."""

    def __missing__(self, name: str) -> Tensor:
        raise Invalid(f"layer {name!r} put out nothing in this forward pass", "/layers")


@contextmanager
def tap(module: nn.Module, names: Sequence[str]) -> Iterator[Maps]:
    """Keep the maps of the named layers, until the next forward pass.

    The maps are copies, made before anything that follows can change the output in place. A layer that runs several
    times in a pass keeps its last output. The hooks are gone when the block is left, however it is left.

        with tap(network.module, ["layer3", "layer4"]) as maps:
            network.module(images)  # (B, 3, H, W)
            maps["layer4"]  # (B, U, h, w)

    Raises
    ------
    Invalid
        If a layer does not exist, or, in the forward pass, if its output is no map.
    """
    maps = Maps()
    images: Tensor

    def begin(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal images
        maps.clear()
        (images,) = inputs

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            found = as_map(output, images)
            if found is None:
                raise Invalid(f"the output of layer {name!r} is no map", "/layers")
            maps[name] = found.clone()

        return hook

    layers = [_find(module, name) for name in names]
    with ExitStack() as hooks:
        hooks.enter_context(module.register_forward_pre_hook(begin))
        for name, layer in zip(names, layers, strict=True):
            hooks.enter_context(layer.register_forward_hook(keep(name)))
        yield maps


def _find(module: nn.Module, name: str) -> nn.Module:
    layers: dict[str, nn.Module] = dict(module.named_modules(remove_duplicate=False))
    if not name or name not in layers:
        raise Invalid(f"the network has no layer {name!r}", "/layers")
    return layers[name]
