"""Records of the store as rows of token ids; what does not fit is rejected, never cut.

read_examples(store, root, ChatFormat(tokenizer), max_length=256)
    Rows(columns={"input_ids": [[0, 5, ...]], "labels": [[-100, ..., 1]]}, rejections=(...))
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from curation.errors import EmptyDatasetError
from curation.records import Document, Example, PreferencePair, Rejection, reject
from curation.store import Store
from training.chat_format import ChatFormat

Columns = dict[str, list[list[int]]]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a stage learns from, column by column, and what it does not."""

    columns: Columns
    rejections: tuple[Rejection, ...] = ()

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row (for a pair, of both answers with the prompt once)."""
        return [
            sum(map(len, parts))
            for parts in zip(*(self.columns[name] for name in self.columns if name != "labels"), strict=True)
        ]


def read_examples(store: Store, root: str, chat: ChatFormat, *, max_length: int) -> Rows:
    """Tokenise examples. Raises EmptyDatasetError if none is left."""
    columns: Columns = {"input_ids": [], "labels": []}
    rejections = []
    for example in store.read_table(Example, root, asset="sft_dataset"):
        tokens = chat.encode(example.prompt, example.messages[-1], example.tools)
        texts = [example.tools, *(message.text for message in example.messages)]
        problem = _problem(chat, texts, len(tokens.ids), max_length)
        if problem:
            rejections.append(_reject(example, "sft_model", problem))
            continue
        columns["input_ids"].append(tokens.ids)
        columns["labels"].append(tokens.labels)
    return _checked("sft_dataset", Rows(columns=columns, rejections=tuple(rejections)))


def read_pairs(store: Store, root: str, chat: ChatFormat, *, max_length: int) -> Rows:
    """Tokenise preference pairs. Raises EmptyDatasetError if none is left."""
    columns: Columns = {"prompt_ids": [], "chosen_ids": [], "rejected_ids": []}
    rejections = []
    for pair in store.read_table(PreferencePair, root, asset="preference_dataset"):
        chosen, rejected = (chat.encode(pair.prompt, answer, pair.tools) for answer in (pair.chosen, pair.rejected))
        texts = [pair.tools, *(message.text for message in pair.prompt), pair.chosen, pair.rejected]
        problem = _problem(chat, texts, max(len(chosen.ids), len(rejected.ids)), max_length)
        if problem:
            rejections.append(_reject(pair, "preference_model", problem))
            continue
        columns["prompt_ids"].append(chosen.prompt)
        columns["chosen_ids"].append(chosen.answer)
        columns["rejected_ids"].append(rejected.answer)
    return _checked("preference_dataset", Rows(columns=columns, rejections=tuple(rejections)))


def pack_documents(
    documents: Iterable[Document], encode: Callable[[str], list[int]], *, length: int, skip_sections: tuple[str, ...], seed: int
) -> Rows:
    """Cut the shuffled documents, one behind the other, into blocks of `length` tokens; the last may be shorter.

    Args:
        documents: what to learn.
        encode: tokeniser of a text, which adds the tokens that separate documents.
        length: tokens a block.
        skip_sections: kinds of sections that are left out.
        seed: of the order.

    Raises:
        EmptyDatasetError: if there is no text.
    """
    texts = sorted(text for document in documents if (text := document_text(document, skip_sections)))
    random.Random(seed).shuffle(texts)  # noqa: S311 - an order, not a secret
    stream = [token for text in texts for token in encode(text)]
    blocks = [stream[start : start + length] for start in range(0, len(stream), length)]
    whole = [block for block in blocks if len(block) > 1]
    return _checked("dapt_corpus", Rows(columns={"input_ids": whole, "labels": whole}))


def document_text(document: Document, skip_sections: tuple[str, ...]) -> str:
    """Return the text of a document without the sections of some kinds."""
    text = document.text
    skipped = [section for section in document.sections if section.kind in skip_sections]
    for section in sorted(skipped, key=lambda section: section.start, reverse=True):
        text = text[: section.start] + text[section.end :]
    return text.strip()


def epoch_order(lengths: list[int], *, num_rows: int, batch_size: int, seed: int) -> list[int]:
    """Return which row comes when: every row once an epoch, neighbours of like length, so that little is padding.

    Written out in advance, so that an interrupted run goes on with exactly the row that was next.
    """
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    order: list[int] = []
    while len(order) < num_rows:
        epoch = list(range(len(lengths)))
        rng.shuffle(epoch)
        wide = batch_size * 16
        for start in range(0, len(epoch), wide):
            epoch[start : start + wide] = sorted(epoch[start : start + wide], key=lambda row: lengths[row])
        batches = [epoch[start : start + batch_size] for start in range(0, len(epoch), batch_size)]
        rng.shuffle(batches)
        order.extend(row for batch in batches for row in batch)
    return order[:num_rows]


def _problem(chat: ChatFormat, texts: list[str], num_tokens: int, max_length: int) -> tuple[str, str] | None:
    if num_tokens > max_length:
        return "too_long", f"It has {num_tokens} tokens; max_length is {max_length}."
    special = chat.special_text_in(texts)
    return (
        ("special_token_in_text", f"Its text holds the special token {special}, which would forge a turn.") if special else None
    )


def _reject(record: Example | PreferencePair, stage: str, problem: tuple[str, str]) -> Rejection:
    return reject(record, stage=stage, reason=problem[0], detail=problem[1])


def _checked(dataset: str, rows: Rows) -> Rows:
    if not next(iter(rows.columns.values())):
        dropped = (
            f"all {len(rows.rejections)} rows were rejected, the first because: {rows.rejections[0].detail}"
            if rows.rejections
            else "none was given."
        )
        raise EmptyDatasetError(dataset=dataset, reason=dropped.rstrip("."))
    return rows
