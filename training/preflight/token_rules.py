"""Rules that need nothing but the tokens: ids, labels, ends, lengths, duplicates.

find_token_faults(subject)      [Hit("no_labels", rows=[17])]
"""

from collections.abc import Iterator

import numpy as np

from training.preflight.findings import Hit
from training.preflight.flat import Flat, Mask
from training.preflight.subject import Subject

MAX_DUPLICATE_SHARE = 0.05
"""Above it, rows that are the same under different keys stop the stage: curation has taken them out, so something broke."""
MAX_REJECTED_SHARE = 0.05
MAX_UNKNOWN_SHARE = 0.01
"""Above it, learnt tokens that the vocabulary cannot write stop the stage."""

RULES = (
    "rows_missing", "row_empty", "labels_do_not_fit", "id_outside_vocabulary", "label_outside_vocabulary",
    "label_not_its_token", "no_labels", "prompt_trained", "end_not_trained", "truncated", "too_long", "bos_repeated",
    "pad_in_row", "special_token_in_text", "unknown_tokens", "answer_empty", "duplicate_rows", "many_rejected",
)  # fmt: skip
"""What is looked for here."""


def find_token_faults(subject: Subject) -> Iterator[Hit]:
    """Yield what is wrong with the tokens of the rows."""
    flat = subject.flat
    if not subject.num_rows:
        yield Hit("rows_missing")
        return
    yield from _shape(subject, flat)
    yield from _vocabulary(subject, flat)
    if subject.kind != "prompts":
        yield from _labels(subject, flat)
        yield from _ends(subject, flat)
    yield from _lengths(subject, flat)
    yield from _specials(subject, flat)
    yield from _duplicates(subject, flat)


def _shape(subject: Subject, flat: Flat) -> Iterator[Hit]:
    if flat.unfit:
        yield Hit("labels_do_not_fit", flat.unfit)
    yield from _hit("row_empty", flat, flat.lengths == 0)


def _vocabulary(subject: Subject, flat: Flat) -> Iterator[Hit]:
    size = subject.vocabulary or len(subject.tokenizer)
    outside = (flat.ids < 0) | (flat.ids >= size)
    yield from _hit("id_outside_vocabulary", flat, flat.count(outside) > 0, f"The model has {size} embeddings.")
    strange = flat.is_trained & ((flat.labels < 0) | (flat.labels >= size))
    yield from _hit("label_outside_vocabulary", flat, flat.count(strange) > 0, f"The model has {size} embeddings.")
    shifted = flat.is_trained & (flat.labels != flat.ids) & ~strange & ~outside
    yield from _hit("label_not_its_token", flat, flat.count(shifted) > 0)


def _labels(subject: Subject, flat: Flat) -> Iterator[Hit]:
    trained = flat.count(flat.is_trained)
    yield from _hit("no_labels", flat, (trained == 0) & (flat.lengths > 0))
    if subject.kind == "text":
        return
    first = flat.count(flat.is_trained & (flat.places == 0)) > 0
    yield from _hit("prompt_trained", flat, first, "Even the first token is learnt.")
    spoken = flat.count(flat.is_trained & ~flat.is_in(subject.special_ids))
    yield from _hit("answer_empty", flat, (trained > 0) & (spoken == 0))


def _ends(subject: Subject, flat: Flat) -> Iterator[Hit]:
    is_end = flat.is_in(subject.end_ids)
    if subject.kind == "text":
        learnt = bool((is_end & flat.is_trained).any())
        if subject.end_ids and not learnt:
            yield Hit("end_not_trained", detail="No document in the whole corpus ends with an end token that is learnt.")
        return
    open_ended = flat.count(flat.run_ends() & ~is_end) > 0
    limit = subject.sizes.max_length
    is_cut = open_ended & (limit > 0) & (flat.lengths >= limit)
    yield from _hit("truncated", flat, is_cut, f"max_length is {limit}.")
    yield from _hit("end_not_trained", flat, open_ended & ~is_cut)


def _lengths(subject: Subject, flat: Flat) -> Iterator[Hit]:
    limit = subject.sizes.max_length
    if limit:
        longest = f"The longest has {int(flat.lengths.max())} tokens, max_length is {limit}."
        yield from _hit("too_long", flat, flat.lengths > limit, longest)
    dropped = sum(rejection.reason in ("too_long", "special_token_in_text") for rejection in subject.rejections)
    total = dropped + subject.num_rows
    if dropped > MAX_REJECTED_SHARE * total:
        yield Hit("many_rejected", detail=f"{dropped} of {total} rows were rejected ({dropped / total:.0%}).")


def _specials(subject: Subject, flat: Flat) -> Iterator[Hit]:
    tokenizer = subject.tokenizer
    start, pad = tokenizer.bos_token_id, tokenizer.pad_token_id
    if start is not None and start not in subject.end_ids and subject.kind != "text":
        yield from _hit("bos_repeated", flat, flat.count(flat.ids == start) > 1, f"It is {tokenizer.bos_token!r}.")
    if pad is not None and pad not in subject.end_ids and pad not in (start, tokenizer.unk_token_id):
        yield from _hit("pad_in_row", flat, flat.count(flat.ids == pad) > 0, f"It is {tokenizer.pad_token!r}.")
    if subject.kind == "text":
        forged = flat.is_in(subject.special_ids - subject.end_ids - {start, tokenizer.unk_token_id})
        rows = flat.rows(flat.count(forged) > 0)
        if rows:
            yield Hit("special_token_in_text", rows, "Documents hold the markers of chats.", "warning")
    unknown = tokenizer.unk_token_id
    if unknown is not None and unknown not in subject.end_ids and unknown != start:
        yield from _unknown(flat, flat.ids == unknown)


def _unknown(flat: Flat, is_unknown: Mask) -> Iterator[Hit]:
    rows = flat.rows(flat.count(is_unknown) > 0)
    if rows:
        share = float((is_unknown & flat.is_trained).sum() / max(1, flat.is_trained.sum()))
        detail = f"{int(is_unknown.sum())} tokens are unknown, {share:.1%} of those that are learnt."
        yield Hit("unknown_tokens", rows, detail, "error" if share > MAX_UNKNOWN_SHARE else None)


def _duplicates(subject: Subject, flat: Flat) -> Iterator[Hit]:
    """Look for rows with the same tokens; a row that the mix repeats on purpose has the key KEY@2."""
    if subject.kind == "prompts" and subject.kept is None:
        return
    contents: list[bytes] = [b""] * subject.num_rows
    for number, row in enumerate(flat.row_of):
        ids, is_trained = flat.sequence(number)
        contents[row] += ids.tobytes() + np.packbits(is_trained).tobytes() + b"|"
    labels = subject.columns.get("label")
    seen: dict[tuple[bytes, object], str] = {}
    again = []
    for row, content in enumerate(contents):
        name = subject.key(row).partition("@")[0]
        first = seen.setdefault((content, None if labels is None else labels[row]), name)
        if first != name:
            again.append(row)
    if again:
        share = len(again) / subject.num_rows
        is_too_many = share > MAX_DUPLICATE_SHARE and subject.kind != "text"  # documents repeat licences and tables
        yield Hit("duplicate_rows", again, f"{share:.1%} of the rows.", "error" if is_too_many else None)


def _hit(rule: str, flat: Flat, sequences: Mask, detail: str = "") -> Iterator[Hit]:
    rows = flat.rows(sequences)
    if rows:
        yield Hit(rule, rows, detail)
