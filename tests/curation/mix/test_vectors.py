"""Vectors of texts: length 1, stable, and near for near texts."""

import numpy as np
import pytest

from curation.mix.vectors import NUM_DIMENSIONS, text_vectors, unit_rows

TEXTS = [
    "How do I sort a data frame by two columns in descending order?",
    "Who wrote the first letter to the editor?",
    "",
    "...",
]


def test_shapes_and_lengths() -> None:
    vectors = text_vectors(TEXTS, seed=0)
    assert (vectors.shape, vectors.dtype) == ((4, NUM_DIMENSIONS), np.float32)
    assert list(np.linalg.norm(vectors, axis=1)) == pytest.approx([1, 1, 0, 0], abs=1e-6)
    assert text_vectors([], seed=0).shape == (0, NUM_DIMENSIONS)
    assert text_vectors(["\ud800 x"], seed=0).shape == (1, NUM_DIMENSIONS)


def test_near_texts_are_near_and_others_are_not() -> None:
    edited = TEXTS[0].replace("descending", "rising")
    vectors = text_vectors([*TEXTS[:2], edited, TEXTS[0].upper()], seed=0)
    similarity = vectors @ vectors[0]
    assert similarity[3] == pytest.approx(1, abs=1e-5)
    assert similarity[2] > 0.6
    assert abs(similarity[1]) < 0.3


def test_a_projection_keeps_cosines() -> None:
    """Twenty texts of a hundred words that share from none to all of them, against the exact cosines of many dimensions."""
    texts = [
        " ".join([*(f"a{n}" for n in range(5 * share)), *(f"b{share}x{n}" for n in range(100 - 5 * share))])
        for share in range(21)
    ]
    small, large = text_vectors(texts, seed=1), text_vectors(texts, seed=2, num_dimensions=8192)
    assert np.abs(small @ small[-1] - large @ large[-1]).max() < 0.25
    assert np.corrcoef(small @ small[-1], large @ large[-1])[0, 1] > 0.95


def test_the_seed_decides_and_long_texts_are_cut() -> None:
    assert np.array_equal(text_vectors(TEXTS, seed=3), text_vectors(TEXTS, seed=3))
    assert not np.array_equal(text_vectors(TEXTS, seed=3), text_vectors(TEXTS, seed=4))
    long = "word " * 2000
    assert np.allclose(text_vectors([long], seed=0), text_vectors([long[:4000]], seed=0))


def test_unit_rows_leave_zeros_alone() -> None:
    assert np.allclose(unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])
