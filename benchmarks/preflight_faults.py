"""Mistakes that cost people a training run, planted into rows that were right.

FAULTS["bos_by_tokenizer_too"](setup, rng)      Planted(subject, rule="bos_repeated")

The numbers are the complaints that they stand for: 1 mask, 2 truncation, 3 two beginnings, 4 the end is never learnt,
5 packing, 6 template at serving, 7 data, 8 pairs.
"""

import copy
import dataclasses
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks.preflight_rows import (
    SIZES,
    Setup,
    make_examples,
    make_subject,
    padded,
)
from training.chat_format import IGNORED
from training.preflight.subject import Subject

NUM_ROWS = 40


class Planted(NamedTuple):
    """Rows with a mistake, and the rule that has to catch it."""

    subject: Subject
    rule: str


Plant = Callable[[Setup, random.Random], Planted]
FAULTS: dict[str, Plant] = {}


def fault(name: str) -> Callable[[Plant], Plant]:
    """Register what plants a mistake under a name."""

    def register(plant: Plant) -> Plant:
        FAULTS[name] = plant
        return plant

    return register


def right_rows(setup: Setup, rng: random.Random, **changes: Any) -> Subject:
    """Return rows without a mistake."""
    return make_subject(setup, make_examples(rng, NUM_ROWS), **changes)


def draw_rows(rng: random.Random) -> list[int]:
    """Draw one to five of the rows."""
    return sorted(rng.sample(range(NUM_ROWS), rng.randint(1, 5)))


def relabel(subject: Subject, rows: list[int], change: Callable[[list[int], list[int]], list[int]]) -> Subject:
    """Change the labels of some rows; `change` gets the ids and the labels."""
    ids = subject.columns["input_ids"]
    labels = [change(ids[row], label) if row in rows else label for row, label in enumerate(subject.columns["labels"])]
    return dataclasses.replace(subject, columns={"input_ids": ids, "labels": labels})


def retoken(subject: Subject, rows: list[int], change: Callable[[list[int]], list[int]]) -> Subject:
    """Change ids and labels of some rows alike."""
    columns = {
        name: [change(row) if number in rows else row for number, row in enumerate(subject.columns[name])]
        for name in ("input_ids", "labels")
    }
    return dataclasses.replace(subject, columns=columns)


def with_template(setup: Setup, template: str) -> Setup:
    """Return the setup with another chat template."""
    tokenizer = copy.deepcopy(setup.tokenizer)
    tokenizer.chat_template = template
    return Setup(tokenizer, setup.stops)


# 1: the mask


@fault("1 the mask of some rows is all zero")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(relabel(right_rows(setup, rng), draw_rows(rng), lambda ids, _: [IGNORED] * len(ids)), "no_labels")


@fault("1 the template has no generation markers, and the mask rests on them")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(right_rows(setup, rng, is_marked_by_template=True), "generation_markers_missing")


@fault("1 the whole conversation is learnt")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(relabel(right_rows(setup, rng), draw_rows(rng), lambda ids, _: list(ids)), "prompt_trained")


@fault("1 the mask begins one token early")
def _(setup: Setup, rng: random.Random) -> Planted:
    def widen(ids: list[int], label: list[int]) -> list[int]:
        first = next(place for place, value in enumerate(label) if value != IGNORED)
        return [*label[: first - 1], ids[first - 1], *label[first:]]

    return Planted(relabel(right_rows(setup, rng), draw_rows(rng), widen), "prompt_trained")


@fault("1 the mask begins some tokens late")
def _(setup: Setup, rng: random.Random) -> Planted:
    def narrow(_: list[int], label: list[int]) -> list[int]:
        first = next(place for place, value in enumerate(label) if value != IGNORED)
        return [*[IGNORED] * (first + 2), *label[first + 2 :]]

    return Planted(relabel(right_rows(setup, rng), draw_rows(rng), narrow), "answer_masked")


@fault("1 labels are shifted already")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(
        relabel(right_rows(setup, rng), draw_rows(rng), lambda _, label: [*label[1:], IGNORED]), "label_not_its_token"
    )


@fault("1 of several turns only the last is learnt")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(right_rows(setup, rng, kind="turns"), "turns_masked")


# 2: truncation


@fault("2 rows are cut, their end is lost")
def _(setup: Setup, rng: random.Random) -> Planted:
    right = right_rows(setup, rng)
    limit = max(map(len, right.columns["input_ids"])) - 3
    sizes = dataclasses.replace(SIZES, max_length=limit)
    return Planted(
        dataclasses.replace(retoken(right, list(range(NUM_ROWS)), lambda row: row[:limit]), sizes=sizes), "truncated"
    )


@fault("2 rows are cut so that no label is left")
def _(setup: Setup, rng: random.Random) -> Planted:
    rows = draw_rows(rng)
    right = right_rows(setup, rng)
    columns = {name: list(right.columns[name]) for name in ("input_ids", "labels")}
    for row in rows:
        first = next(place for place, value in enumerate(columns["labels"][row]) if value != IGNORED)
        columns = {name: [*part[:row], part[row][:first], *part[row + 1 :]] for name, part in columns.items()}
    return Planted(dataclasses.replace(right, columns=columns), "no_labels")


@fault("2 rows are longer than max_length")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(right_rows(setup, rng, sizes=dataclasses.replace(SIZES, max_length=30)), "too_long")


# 3: the beginning


@fault("3 template and tokenizer both write the beginning")
def _(setup: Setup, rng: random.Random) -> Planted:
    start = setup.tokenizer.bos_token_id
    rule = "bos_repeated" if start is not None else "prompt_not_as_served"
    extra = start if start is not None else setup.tokenizer.pad_token_id
    right = right_rows(setup, rng)
    columns = {"input_ids": [[extra, *row] for row in right.columns["input_ids"]]}
    columns["labels"] = [[IGNORED, *row] for row in right.columns["labels"]]
    return Planted(dataclasses.replace(right, columns=columns), rule)


@fault("3 the beginning is missing")
def _(setup: Setup, rng: random.Random) -> Planted:
    rule = "bos_missing" if setup.tokenizer.bos_token_id is not None else "prompt_not_as_served"
    return Planted(retoken(right_rows(setup, rng), draw_rows(rng), lambda row: row[1:]), rule)


# 4: the end


@fault("4 the end of the turn is outside of the mask")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(relabel(right_rows(setup, rng), draw_rows(rng), lambda _, label: [*label[:-1], IGNORED]), "end_not_trained")


@fault("4 the template does not close an answer")
def _(setup: Setup, rng: random.Random) -> Planted:
    return Planted(retoken(right_rows(setup, rng), list(range(NUM_ROWS)), lambda row: row[:-1]), "end_not_trained")


@fault("4 pad is end, and the collator masks by value")
def _(setup: Setup, rng: random.Random) -> Planted:
    tokenizer = copy.deepcopy(setup.tokenizer)
    tokenizer.pad_token = tokenizer.decode(min(setup.stops)) if len(setup.stops) == 1 else tokenizer.eos_token
    inner = padded(tokenizer)

    def mask_by_value(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = dict(inner(rows))
        labels = np.asarray(batch["labels"]).copy()
        labels[np.isin(np.asarray(batch["input_ids"]), list(setup.stops))] = IGNORED
        return {**batch, "labels": labels}

    return Planted(right_rows(Setup(tokenizer, setup.stops), rng, collate=mask_by_value), "end_masked_by_padding")


@fault("4 generation does not stop at the end of a turn")
def _(setup: Setup, rng: random.Random) -> Planted:
    tokenizer = copy.deepcopy(setup.tokenizer)
    other = tokenizer.convert_tokens_to_ids(tokenizer.pad_token)
    return Planted(right_rows(setup, rng, stops=frozenset([other])), "turn_end_does_not_stop")


@fault("4 the end of a turn is no single token")
def _(setup: Setup, rng: random.Random) -> Planted:
    closing = "<|im_end|>"
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}" + closing + "{% endfor %}"
    made = with_template(setup, template + "{% if add_generation_prompt %}assistant: {% endif %}")
    return Planted(right_rows(made, rng), "turn_end_is_no_token")


@fault("4 the tokenizer has no end token")
def _(setup: Setup, rng: random.Random) -> Planted:
    right = right_rows(setup, rng)
    tokenizer = copy.deepcopy(setup.tokenizer)
    tokenizer.eos_token = None
    return Planted(dataclasses.replace(right, tokenizer=tokenizer, stops=frozenset()), "end_token_missing")


@fault("4 the tokenizer has no pad token")
def _(setup: Setup, rng: random.Random) -> Planted:
    right = right_rows(setup, rng)
    tokenizer = copy.deepcopy(setup.tokenizer)
    tokenizer.pad_token = None
    return Planted(dataclasses.replace(right, tokenizer=tokenizer), "pad_token_missing")


@fault("4 padding is learnt")
def _(setup: Setup, rng: random.Random) -> Planted:
    inner = padded(setup.tokenizer)

    def learn_all(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = dict(inner(rows))
        is_pad = np.asarray(batch["attention_mask"]) == 0
        return {**batch, "labels": np.where(is_pad, setup.tokenizer.pad_token_id, np.asarray(batch["labels"]))}

    return Planted(right_rows(setup, rng, collate=learn_all), "padding_trained")
