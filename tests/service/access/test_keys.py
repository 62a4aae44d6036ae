"""What a key looks like."""

from hypothesis import given
from hypothesis import strategies as st

from service.access.keys import ALPHABET, make_key, parse_key


def test_keys_are_distinct_and_read_back() -> None:
    keys = {make_key() for _ in range(50)}
    assert len({key.prefix for key in keys}) == len({key.digest for key in keys}) == 50
    assert all(parse_key(key.text) == key for key in keys)


def test_secret_holds_256_bits() -> None:
    secret = make_key().text.split("_")[2]
    assert len(secret) == 43 + 6
    assert 62**43 > 2**256


@given(position=st.integers(0, 60), letter=st.sampled_from(ALPHABET + "_ é"))
def test_one_wrong_letter_is_noticed(position: int, letter: str) -> None:
    text = make_key().text
    position %= len(text)
    mistyped = text[:position] + letter + text[position + 1 :]
    assert (parse_key(mistyped) is None) == (mistyped != text)


@given(st.text())
def test_other_text_is_no_key(text: str) -> None:
    assert parse_key(text) is None
