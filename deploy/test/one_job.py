"""One small dissection by HTTP against a running stack: register, dissect, ask for the units, look at a picture."""

import tempfile
from pathlib import Path

from unitatlas.client import Client
from unitatlas.errors import Problem


def main() -> None:
    """Run the job and check what comes back."""
    with Client() as client:
        client.register_model("scenes", "builtin:scenes-classifier")
        client.register_dataset("validation", "scenes", {"builtin": "scenes-validation"})
        layer = client.layers("scenes")[-1]
        job = client.dissect("scenes", "validation", [layer.name], max_images=100).wait()
        units = [*job.units()]
        assert len(units) == layer.units, f"{len(units)} of {layer.units} units came back"
        best = max(units, key=lambda unit: unit.label.iou if unit.label else 0.0)
        assert best.label is not None, "no unit has a label"
        print(f"{len(units)} units of {layer.name}; best {best.unit}: {best.label.concept}, IoU {best.label.iou:.3f}")
        print(f"its picture has {_download(client, best.links['picture'])} bytes")
    _check_that_a_key_is_needed()


def _download(client: Client, link: str) -> int:
    with tempfile.TemporaryDirectory() as folder:
        return client.download(link.rsplit("/", 1)[-1], Path(folder) / "picture").stat().st_size


def _check_that_a_key_is_needed() -> None:
    try:
        with Client(key="none") as stranger:
            next(stranger.models())
    except Problem as problem:
        print(f"a stranger is told: {problem}")
    else:
        raise AssertionError("somebody without a key was let in")


if __name__ == "__main__":
    main()
