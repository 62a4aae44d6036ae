"""Ways to segment against the catalog: segmenters by name, halves, what is shared, and what it makes of the size."""

import pytest

from service.access.queries import make_team
from service.catalog.queries import write_dataset
from service.database import reading
from service.jobs.checks import check_dissection
from service.jobs.requests import JobRequestSchema
from service.jobs.segmentation import COLOR_NAMES, HALVES
from tests.service.jobs.conftest import BODY, add_segmenter, fill_catalog
from tests.service.jobs.test_checks import errors_of
from workers.probes.colors import COLORS
from workers.probes.halves import SIDES


@pytest.fixture
def segmenters(made, team):
    """Two segmenters: of things, one of which the masks name as well, and of materials alone."""
    add_segmenter(made, team, "things", [None, ["object", "tree"], ["object", "car"], ["part", "wheel"]], "11")
    add_segmenter(made, team, "stuff", [["material", "wood"], None, ["material", "stone"]], "22", seconds=0.25)


@pytest.fixture
def size(made, team):
    """The checked size of the usual dissection with some fields changed."""

    def check(**changes):
        with reading(made.sessions) as session:
            return check_dissection(session, team, JobRequestSchema().load({**BODY, **changes}), 2**40).size

    return check


FAULTS = [
    ({"segmentation": "model:thing"}, "/segmentation", "no segmenter is named 'thing'; did you mean 'things'?"),
    ({"segmentation": ["masks", "model:vgh"]}, "/segmentation", "no segmenter is named 'vgh'"),
    ({"segmentation": "model:vgg"}, "/segmentation", "'vgg' is a classifier"),
    ({"segmentation": "model:secret"}, "/segmentation", "no segmenter is named 'secret'"),
    ({"dataset": "photos", "segmentation": ["masks", "model:things"]}, "/segmentation", "has no masks"),
    ({"segmentation": "model:stuff", "halves": True}, "/halves", '"object"'),
    ({"segmentation": "colors", "halves": True}, "/halves", '"object"'),
    ({"dataset": "long", "halves": True}, "/halves", "more than 256 characters"),
    ({"dataset": "wide", "halves": True}, "/segmentation", "65534 is the most"),
]


def test_a_fault_is_pointed_at(post, made, team, segmenters):
    with made.sessions.begin() as session:
        rival = make_team(session, "rival").id
        for name, concepts in (("long", ["x" * 250]), ("wide", map(str, range(13_500)))):
            write_dataset(
                session,
                team,
                name=name,
                format="masks",
                location={},
                manifest="ab" * 32,
                images=1,
                grid=8,
                classes=[],
                concepts=[("object", concept) for concept in concepts],
            )
    add_segmenter(made, rival, "secret", [["object", "tree"]], "33")
    for changes, pointer, words in FAULTS:
        for path in ("/v1/jobs", "/v1/jobs:estimate"):
            found = errors_of(post(path, **changes))
            assert words in found[pointer], changes
            assert "vgg'?" not in found[pointer]


def test_segmenters_need_no_masks(post, segmenters):
    reply = post(dataset="photos", segmentation=["colors", "model:things", "model:stuff"])
    assert reply.status_code == 202
    assert reply.json["params"]["segmentation"] == ["model:stuff", "model:things", "colors"]


def test_the_segmenters_are_part_of_what_makes_work_the_same(post, segmenters, made, team):
    one = post(segmentation=["masks", "model:things"]).json["fingerprint"]
    assert post(segmentation=["model:things", "masks"]).json["fingerprint"] == one
    assert post(segmentation="masks").json["fingerprint"] != one
    assert post(segmentation=["masks", "model:stuff"]).json["fingerprint"] != one


def test_a_segmenter_of_the_same_name_but_another_digest_is_other_work(made, team, segmenters):
    def fingerprint(team_id):
        body = JobRequestSchema().load({**BODY, "segmentation": "model:things"})
        with reading(made.sessions) as session:
            return check_dissection(session, team_id, body, 2**40).request.fingerprint

    same, other = fill_catalog(made.sessions, "same"), fill_catalog(made.sessions, "other")
    add_segmenter(made, same, "things", [["object", "car"]], "11")
    add_segmenter(made, other, "things", [["object", "car"]], "44")
    assert fingerprint(team) == fingerprint(same) != fingerprint(other)


@pytest.mark.parametrize(
    ("segmentation", "halves", "channels", "concepts", "seconds"),
    [
        ("masks", False, 1, 2, []),
        ("masks", True, 1 + 2, 2 + 2 * 4, []),
        (["masks", "colors"], True, 1 + 2 + 1, 2 + 2 * 4 + 11, []),
        ("model:things", False, 2, 3, [0.5]),
        ("model:stuff", False, 1, 2, [0.25]),
        (["masks", "model:things"], False, 1 + 2, 2 + 3 - 1, [0.5]),
        (["masks", "model:things"], True, 1 + 2 + 2 * 2, 4 + 3 * 4, [0.5]),
        (["masks", "model:things", "model:stuff", "colors"], True, 3 + 4 + 1 + 1, 16 + 2 + 11, [0.25, 0.5]),
    ],
)
def test_what_a_segmentation_costs(size, segmenters, segmentation, halves, channels, concepts, seconds):
    found = size(segmentation=segmentation, halves=halves)
    assert (found.label_channels, found.concepts, found.segmenter_seconds) == (channels, concepts, seconds)


def test_an_estimate_counts_the_segmenters_passes(post, segmenters):
    estimate = post("/v1/jobs:estimate", segmentation=["masks", "model:things"]).json
    assert estimate["forward_passes"] == 2000


def test_names_are_those_that_workers_give():
    assert (COLOR_NAMES, HALVES) == (COLORS, SIDES)
