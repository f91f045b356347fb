"""The review gate: may these rows be trained on? Recomputed from the review database and the rows themselves.

    evidence = verify_gate(curated_examples=..., curated_pairs=..., dataset_rows=sft_rows, queue=queue,
                           config=recipe.review, where="http://127.0.0.1:3001/recipes/sdk_assistant")

Nothing is taken from an event log or an earlier run: the hash chain of the verdicts is checked, the verdicts are
applied to the curated rows again, and every row of the data set has to be among what comes out. What cannot be read
is not passed.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from curation.errors import DatabaseError, LedgerTamperedError, ReviewGateError
from curation.ids import merkle_root
from curation.mix.training_set import without_repeat
from curation.records import Document, Example, PreferencePair, Verdict, VerifiableTask, record_hash
from curation.review.config import Policy, ReviewConfig
from curation.review.documents import DocumentReview
from curation.review.items import Row
from curation.review.queue import ReviewQueue, counting_verdicts
from curation.review.verdicts import Verified, apply_verdicts


@dataclass(frozen=True, kw_only=True)
class GateEvidence:
    """What the gate saw when it opened; goes into the model's manifest."""

    policy: Policy
    num_rows: int
    """Rows of the data set."""
    num_required: int
    """Items that the policy wants a verdict on."""
    num_human: int
    num_automatic: int
    num_lots: int = 0
    """Lots that were accepted by their sample, or inspected in full."""
    num_failed_lots: int = 0
    """Those of them whose sample failed."""
    verdict_head: str
    """Head of the verdict chain; empty under `none`, which reads no verdicts."""
    root: str
    """Merkle root over the hashes of the data set's rows."""


def verify_gate(
    *,
    curated_examples: Iterable[Example],
    curated_pairs: Iterable[PreferencePair],
    dataset_rows: Sequence[Row | Document],
    queue: ReviewQueue,
    config: ReviewConfig,
    where: str,
    required: Collection[str] = (),
    curated_tasks: Iterable[VerifiableTask] = (),
    documents: DocumentReview | None = None,
) -> GateEvidence:
    """Return the evidence that every row of a data set was accepted; `documents` are those of the recipe, if it reviews any.

    Raises:
        ReviewGateError: naming the first bad row, if an item still waits, a row is not what was accepted, or the
            verdicts cannot be read or are not intact.
    """
    verdicts, head = _read_verdicts(queue, config, where, required)
    verified = apply_verdicts(
        curated_examples,
        curated_pairs,
        verdicts=verdicts,
        config=config,
        required=required,
        tasks=curated_tasks,
        documents=documents,
    )
    if verified.open_items:
        item, row = next(iter(verified.open_items.items()))
        num = len(verified.open_items)
        raise ReviewGateError(
            problem=f"{num:,} {'items await' if num > 1 else 'item awaits'} a verdict.", row=f"{row} (item {item})", where=where
        )
    _check_rows(dataset_rows, verified, where)
    kinds = list(verified.decided_by.values())
    decisions = [report.figures.decision for report in verified.lots.reports]
    return GateEvidence(
        policy=config.policy,
        num_rows=len(dataset_rows),
        num_required=len(kinds),
        num_human=kinds.count("human"),
        num_automatic=kinds.count("automatic"),
        num_lots=len(decisions),
        num_failed_lots=decisions.count("reject"),
        verdict_head=head,
        root=merkle_root(record_hash(row) for row in dataset_rows),
    )


def _read_verdicts(
    queue: ReviewQueue, config: ReviewConfig, where: str, required: Collection[str]
) -> tuple[dict[str, Verdict], str]:
    if config.policy == "none" and config.documents == "none" and not required:
        return {}, ""
    try:
        verdicts, head = queue.audited_verdicts()
    except (DatabaseError, LedgerTamperedError, sa.exc.SQLAlchemyError) as error:
        first = f"verdict {error.fields['entry']}" if isinstance(error, LedgerTamperedError) else "all"
        raise ReviewGateError(problem=f"the verdicts cannot be relied on ({error}).", row=first, where=where) from error
    return counting_verdicts(verdicts, config.accept, config.overlap), head


def _check_rows(rows: Sequence[Row | Document], verified: Verified, where: str) -> None:
    accepted: dict[tuple[type, str], list[Row | Document]] = {}
    given: list[Row | Document] = [*verified.examples, *verified.pairs, *verified.tasks, *verified.documents]
    for row in given:
        accepted.setdefault((type(row), row.key), []).append(row)
    for row in rows:
        if not _is_accepted(row, accepted) and not _is_accepted(without_repeat(row), accepted):
            raise ReviewGateError(
                problem=_problem(row, accepted, verified), row=f"{row.key} (hash {record_hash(row)})", where=where
            )


def _is_accepted(row: Row | Document | None, accepted: dict[tuple[type, str], list[Row | Document]]) -> bool:
    return row is not None and row in accepted.get((type(row), row.key), ())


def _problem(row: Row | Document, accepted: dict[tuple[type, str], list[Row | Document]], verified: Verified) -> str:
    if (type(row), row.key) in accepted:
        return "a row of the data set is not what was accepted: its content has changed since."
    rejection = next((item for item in verified.rejections if item.key == row.key), None)
    if rejection is not None:
        return f"a row of the data set was not accepted ({rejection.reason}): {rejection.detail}"
    return "a row of the data set stems from no curated row."
