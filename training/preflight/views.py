"""Rows as people see them: every token as text, learnt or masked, special or not.

view_row(subject, 17)      (RowView(key="api/strings#0", tokens=(Token("<|bos|>", "masked", True), ...)),)
"""

from typing import Any

import numpy as np

from training.preflight.findings import Learnt, RowView, Token
from training.preflight.subject import Subject

MAX_TOKENS = 360
"""Tokens shown of a row: its beginning and its end, where the answer is."""
NUM_SAMPLES = 3
_BROKEN = "\ufffd"
_MAX_BYTES = 4
"""Bytes of one character in UTF-8."""


def view_row(subject: Subject, row: int) -> tuple[RowView, ...]:
    """Decode a row; a pair gives two, one for each answer."""
    numbers = [int(number) for number in np.flatnonzero(subject.flat.row_of == row)]
    parts = ("chosen", "rejected") if len(numbers) == 2 else ("",)
    return tuple(_view(subject, subject.key(row), number, part) for number, part in zip(numbers, parts, strict=True))


def choose_samples(subject: Subject) -> tuple[RowView, ...]:
    """Return a short row, one of middle length, and the longest."""
    if not subject.num_rows:
        return ()
    order = np.argsort(subject.flat.lengths[: subject.num_rows], kind="stable")
    chosen = dict.fromkeys(int(order[round(share * (len(order) - 1))]) for share in np.linspace(0, 1, NUM_SAMPLES))
    return tuple(view for row in chosen for view in view_row(subject, row))


def _view(subject: Subject, key: str, number: int, part: str) -> RowView:
    ids, is_trained = subject.flat.sequence(number)
    if len(ids) > MAX_TOKENS:
        half = MAX_TOKENS // 2
        shown = [*range(half), *range(len(ids) - half, len(ids))]
    else:
        shown = list(range(len(ids)))
    pairs = [(int(ids[place]), bool(is_trained[place])) for place in shown]
    return RowView(
        key=key,
        part=part,
        tokens=tuple(_decode(subject, pairs)),
        num_tokens=len(ids),
        num_trained=int(is_trained.sum()),
        num_left_out=len(ids) - len(shown),
    )


def _decode(subject: Subject, pairs: list[tuple[int, bool]]) -> list[Token]:
    """Decode tokens one by one; those that are parts of one character are shown together."""
    tokens, place = [], 0
    while place < len(pairs):
        number, is_trained = pairs[place]
        width = 1
        text = _text(subject.tokenizer, [number])
        while _BROKEN in text and width < _MAX_BYTES and place + width < len(pairs) and pairs[place + width][1] == is_trained:
            wider = _text(subject.tokenizer, [number for number, _ in pairs[place : place + width + 1]])
            width += 1
            if _BROKEN not in wider:
                text = wider
                break
        else:
            width = 1
        state: Learnt = "trained" if is_trained else "masked"
        tokens.append(Token(text=text, state=state, is_special=number in subject.special_ids))
        place += width
    return tokens


def _text(tokenizer: Any, numbers: list[int]) -> str:
    if min(numbers) < 0 or max(numbers) >= len(tokenizer):
        return "".join(f"[{number}]" for number in numbers)
    return str(tokenizer.decode(numbers, skip_special_tokens=False, clean_up_tokenization_spaces=False))
