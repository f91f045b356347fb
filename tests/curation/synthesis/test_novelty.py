"""The pool refuses near copies of what it holds and of what came before, and takes in the rest."""

import hypothesis
from hypothesis import strategies as st

from curation.synthesis.novelty import NoveltyPool, gram_similarity

SORT, SEAS = "How do I sort a table by price?", "Name three seas that touch Europe."


def test_copies_are_refused_and_named() -> None:
    pool = NoveltyPool([("faq/1", SORT)], max_similarity=0.6)
    found = pool.admit([("x/0", SORT.lower()), ("x/1", SEAS), ("x/2", f"Please: {SEAS}")])
    assert {at: repeat.key for at, repeat in found.items()} == {0: "faq/1", 2: "x/1"}
    assert found[0].similarity == 1.0
    assert len(pool) == 2
    assert pool.admit([("y/0", SEAS.upper())])[0].key == "x/1"


def test_what_the_pool_began_with_is_compared_even_if_it_repeats_itself() -> None:
    near, far = "How do I sort a table by price and name?", "How do I sort a table by price and name and size and date?"
    pool = NoveltyPool([("a", SORT), ("b", near)], max_similarity=0.6)
    assert gram_similarity(SORT, near) > 0.6 > gram_similarity(SORT, far)
    assert pool.admit([("x", far)])[0].key == "b"


def test_a_limit_of_one_refuses_nothing() -> None:
    pool = NoveltyPool([("a", SORT)], max_similarity=1.0)
    assert pool.admit([("b", SORT)]) == {}
    assert pool.admit([]) == {}


@hypothesis.settings(max_examples=30)
@hypothesis.given(st.lists(st.text(alphabet="abc ", min_size=3, max_size=30), max_size=12), st.integers(0, 12))
def test_what_is_admitted_in_two_calls_is_what_is_admitted_in_one(texts: list[str], cut: int) -> None:
    proposed = [(f"x/{number}", text) for number, text in enumerate(texts)]
    together, apart = (NoveltyPool([], max_similarity=0.7) for _ in range(2))
    refused = set(together.admit(proposed))
    first = set(apart.admit(proposed[:cut]))
    second = {cut + at for at in apart.admit(proposed[cut:])}
    assert refused == first | second
    assert len(together) == len(apart) == len(texts) - len(refused)


@hypothesis.given(st.text(max_size=50), st.text(max_size=50))
def test_similarity_is_symmetric_and_one_for_the_same(one: str, two: str) -> None:
    assert gram_similarity(one, two) == gram_similarity(two, one)
    assert 0.0 <= gram_similarity(one, two) <= 1.0
    assert gram_similarity(one, f" {one.upper().lower()} ") <= 1.0
    assert gram_similarity(one, one) == 1.0
