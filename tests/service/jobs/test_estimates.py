"""Estimates against sizes that are counted by hand."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.jobs.estimates import (
    PERMUTATIONS,
    DissectionSize,
    LayerSize,
    estimate_dissection,
    images_that_fit,
    scratch_bytes,
)
from workers.analysis import controls
from workers.jobs.dissection.plan import next_stage
from workers.jobs.dissection.views import views_of
from workers.jobs.kind import FinishedStage

SIZE = DissectionSize(
    images=130,
    grid=10,
    label_channels=2,
    concepts=20,
    layers=[LayerSize(300, 20, 20), LayerSize(10, 5, 4)],
    quantile=0.01,
    top_images=4,
)

SIZES = st.builds(
    DissectionSize,
    images=st.integers(1, 10**6),
    grid=st.integers(4, 512),
    label_channels=st.integers(1, 6),
    concepts=st.integers(0, 2000),
    layers=st.lists(st.builds(LayerSize, st.integers(1, 4096), st.integers(1, 224), st.integers(1, 224)), min_size=1),
    quantile=st.floats(0, 0.5, exclude_min=True),
    top_images=st.integers(1, 100),
    controls=st.lists(st.sampled_from(["permutation", "rotation", "untrained"]), unique=True),
)


def test_shards_are_the_pilot_the_images_and_the_units_of_each_layer():
    estimate = estimate_dissection(SIZE, 0.5, 2)
    assert estimate.shards == 1 + 2 + 2 * (2 + 1)  # each block is measured, then scored
    assert estimate.forward_passes == 130
    assert estimate.seconds == (130 * 0.5 + 310 * 0.005) / 2


@given(SIZES)
def test_the_shards_foretold_are_the_shards_planned(size):
    names = [str(number) for number in range(len(size.layers))]
    layers = [(name, layer.units, 1, 1) for name, layer in zip(names, size.layers, strict=True)]
    views = views_of({"layers": names, "controls": size.controls})
    images = size.images % 2000 + 1
    finished = [FinishedStage("prepare", [{}], [{"selected": images, "part": "p", "layers": layers}])]
    planned = 1
    while stage := next_stage(finished, views):
        planned += len(stage.shards)
        payloads = [shard.payload for shard in stage.shards]
        finished.append(
            FinishedStage(stage.name, payloads, [{"part": "q", "block": "b", "unknown": []}] * len(payloads))
        )
    assert estimate_dissection(replace(size, images=images), 1.0, 1).shards == planned


def test_permutations_are_as_many_as_the_workers_deal():
    assert PERMUTATIONS == controls.PERMUTATIONS


def test_controls_cost_a_second_network_and_second_views():
    plain = estimate_dissection(SIZE, 0.5, 2)
    controlled = estimate_dissection(replace(SIZE, controls=["rotation", "untrained"]), 0.5, 2)
    assert controlled.shards == 1 + 2 + (3 + 1) * (2 + 1)
    assert controlled.forward_passes == 2 * plain.forward_passes
    assert controlled.seconds == (2 * 130 * 0.5 + 3 * 310 * 0.005) / 2
    kept = 130 * 310 * (100 * 0.02 * 8 + 4)
    assert controlled.scratch_bytes - plain.scratch_bytes == 2 * kept
    shuffled = estimate_dissection(replace(SIZE, controls=["permutation"]), 0.5, 2)
    assert shuffled.forward_passes == plain.forward_passes
    lookups = 200 * 310 * (130 * 100 * 0.01) * 2
    assert abs(shuffled.seconds - plain.seconds - lookups * 1e-8 / 2) < 1e-9
    assert shuffled.scratch_bytes - plain.scratch_bytes == 130 * 2 * 100 * 2


def test_each_segmenter_is_a_pass_of_its_own():
    estimate = estimate_dissection(replace(SIZE, segmenter_seconds=[0.25, 1.5]), 0.5, 2)
    assert estimate.forward_passes == 130 * 3
    assert estimate.seconds == (130 * (0.5 + 0.25 + 1.5) + 310 * 0.005) / 2


def test_scratch_space_is_samples_peaks_labels_and_top_maps():
    samples = 130 * 310 * 100 * 0.02 * 8
    peaks = 130 * 310 * 4
    labels = 130 * (2 * 100 * 2 + 2 * 4 * 20)
    top_maps = 130 / 64 * 4 * 4 * (300 * 10 * 10 + 10 * 5 * 4)
    assert abs(scratch_bytes(SIZE) - (samples + peaks + labels + top_maps)) < 1


def test_artifacts_are_a_matrix_and_a_picture_of_each_unit():
    assert estimate_dissection(SIZE, 0.5, 1).artifact_bytes == 4 * 310 * 20 + 310 * 4 * 4500


def test_without_workers_nobody_knows_how_long_it_takes():
    assert estimate_dissection(SIZE, 0.5, 0).seconds is None


@given(SIZES, st.integers(0, 10**12))
def test_what_is_said_to_fit_fits_and_one_image_more_does_not(size, available):
    fit = images_that_fit(size, available)
    assert scratch_bytes(replace(size, images=fit)) <= available
    assert (
        scratch_bytes(replace(size, images=fit + 1)) > available
        or scratch_bytes(replace(size, images=fit + 2)) > available
    )
