"""What reviewers decided as rows to train on, with the semantics of the review gate (`verdicts.apply_verdicts`).

    sft    examples that were approved, and edits in place of the originals
    dpo    pairs, the preferred answer chosen, and one more an edit: the edit chosen, the original rejected
    kto    every example that was approved (desirable) or rejected (undesirable)

A row that cites a document of the queue which people have not approved, or was made from such a row of the queue, is left out,
as the gate leaves it out. An item stands for all rows, or documents, that show the same text: each gives one row here, and rows
that cite another of such documents are known to the gate alone. Rows that needed no verdict (a policy that samples, an accepted
lot) are not in the queue's word and not here: the graph's own data sets have them.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Literal

import sqlalchemy as sa

from curation.records import Example, Message, PreferencePair, ReviewItem, UnpairedPreference, Verdict
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.documents import Withheld, withhold_rows
from curation.review.exchange.reviewed import Reviewed, iter_reviewed
from curation.review.payload import unpack_item
from curation.review.queue import ReviewQueue
from curation.review.queue.chain import as_verdict
from curation.review.queue.resolution import counting_verdicts
from curation.review.verdicts import apply_verdicts, kto_labels

TrainingShape = Literal["sft", "dpo", "kto"]
TRAINING_SHAPES: tuple[TrainingShape, ...] = ("sft", "dpo", "kto")
TrainingRow = Example | PreferencePair | UnpairedPreference
PART = 200


def iter_training_rows(queue: ReviewQueue, shape: TrainingShape) -> Iterator[TrainingRow]:
    """Yield what the listed items and their counting verdicts give, in key order. Raises DatabaseError."""
    settings = queue.settings()
    config = ReviewConfig(rubric=settings.rubric or ReviewConfig().rubric, overlap=settings.overlap)
    withheld = _withheld_rows(queue)
    part: list[Reviewed] = []
    for reviewed in iter_reviewed(queue.database, queue.recipe, consistent=True):
        part.append(reviewed)
        if len(part) >= PART:
            yield from _rows_of(queue, part, shape, config, withheld)
            part = []
    yield from _rows_of(queue, part, shape, config, withheld)


def _rows_of(
    queue: ReviewQueue, part: list[Reviewed], shape: TrainingShape, config: ReviewConfig, withheld: frozenset[str]
) -> Sequence[TrainingRow]:
    accept = queue.settings().accept
    verdicts = counting_verdicts(
        sorted((verdict for reviewed in part for verdict in reviewed.verdicts), key=lambda verdict: verdict.sequence),
        accept,
        config.overlap,
    )
    ours = [item for reviewed in part if (item := reviewed.item).rubric_version == config.rubric_version]
    ours = [item for item in ours if item.record_key not in withheld]
    examples = [_example(item) for item in ours if item.kind == "example" and item.key in verdicts]
    pairs = [_pair(item) for item in ours if item.kind == "pair" and item.key in verdicts]
    if shape == "kto":
        return kto_labels(examples, verdicts=verdicts, config=config)
    have = {example.key for example in examples}
    needed = {name for pair in pairs for name in pair.provenance.parents} - have
    parents, said = _find_parents(queue, needed) if shape == "dpo" and needed else ([], {})
    verified = apply_verdicts([*examples, *parents], pairs, verdicts={**said, **verdicts}, config=config)
    others = {parent.key for parent in parents}
    if shape == "sft":
        return [row for row in verified.examples if row.key not in others and row.key.removesuffix("/edit") not in others]
    return [row for row in verified.pairs if row.key.removesuffix("/edit/pair") not in others]


def _withheld_rows(queue: ReviewQueue) -> frozenset[str]:
    """Return the keys of rows that rest on documents which the recipe wants reviewed and nobody has approved (yet)."""
    item = schema.items.c
    chosen = (item.recipe == queue.recipe, item.is_listed, item.kind == "document", item.human_decision != "approve")
    with queue.database.read() as connection:
        documents = connection.execute(sa.select(item.record_key).where(*chosen)).scalars().all()
    if not documents:
        return frozenset()
    waits = dict.fromkeys(documents, Withheld("awaiting_review", ""))
    given = (reviewed.item for reviewed in iter_reviewed(queue.database, queue.recipe, listed_only=False))
    return frozenset(withhold_rows((_example(item) for item in given if item.kind != "document"), (), waits))


def _find_parents(queue: ReviewQueue, names: Collection[str]) -> tuple[list[Example], dict[str, Verdict]]:
    """Return examples that pairs were made from and that somebody rejected or edited: such pairs go with them."""
    item, verdict = schema.items.c, schema.verdicts.c
    overruled = item.human_decision.in_(("edit", "reject"))
    chosen = (
        item.recipe == queue.recipe,
        item.is_listed,
        item.kind == "example",
        overruled,
        item.record_key.in_(sorted(names)),
    )
    with queue.database.read() as connection:
        rows = connection.execute(sa.select(item.payload, item.human_sequence).where(*chosen)).all()
        mine = (verdict.recipe == queue.recipe, verdict.sequence.in_([row.human_sequence for row in rows]))
        said = [as_verdict(row) for row in connection.execute(sa.select(schema.verdicts).where(*mine)).mappings()]
    return [_example(unpack_item(row.payload)) for row in rows], {vote.key: vote for vote in said}


def _example(item: ReviewItem) -> Example:
    return Example(
        key=item.record_key,
        task=item.task,
        messages=(*item.prompt, Message(role="assistant", content=item.answer)),
        group=item.record_key,
        provenance=item.provenance,
    )


def _pair(item: ReviewItem) -> PreferencePair:
    return PreferencePair(
        key=item.record_key,
        task=item.task,
        prompt=item.prompt,
        chosen=item.answer,
        rejected=item.alternative,
        rejected_kind="not_preferred",
        group=item.record_key,
        provenance=item.provenance,
    )
