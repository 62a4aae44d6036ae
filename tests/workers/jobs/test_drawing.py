"""What drawn figures share."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.jobs.drawing import spread


@given(st.lists(st.floats(0, 1), max_size=6).map(sorted))
def test_labels_do_not_overlap(values: list[float]) -> None:
    placed = spread(values, 0.1, 0.0, 1.0)
    assert all(later - earlier >= 0.1 - 1e-9 for earlier, later in pairwise(placed))
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in placed)
    if all(later - earlier >= 0.1 for earlier, later in pairwise(values)):
        assert placed == pytest.approx(values)
