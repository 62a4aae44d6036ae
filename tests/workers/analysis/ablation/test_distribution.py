"""The spread of a figure over classes."""

import json

import numpy as np
import pytest

from workers.analysis.ablation.distribution import spread


def test_a_spread_is_of_plain_numbers():
    values = np.random.default_rng(0).permutation(np.arange(101.0)) / 100
    found = spread(values)
    assert json.loads(json.dumps(found)) == pytest.approx(
        {"mean": 0.5, "low": 0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "high": 1}
    )


def test_a_lone_class_is_its_own_spread():
    assert set(spread(np.array([0.25])).values()) == {0.25}
