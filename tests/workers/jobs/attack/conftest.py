"""Networks and images to attack, and what an attack left of them, read back from the database and the artifacts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import torch
from PIL import Image

from service.catalog.tables import Class, Layer
from service.results.attacks.tables import Attack, AttackedImage, UnitShift
from tests.workers.jobs import worlds
from workers.jobs.ablation import reporting as ablation_reporting
from workers.jobs.attack import reporting as attack_reporting

OUTPUTS = ["elk", "bee", "dog", "ant", "cat", "fox"]
"""The network takes most ants for ants, all dogs for dogs, and all other images for one of these two."""
IMAGES = {"ant": 5, "bee": 3, "dog": 5, "elk": 3}
INPUT = {"resize": [24, 24]}
CW = {"steps": 20, "binary_search_steps": 2, "learning_rate": 0.05, "initial_constant": 1.0}


@dataclass
class Found:
    """What an attack with one target left; classes are names."""

    attack: Attack
    images: list[AttackedImage]
    classes: list[dict[str, str | None]]
    """Of each image: true, source, target, result."""
    shifts: dict[tuple[str, int], UnitShift]
    originals: dict[int, np.ndarray]
    """Bytes (H, W, 3) of those images that are kept, by position."""
    adversarials: dict[int, np.ndarray]
    pictures: dict[int, np.ndarray]

    @property
    def figures(self) -> dict[str, Any]:
        return self.attack.figures


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """So small networks gain nothing from several, which wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of figures take longer than the figures, and have tests of their own."""
    for module in (attack_reporting, ablation_reporting):
        for name in vars(module).copy():
            if name.startswith("draw_"):
                monkeypatch.setattr(module, name, lambda *_: b"<svg/>")


@pytest.fixture
def zoo(driver: Any, undrawn: None) -> Any:
    """A driver with a classifier and images of its classes."""
    return prepare(driver)


def prepare(driver: Any) -> Any:
    worlds.write_classes(driver.settings.import_dir / "animals", IMAGES, seed=2)
    driver.queue_dataset("animals", format="folder")
    driver.done(driver.queue_model("model", "planted:classifier", input=INPUT, classes=OUTPUTS))
    return driver


@pytest.fixture
def read() -> Callable[..., dict[str | None, Found]]:
    """Read back what a job wrote, by target."""

    def load(driver: Any, job: Any) -> dict[str | None, Found]:
        with driver.sessions() as session:
            names = {row.id: row.name for row in session.scalars(sa.select(Class))} | {None: None}
            layers = {row.id: row.name for row in session.scalars(sa.select(Layer))}
            attacks = session.scalars(sa.select(Attack).where(Attack.job_id == job.id).order_by(Attack.id)).all()
            return {attack.figures["target"]: _load(driver, session, attack, names, layers) for attack in attacks}

    return load


def _load(driver: Any, session: Any, attack: Attack, names: dict[Any, Any], layers: dict[int, str]) -> Found:
    mine = {"attack_id": attack.id}
    images = session.scalars(sa.select(AttackedImage).filter_by(**mine).order_by(AttackedImage.position)).all()
    shifts = session.scalars(sa.select(UnitShift).filter_by(**mine)).all()
    kept = {row.position: row for row in images if row.adversarial is not None}
    open_image = {p: (_open(driver, row.original), _open(driver, row.picture)) for p, row in kept.items()}
    return Found(
        attack,
        list(images),
        [
            {side: names[getattr(row, f"{side}_class_id")] for side in ("true", "source", "target", "result")}
            for row in images
        ],
        {(layers[row.layer_id], row.unit): row for row in shifts},
        {position: original for position, (original, _) in open_image.items()},
        {position: np.load(driver.store.path(row.adversarial)) for position, row in kept.items()},
        {position: picture for position, (_, picture) in open_image.items()},
    )


def _open(driver: Any, digest: str) -> np.ndarray:
    with Image.open(driver.store.path(digest)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)
