"""Rules about what the model really reads: every row goes through the real collator, and is compared with what comes out.

find_batch_faults(subject)      [Hit("end_masked_by_padding", rows=[0, 1, 2])]

A batch is either padded, `[sequences, tokens]` with an attention mask, or packed, `[1, tokens]` with position ids.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from training.chat_format import IGNORED
from training.preflight.findings import Hit
from training.preflight.flat import Flat, Mask, Numbers
from training.preflight.subject import Subject

RULES = (
    "batch_loses_tokens", "batch_changes_labels", "end_masked_by_padding", "padding_trained", "documents_not_isolated",
    "boundary_trained", "collator_failed",
)  # fmt: skip
"""What is looked for here."""
ROWS_AT_ONCE = 64
"""Rows of different lengths have to meet, so that there is padding to look at."""


def find_batch_faults(subject: Subject) -> Iterator[Hit]:
    """Yield what the collator does to the rows."""
    if subject.collate is None or not subject.num_rows or subject.flat.unfit or (subject.flat.lengths == 0).any():
        return
    found: dict[str, set[int]] = {}
    details: dict[str, str] = {}
    for start in range(0, subject.num_rows, ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, subject.num_rows))
        for hit in _look(subject, rows):
            found.setdefault(hit.rule, set()).update(hit.rows)
            details.setdefault(hit.rule, hit.detail)
    yield from (Hit(rule, sorted(rows), details[rule]) for rule, rows in found.items())


def _look(subject: Subject, rows: range) -> list[Hit]:
    examples = [{name: column[row] for name, column in subject.columns.items()} for row in rows]
    assert subject.collate is not None
    try:
        batch = {name: _numbers(value) for name, value in subject.collate(examples).items()}
    except Exception as error:  # whatever it is, the trainer would meet it after the model was loaded
        return [Hit("collator_failed", list(rows), f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")]
    part = subject.flat.part(rows)
    ids = batch.get("input_ids")
    if ids is None or ids.ndim != 2:
        return [Hit("batch_loses_tokens", list(rows), "The batch has no input_ids of two dimensions.")]
    is_packed = ids.shape[0] == 1 and len(part.lengths) > 1 and ids.shape[1] >= int(part.lengths.sum())
    compare = _compare_packed if is_packed or (ids.shape[0] == 1 and "attention_mask" not in batch) else _compare_padded
    return [hit._replace(rows=[rows.start + row for row in hit.rows]) for hit in compare(subject, part, batch)]


def _numbers(value: Any) -> Any:
    detached = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    return np.asarray(detached) if detached is not None else None


def _compare_padded(subject: Subject, part: Flat, batch: dict[str, Any]) -> Iterator[Hit]:
    ids, mask = batch["input_ids"], batch.get("attention_mask")
    if mask is None or mask.shape != ids.shape:
        yield Hit(
            "batch_loses_tokens", part.rows(part.lengths > 0), "The batch has no attention mask of the shape of its tokens."
        )
        return
    is_real = mask.astype(bool)
    if ids.shape[0] != len(part.lengths) or (is_real.sum(axis=1) != part.lengths).any():
        wrong = part.lengths > 0 if ids.shape[0] != len(part.lengths) else is_real.sum(axis=1) != part.lengths
        yield Hit("batch_loses_tokens", part.rows(wrong))
        return
    yield from _tokens(part, ids[is_real])
    trained = _trained(batch)
    if trained is None:
        return
    yield from _labels(subject, part, trained[is_real], batch, is_real)
    leaks = (trained & ~is_real).any(axis=1)
    if leaks.any():
        yield Hit("padding_trained", part.rows(leaks))


def _compare_packed(subject: Subject, part: Flat, batch: dict[str, Any]) -> Iterator[Hit]:
    total = int(part.lengths.sum())
    ids = batch["input_ids"][0]
    if len(ids) < total:
        yield Hit("batch_loses_tokens", part.rows(part.lengths > 0))
        return
    yield from _tokens(part, ids[:total])
    yield from _isolation(part, batch, total)
    trained = _trained(batch)
    if trained is None:
        return
    is_first = part.places == 0
    own = trained[0][:total]
    yield from _labels(subject, part, np.where(is_first, part.is_trained, own), batch, None)
    if (own & is_first)[1:].any() and len(part.lengths) > 1:
        yield Hit("boundary_trained", part.rows(part.count(own & is_first) > 0))
    if trained[0][total:].any():
        yield Hit("padding_trained", part.rows(part.lengths > 0))


def _isolation(part: Flat, batch: dict[str, Any], total: int) -> Iterator[Hit]:
    """Look whether packed rows are told apart: by position ids that restart, by the right row lengths, without a mask."""
    if len(part.lengths) < 2:
        return
    places, ends = batch.get("position_ids"), batch.get("cu_seq_lens_q")
    problem = ""
    if places is None:
        problem = "There are no position ids."
    elif (places.reshape(-1)[:total] != part.places).any():
        problem = "Position ids do not restart where rows do."
    elif ends is not None and ends.reshape(-1)[: len(part.starts)].tolist() != part.starts.tolist():
        problem = "cu_seq_lens_q does not hold the lengths of the rows."
    elif batch.get("attention_mask") is not None:
        problem = "There is an attention mask, which makes attention ignore where rows begin."
    if problem:
        yield Hit("documents_not_isolated", part.rows(part.lengths > 0), problem)


def _tokens(part: Flat, ids: Numbers) -> Iterator[Hit]:
    moved = part.count(ids != part.ids) > 0
    if moved.any():
        yield Hit("batch_loses_tokens", part.rows(moved))


def _trained(batch: dict[str, Any]) -> Mask | None:
    """Return which tokens of a batch are learnt; None if it does not say, as in reinforcement learning."""
    if batch.get("labels") is not None:
        return np.asarray(batch["labels"] != IGNORED)
    if batch.get("completion_mask") is not None:
        return np.asarray(batch["completion_mask"].astype(bool))
    return None


def _labels(subject: Subject, part: Flat, trained: Mask, batch: dict[str, Any], is_real: Mask | None) -> Iterator[Hit]:
    is_end = part.is_in(subject.end_ids)
    lost = part.count(part.is_trained & ~trained & is_end) > 0
    if lost.any():
        yield Hit("end_masked_by_padding", part.rows(lost))
    changed = (part.is_trained != trained) & ~(part.is_trained & is_end)
    if is_real is not None and batch.get("labels") is not None:
        changed |= trained & (batch["labels"][is_real] != part.labels)
    wrong = part.count(changed) > 0
    if wrong.any():
        yield Hit("batch_changes_labels", part.rows(wrong))
