"""What rows tell about themselves."""

import random

import pytest

from curation.data_card.card import DataCard
from curation.data_card.describe import summarise_lengths, with_rows, with_terms
from curation.data_card.shapes import Row
from curation.terms.config import TermsConfig
from curation.terms.judge import judge_terms
from curation.terms.report import assess_terms


def test_rows_are_counted_by_slice(rows: list[Row]) -> None:
    card = with_rows(DataCard(name="x"), rows)
    found = {(item.dimension, item.name): (item.rows, item.tokens) for item in card.slices}
    assert card.rows == 5
    assert found["kind", "examples"][0] == 3
    assert found["split", "train"][0] == 4
    assert found["split", "eval"] == (1, 9)
    assert found["origin", "synthetic"] == (1, 5)
    assert sum(rows for (dimension, _), (rows, _) in found.items() if dimension == "source") == 5
    for dimension in ("kind", "split", "task", "origin", "source"):
        assert sum(tokens for (name, _), (_, tokens) in found.items() if name == dimension) == card.tokens
    assert {(item.split, item.rows, item.groups) for item in card.splits} == {("train", 4, 3), ("eval", 1, 1)}
    assert {(item.method, item.depth, item.rows) for item in card.generation} == {
        ("demonstration", 0, 4),
        ("wrong_route", 1, 1),
    }


def test_tokens_are_counted_by_the_tokenizer_that_is_given(rows: list[Row]) -> None:
    card = with_rows(DataCard(name="x"), rows[:1], count_tokens=len, unit="characters")
    assert (card.tokens, card.unit) == (28 + 11, "characters")


def test_the_order_of_rows_does_not_matter(rows: list[Row]) -> None:
    shuffled = rows[:]
    random.Random(3).shuffle(shuffled)
    first, second = with_rows(DataCard(name="x"), rows), with_rows(DataCard(name="x"), shuffled)
    assert (first.slices, first.splits, first.generation) == (second.slices, second.splits, second.generation)
    assert {item.part: item for item in first.lengths} == {item.part: item for item in second.lengths}


@pytest.mark.parametrize("values", [[0], [5], [0, 0, 1], [1, 1_000_000], list(range(1000)), [7] * 50])
def test_histograms_count_every_value(values: list[int]) -> None:
    found = summarise_lengths("answer", values)
    assert sum(found.counts) == len(values)
    assert len(found.edges) == len(found.counts) + 1
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert found.minimum <= found.median <= found.p95 <= found.maximum


def test_terms_are_taken_over(rows: list[Row]) -> None:
    config = TermsConfig(use="research")
    judged = judge_terms(rows, config, {"api": "MIT"})
    card = with_terms(DataCard(name="x"), judged.report, assess_terms(judged.report, config))
    assert card.terms.passed
    assert card.terms.verdicts == {"allowed": 5}
    assert card.terms.obligations[0].subject == "api"


def test_no_rows(rows: list[Row]) -> None:
    assert with_rows(DataCard(name="x"), []).rows == 0
