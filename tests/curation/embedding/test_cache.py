"""Vectors are computed once, and damage only costs time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.embedding import cache as caches
from curation.embedding.cache import CachedEmbedder, EmbeddingCache
from curation.embedding.embedder import Vectors
from curation.embedding.hashing import HashingEmbedder


class Counting:
    """Counts what it is asked for; fails at a text `boom`."""

    name = "counting"

    def __init__(self, revision: str = "r1") -> None:
        self.revision = revision
        self.model = HashingEmbedder(32)
        self.asked: list[str] = []

    @property
    def dimension(self) -> int:
        return 32

    def embed(self, texts: Sequence[str]) -> Vectors:
        if "boom" in texts:
            raise RuntimeError("boom")
        self.asked += texts
        return self.model.embed(texts)

    def close(self) -> None:
        """Nothing to free."""


def test_one_edited_row_embeds_one_text(tmp_path: Path) -> None:
    texts = [f"text number {number}" for number in range(50)]
    first = CachedEmbedder(Counting(), EmbeddingCache(str(tmp_path)))
    vectors = first.embed([*texts, texts[0]])
    assert np.array_equal(vectors[0], vectors[50])
    assert (first.num_embedded, first.num_found) == (50, 0)
    model = Counting()
    second = CachedEmbedder(model, EmbeddingCache(str(tmp_path)))
    again = second.embed([*texts[:10], "edited", *texts[11:]])
    assert model.asked == ["edited"]
    assert np.array_equal(np.delete(again, 10, axis=0), np.delete(vectors[:50], 10, axis=0))
    assert (second.num_embedded, second.num_found) == (1, 49)


def test_a_full_cache_does_not_start_the_model(tmp_path: Path) -> None:
    CachedEmbedder(Counting(), EmbeddingCache(str(tmp_path))).embed(["a", "b"])

    class Dead(Counting):
        @property
        def dimension(self) -> int:
            raise AssertionError("the model was started")

    assert CachedEmbedder(Dead(), EmbeddingCache(str(tmp_path))).embed(["b", "a"]).shape == (2, 32)


def test_revisions_are_kept_apart(tmp_path: Path) -> None:
    CachedEmbedder(Counting("r1"), EmbeddingCache(str(tmp_path))).embed(["a"])
    other = Counting("r2")
    CachedEmbedder(other, EmbeddingCache(str(tmp_path))).embed(["a"])
    assert other.asked == ["a"]


def test_a_crash_keeps_the_blocks_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "BLOCK_TEXTS", 2)
    texts = ["a", "b", "c", "boom", "zzzzzz"]
    with pytest.raises(RuntimeError, match="boom"):
        CachedEmbedder(Counting(), EmbeddingCache(str(tmp_path))).embed(texts)
    model = Counting()
    CachedEmbedder(model, EmbeddingCache(str(tmp_path))).embed(["a", "b", "c"])
    assert len(model.asked) == 1


@pytest.mark.parametrize("damage", [b"", b"no parquet", None])
def test_damaged_files_are_computed_again(tmp_path: Path, damage: bytes | None) -> None:
    expected = CachedEmbedder(Counting(), EmbeddingCache(str(tmp_path))).embed(["a", "b"])
    (file,) = tmp_path.rglob("*.parquet")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(bytes(data) if damage is None else damage)
    model = Counting()
    assert np.array_equal(CachedEmbedder(model, EmbeddingCache(str(tmp_path))).embed(["a", "b"]), expected)
    assert model.asked == ["a", "b"]


def test_many_small_files_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "MAX_FILES", 5)
    cache = EmbeddingCache(str(tmp_path))
    embedder = CachedEmbedder(Counting(), cache)
    expected = np.concatenate([embedder.embed([f"text {number}"]) for number in range(20)])
    assert len(list(tmp_path.rglob("*.parquet"))) <= 6
    texts = [f"text {number}" for number in range(20)]
    assert np.array_equal(embedder.embed(texts), expected)
    model = Counting()
    assert np.array_equal(CachedEmbedder(model, EmbeddingCache(str(tmp_path))).embed(texts), expected)
    assert model.asked == []
    assert list(tmp_path.rglob("*.part")) == []


def test_a_file_that_another_process_merged_away_is_computed_again(tmp_path: Path) -> None:
    cache = EmbeddingCache(str(tmp_path))
    model = Counting()
    expected = CachedEmbedder(model, cache).embed(["a"])
    for file in tmp_path.rglob("*.parquet"):
        file.unlink()
    assert np.array_equal(CachedEmbedder(model, cache).embed(["a"]), expected)
    assert model.asked == ["a", "a"]


def test_an_object_store_will_do() -> None:
    url = "memory://embedding-cache-test"
    CachedEmbedder(Counting(), EmbeddingCache(url)).embed(["a"])
    model = Counting()
    CachedEmbedder(model, EmbeddingCache(url)).embed(["a"])
    assert model.asked == []


@given(st.lists(st.text(max_size=20), max_size=12), st.lists(st.text(max_size=20), max_size=12))
def test_a_cache_changes_no_vector(tmp_path_factory: pytest.TempPathFactory, first: list[str], second: list[str]) -> None:
    embedder = CachedEmbedder(Counting(), EmbeddingCache(str(tmp_path_factory.mktemp("cache"))))
    embedder.embed(first)
    assert np.array_equal(embedder.embed([*second, *first]), HashingEmbedder(32).embed([*second, *first]))
