"""Fingerprints depend on the work alone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.jobs import fingerprints
from service.jobs.fingerprints import canonical_json, digest, fingerprint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def shuffled(value):
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(JSON)
def test_the_order_of_keys_is_of_no_matter(value):
    assert canonical_json(value) == canonical_json(shuffled(value))


def test_a_digest_is_the_sha256_of_text_without_spaces():
    assert digest({"b": 1, "a": ["é"]}) == hashlib.sha256(b'{"a":["\\u00e9"],"b":1}').hexdigest()


def test_not_a_number_has_no_canonical_form():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_a_fingerprint_ignores_the_order_of_params(params):
    inputs = {"model": "aa", "dataset": "bb"}
    assert fingerprint("dissection", params, inputs) == fingerprint("dissection", shuffled(params), shuffled(inputs))


@pytest.mark.parametrize(
    "other",
    [
        ("registration", {"grid": 56}, {"model": "aa"}),
        ("dissection", {"grid": 57}, {"model": "aa"}),
        ("dissection", {"grid": 56}, {"model": "ab"}),
        ("dissection", {"grid": 56}, {"dataset": "aa"}),
    ],
)
def test_a_fingerprint_tells_all_that_matters_apart(other):
    assert fingerprint(*other) != fingerprint("dissection", {"grid": 56}, {"model": "aa"})


def test_another_version_of_the_analysis_is_other_work(monkeypatch):
    before = fingerprint("dissection", {}, {})
    monkeypatch.setitem(fingerprints.ANALYSIS_VERSIONS, "dissection", 10**6)
    assert fingerprint("dissection", {}, {}) != before
