"""The compact set of keys agrees with a plain one."""

from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.key_set import KeySet


@given(st.lists(st.text(max_size=4)))
def test_it_agrees_with_a_set(keys: list[str]) -> None:
    compact, plain = KeySet(), set()
    for key in keys:
        assert compact.add(key) == (key not in plain)
        plain.add(key)
    assert len(compact) == len(plain)


def test_it_grows() -> None:
    keys = KeySet()
    assert all(keys.add(str(number)) for number in range(20_000))
    assert not any(keys.add(str(number)) for number in range(20_000))
