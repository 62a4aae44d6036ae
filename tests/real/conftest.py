"""Real networks and images, which lie beside the project and are no part of it."""

import os
from pathlib import Path

import pytest

SAMPLES = Path(os.environ.get("UNITATLAS_SAMPLES", Path(__file__).parents[3] / "shared/samples"))


@pytest.fixture(autouse=True)
def samples() -> Path:
    """The directory of the samples; without them these tests fail in CI and are skipped elsewhere."""
    if not SAMPLES.is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"there are no real networks and images at {SAMPLES}")
    return SAMPLES
