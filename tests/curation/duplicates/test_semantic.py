"""Semantic pairs are those of a plain matrix product, whatever the size of the blocks."""

import numpy as np
import pytest

from curation.duplicates.semantic import find_semantic_pairs


def _vectors(number: int, seed: int = 0) -> np.ndarray:
    choose = np.random.default_rng(seed)
    centres = choose.normal(size=(number // 4, 16))
    vectors = centres[choose.integers(len(centres), size=number)] + 0.3 * choose.normal(size=(number, 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_all_pairs_above_the_threshold_are_found() -> None:
    vectors = _vectors(200)
    products = vectors @ vectors.T
    expected = {(left, right) for left, right in zip(*np.where(products >= 0.9), strict=True) if left < right}
    pairs = find_semantic_pairs(vectors, 0.9)
    assert len(expected) > 50
    assert {*zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)} == expected
    assert pairs.similarity == pytest.approx(products[pairs.left, pairs.right], abs=1e-5)


def test_little_memory_changes_nothing() -> None:
    vectors = _vectors(300)
    small, large = find_semantic_pairs(vectors, 0.9, memory_mib=0), find_semantic_pairs(vectors, 0.9)
    assert small.left.tolist() == large.left.tolist()
    assert small.right.tolist() == large.right.tolist()


def test_each_row_names_few_neighbours() -> None:
    vectors = np.tile(np.array([[1, 0]], dtype=np.float32), (50, 1))
    pairs = find_semantic_pairs(vectors, 0.9, max_neighbours=1)
    assert {*pairs.left.tolist()} | {*pairs.right.tolist()} == {*range(50)}
    assert len(pairs.left) < 100


def test_no_rows_and_rows_of_zeros_have_no_pairs() -> None:
    assert len(find_semantic_pairs(np.zeros((0, 3), dtype=np.float32), 0.9).left) == 0
    assert len(find_semantic_pairs(np.zeros((3, 3), dtype=np.float32), 0.9).left) == 0


@pytest.mark.parametrize("vectors", [np.ones((2, 3)), np.ones(3), np.full((1, 1), np.nan)])
def test_vectors_that_are_no_unit_vectors_are_refused(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vectors must have"):
        find_semantic_pairs(vectors, 0.9)
