"""The embedder without a model, and the frames of the one with."""

import os
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.embedding.frames import FrameReader, write_frame
from curation.embedding.hashing import HashingEmbedder

EMBEDDER = HashingEmbedder()


def cosine(one: str, other: str) -> float:
    first, second = EMBEDDER.embed([one, other])
    return float(first @ second)


def test_wording_brings_texts_together() -> None:
    question = "How do I sort the rows of a table by two columns?"
    near = cosine(question, "How can I sort rows of tables by two of the columns?")
    far = cosine(question, "Bananas grow in warm countries near the sea.")
    assert near > 0.5
    assert near > far + 0.3


def test_case_and_punctuation_make_no_difference() -> None:
    assert cosine("Sort, the LIST!", "sort the list") == pytest.approx(1)


@given(st.lists(st.text(max_size=50), min_size=1, max_size=6))
def test_rows_have_length_one_and_do_not_depend_on_others(texts: list[str]) -> None:
    vectors = EMBEDDER.embed(texts)
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape == (len(texts), EMBEDDER.dimension)
    assert vectors.dtype == np.float32
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    assert np.array_equal(HashingEmbedder().embed(texts[-1:])[0], vectors[-1])


def test_the_name_and_the_revision_say_what_it_is() -> None:
    assert "wording" in EMBEDDER.name
    assert HashingEmbedder(64).revision != EMBEDDER.revision == HashingEmbedder().revision
    with pytest.raises(ValueError, match="at least 16"):
        HashingEmbedder(4)


def test_long_texts_are_cut() -> None:
    started = time.perf_counter()
    EMBEDDER.embed(["a" * 5_000_000, "ab " * 2_000_000])
    assert time.perf_counter() - started < 60


def test_frames_cross_a_pipe_in_pieces() -> None:
    reading, writing = os.pipe()
    reader = FrameReader(reading)
    with os.fdopen(writing, "wb") as pipe:
        write_frame(pipe, {"a": 1}, b"12\n45")
        write_frame(pipe, {"b": 2})
        assert reader.read(1) == ({"a": 1, "bytes": 5}, b"12\n45")
        assert reader.read(1) == ({"b": 2, "bytes": 0}, b"")
        with pytest.raises(TimeoutError):
            reader.read(0.05)
        pipe.write(b"[1]\n")
        pipe.flush()
        with pytest.raises(ValueError, match="no object"):
            reader.read(1)
    with pytest.raises(EOFError):
        reader.read(1)
    os.close(reading)
