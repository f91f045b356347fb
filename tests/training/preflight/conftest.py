"""Rows of a tiny tokenizer, made by the chat format of the project, and subjects of them."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from curation.records import Example, Message, PreferencePair, Provenance, Rejection
from training.base_model import train_tokenizer
from training.chat_format import IGNORED, ChatFormat
from training.preflight.subject import Sizes, Subject

MADE = Provenance(origin="human", method="demonstration")
SIZES = Sizes(max_length=200, batch_size=2, gradient_accumulation=2)


def make_example(number: int, *, question: str = "", answer: str = "", system: str = "") -> Example:
    messages = (
        *([Message(role="system", content=system)] if system else []),
        Message(role="user", content=question or f"Which port has berth {number}?"),
        Message(role="assistant", content=answer or f"Berth {number} is in the east."),
    )
    return Example(key=f"port/{number}", task="qa", group=str(number), messages=messages, provenance=MADE)


def make_pair(number: int, *, chosen: str = "", rejected: str = "") -> PreferencePair:
    return PreferencePair(
        key=f"pair/{number}", task="qa", prompt=make_example(number).prompt, chosen=chosen or f"It is {number}.",
        rejected=rejected or f"Hard to say, {number}.", rejected_kind="wrong_format", group=str(number), provenance=MADE,
    )  # fmt: skip


@pytest.fixture(scope="session")
def shared_tokenizer() -> Any:
    return train_tokenizer(["Which port has berth in the east. It is hard to say."] * 3, vocab_size=320, context_length=256)


@pytest.fixture
def tokenizer(shared_tokenizer: Any) -> Any:
    return copy.deepcopy(shared_tokenizer)


def pad_by_position(tokenizer: Any) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Return a collator like that of the trainers, without importing them."""
    import numpy as np

    def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
        ids, labels = [row["input_ids"] for row in rows], [row["labels"] for row in rows]
        longest = max(map(len, ids))
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
        fill = [longest - len(row) for row in ids]
        return {
            "input_ids": np.array([[*row, *[pad] * more] for row, more in zip(ids, fill, strict=True)]),
            "labels": np.array([[*row, *[IGNORED] * more] for row, more in zip(labels, fill, strict=True)]),
            "attention_mask": np.array([[*[1] * len(row), *[0] * more] for row, more in zip(ids, fill, strict=True)]),
        }

    return collate


def subject_of(tokenizer: Any, examples: Sequence[Example], **changes: Any) -> Subject:
    """Return what the preflight looks at for examples, tokenised by the chat format."""
    chat = ChatFormat(tokenizer)
    tokens = [chat.encode(example.prompt, example.messages[-1], example.tools) for example in examples]
    values: dict[str, Any] = {
        "stage": "sft_model", "kind": "answers", "tokenizer": tokenizer, "records": list(examples), "sizes": SIZES,
        "columns": {"input_ids": [row.ids for row in tokens], "labels": [row.labels for row in tokens]},
        "collate": pad_by_position(tokenizer), "vocabulary": len(tokenizer), "held_out": [make_example(-1)],
    }  # fmt: skip
    return Subject(**{**values, **changes})


def pairs_of(tokenizer: Any, pairs: Sequence[PreferencePair], **changes: Any) -> Subject:
    """Return what the preflight looks at for pairs."""
    chat = ChatFormat(tokenizer)
    chosen = [chat.encode(pair.prompt, pair.chosen) for pair in pairs]
    rejected = [chat.encode(pair.prompt, pair.rejected) for pair in pairs]
    columns = {
        "prompt_ids": [row.prompt for row in chosen],
        "chosen_ids": [row.answer for row in chosen],
        "rejected_ids": [row.answer for row in rejected],
    }
    values: dict[str, Any] = {"stage": "preference_model", "kind": "pairs", "records": list(pairs), "sizes": SIZES}
    return Subject(**{**values, "tokenizer": tokenizer, "columns": columns, **changes})


def rejection(key: str, reason: str = "too_long") -> Rejection:
    return Rejection(key=key, stage="sft_model", reason=reason, detail="", record_hash="", excerpt="")
