"""Rewritten evaluation items: neighbours by embedding, kept if what survives a rewrite agrees.

    index = ParaphraseIndex.build(items, embedder)
    find_paraphrases(rows, index, embedder, config)          [Match(row=7, item=3, text=0, score=0.91)]

A cosine alone cannot tell a paraphrase from a sibling ("7 times 8", "7 times 9"), so it is read together with the evidence of
`curation.contamination.evidence`: with one kind of evidence the cosine has to reach `cosine`, with two kinds SLACK less, with
none `cosine_alone`, and a pair whose numbers or answers contradict each other is none at all.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from curation.contamination.config import ContaminationConfig
from curation.contamination.evidence import Agreement, Facts, compare_facts, facts_of
from curation.contamination.items import EvalItem, Field, Row, answers_of
from curation.contamination.ngram_rules import Match
from curation.contamination.passages import is_long_enough, passages_of
from curation.embedding.embedder import Embedder, Vectors

SLACK = 0.08
BLOCK_ROWS = 2_048
MAX_NEIGHBOURS = 10


@dataclass(frozen=True, kw_only=True)
class ParaphraseIndex:
    """Embedded prompts of evaluation items, with their facts. Made by one revision of one model."""

    items: tuple[EvalItem, ...]
    revision: str
    vectors: Vectors
    """(num_items, dimension)"""
    facts: tuple[Facts, ...]

    @classmethod
    def build(cls, items: Sequence[EvalItem], embedder: Embedder) -> "ParaphraseIndex":
        """Embed the prompts of items; one of fewer than 4 words gets no neighbours."""
        vectors = embedder.embed([item.prompt for item in items])
        short = [position for position, item in enumerate(items) if not is_long_enough(item.prompt)]
        vectors[short] = 0
        facts = tuple(facts_of(item.prompt, [item.answer]) for item in items)
        return cls(items=tuple(items), revision=embedder.revision, vectors=vectors, facts=facts)


class Neighbour(NamedTuple):
    """A passage of a row and an item that lie close to each other."""

    row: int
    item: int
    passage: int
    field: Field
    cosine: float
    agreement: Agreement


def find_paraphrases(
    rows: Sequence[Row], index: ParaphraseIndex, embedder: Embedder, config: ContaminationConfig
) -> list[tuple[Match, Field]]:
    """Return the pairs of rows and items that paraphrase each other, sorted by row and item, with the row's field.

    Each row is judged by itself. Raises what the embedder raises.
    """
    best: dict[tuple[int, int], tuple[Match, Field]] = {}
    for near in find_neighbours(rows, index, embedder, min(config.cosine - SLACK, config.cosine_alone)):
        if near.cosine < needed_cosine(near.agreement, config):
            continue
        known = best.get((near.row, near.item))
        if known is None or near.cosine > known[0].score:
            best[near.row, near.item] = Match(near.row, near.item, near.passage, near.cosine), near.field
    return [best[pair] for pair in sorted(best)]


def needed_cosine(agreement: Agreement, config: ContaminationConfig) -> float:
    """Return the cosine from which texts whose facts compare so are paraphrases; above 1 if they contradict each other."""
    if agreement.contradicts:
        return 2.0
    return (config.cosine_alone, config.cosine, config.cosine - SLACK)[min(2, agreement.num_kinds)]


def find_neighbours(rows: Sequence[Row], index: ParaphraseIndex, embedder: Embedder, lowest: float) -> Iterator[Neighbour]:
    """Yield the passages and items with a cosine of at least `lowest`, row by row, and how their facts compare."""
    assert index.revision == embedder.revision, "the index was made by another model"
    passages = [passage for number, row in enumerate(rows) for passage in passages_of(number, row)]
    vectors = embedder.embed([passage.text for passage in passages])
    last, facts = -1, Facts(Counter(), frozenset(), frozenset())
    for number, item, cosine in _close(vectors, index.vectors, lowest):
        passage = passages[number]
        if number != last:
            last, facts = number, facts_of(passage.text, answers_of(rows[passage.row]))
        agreement = compare_facts(facts, index.facts[item], within=passage.field == "document")
        yield Neighbour(passage.row, item, number, passage.field, min(1.0, cosine), agreement)


def _close(rows: Vectors, items: Vectors, lowest: float) -> Iterator[tuple[int, int, float]]:
    """Yield row, item and cosine of the closest items of each row, MAX_NEIGHBOURS and those that tie with the last."""
    if not len(items):
        return
    for start in range(0, len(rows), BLOCK_ROWS):
        cosines = rows[start : start + BLOCK_ROWS] @ items.T
        if cosines.shape[1] > MAX_NEIGHBOURS:
            last = np.partition(cosines, -MAX_NEIGHBOURS, axis=1)[:, -MAX_NEIGHBOURS, None]
            cosines = np.where(cosines >= last, cosines, np.float32(-1))
        for row, item in np.argwhere(cosines >= lowest).tolist():
            yield start + row, item, float(cosines[row, item])
