"""Identity: one text for one value, one root for one set, and stable places."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ids import canonical_json, content_hash, hash_text, merkle_root, stable_bucket, stable_fraction

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, min_size=2))
def test_the_order_of_keys_does_not_matter(value: dict) -> None:
    assert content_hash(value) == content_hash(dict(reversed(value.items())))


@given(JSON, JSON)
def test_equal_hashes_mean_equal_json(one: object, two: object) -> None:
    assert (content_hash(one) == content_hash(two)) == (canonical_json(one) == canonical_json(two))


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_numbers_that_do_not_survive_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"score": number})


def test_lone_surrogates_have_hashes_of_their_own() -> None:
    assert len({hash_text("\ud800"), hash_text("\ud801"), hash_text("\ufffd")}) == 3


@given(st.lists(st.text(st.characters(codec="ascii")), min_size=1), st.randoms())
def test_a_root_does_not_depend_on_order_but_on_every_item(items: list[str], shuffle: object) -> None:
    hashes = [hash_text(item) for item in items]
    mixed = list(hashes)
    shuffle.shuffle(mixed)  # type: ignore[attr-defined]
    assert merkle_root(hashes) == merkle_root(mixed)
    assert merkle_root(hashes) != merkle_root(hashes[1:])
    assert merkle_root(hashes) != merkle_root([*hashes, hashes[0]])
    assert merkle_root(hashes) != merkle_root(hashes, salt="other")


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 50))
def test_places_are_within_bounds_and_repeatable(key: str, num_buckets: int) -> None:
    assert 0 <= stable_fraction(key, "salt") < 1
    assert 0 <= stable_bucket(key, num_buckets) < num_buckets
    assert stable_bucket(key, num_buckets) == stable_bucket(key, num_buckets)


def test_values_written_down_never_change() -> None:
    assert hash_text("tunewright") == "2be4bf2fe9500777b3f1e6c96a2399d4"
    assert stable_fraction("head", "tunewright") == pytest.approx(0.3649657303057886)


def test_buckets_are_filled_evenly() -> None:
    counts = [0] * 8
    for number in range(8000):
        counts[stable_bucket(f"key {number}", 8)] += 1
    assert min(counts) > 850
