"""Rules about preferences: pairs whose answers are the same, turned round or hold the prompt; labels of one kind only.

find_preference_faults(subject)      [Hit("chosen_is_rejected", rows=[8])]
"""

from collections.abc import Iterator

import numpy as np

from training.preflight.findings import Hit
from training.preflight.subject import Subject

RULES = ("chosen_is_rejected", "pairs_contradict", "prompt_in_answer", "one_label_only", "labels_contradict")
"""What is looked for here."""
MIN_PROMPT = 4
"""Shorter prompts may well stand at the beginning of an answer."""


def find_preference_faults(subject: Subject) -> Iterator[Hit]:
    """Yield what is wrong with pairs, or with labelled answers."""
    if subject.kind == "pairs":
        yield from _pairs(subject)
    if subject.kind == "labelled":
        yield from _labelled(subject)


def _pairs(subject: Subject) -> Iterator[Hit]:
    prompts, chosen, rejected = (
        [_content(ids) for ids in subject.columns[name]] for name in ("prompt_ids", "chosen_ids", "rejected_ids")
    )
    same = [row for row, (one, other) in enumerate(zip(chosen, rejected, strict=True)) if one == other]
    if same:
        yield Hit("chosen_is_rejected", same)
    known = {(prompt, one, other) for prompt, one, other in zip(prompts, chosen, rejected, strict=True) if one != other}
    turned = [
        row
        for row in range(len(prompts))
        if chosen[row] != rejected[row] and (prompts[row], rejected[row], chosen[row]) in known
    ]
    if turned:
        yield Hit("pairs_contradict", turned)
    holding = [
        row for row in range(len(prompts)) if any(_repeats(prompts[row], answers[row]) for answers in (chosen, rejected))
    ]
    if holding:
        yield Hit("prompt_in_answer", holding)


def _labelled(subject: Subject) -> Iterator[Hit]:
    labels = [bool(label) for label in subject.columns["label"]]
    if len(labels) > 1 and len(set(labels)) == 1:
        yield Hit("one_label_only", detail=f"All {len(labels)} are {'wanted' if labels[0] else 'unwanted'}.")
    prompts, answers = ([_content(ids) for ids in subject.columns[name]] for name in ("prompt_ids", "completion_ids"))
    first: dict[tuple[bytes, bytes], bool] = {}
    both = [
        row
        for row, (prompt, answer, label) in enumerate(zip(prompts, answers, labels, strict=True))
        if first.setdefault((prompt, answer), label) != label
    ]
    if both:
        yield Hit("labels_contradict", both)
    holding = [row for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)) if _repeats(prompt, answer)]
    if holding:
        yield Hit("prompt_in_answer", holding)


def _content(ids: list[int]) -> bytes:
    return np.asarray(ids, dtype=np.int64).tobytes()


def _repeats(prompt: bytes, answer: bytes) -> bool:
    return len(prompt) >= MIN_PROMPT * 8 and answer.startswith(prompt)
