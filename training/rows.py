"""Records of the store as rows of token ids; what does not fit is rejected, never cut.

read_examples(store, root, ChatFormat(tokenizer), max_length=256)
    Rows(columns={"input_ids": [[0, 5, ...]], "labels": [[-100, ..., 1]]}, rejections=(...))
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from curation.errors import EmptyDatasetError
from curation.records import Document, Example, PreferencePair, Record, Rejection, UnpairedPreference, VerifiableTask, reject
from training.chat_format import ChatFormat, Tokens
from training.config import RL_METHODS, StageConfig
from training.held_out import RecordSource

TURNS_NOT_FOUND = "The chat template renders an earlier turn of the assistant in another way than when it is the answer."
PROMPT_METHODS = (*RL_METHODS, "distillation")
"""Methods that write the answers themselves."""

Columns = dict[str, list[Any]]
"""Token ids in columns that end with `_ids`; labels, ratings, references and graders beside them."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What a stage learns from, column by column, and what it does not."""

    columns: Columns
    rejections: tuple[Rejection, ...] = ()

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values())))

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row (for a pair, of both answers with the prompt once)."""
        return [
            sum(map(len, parts))
            for parts in zip(*(self.columns[name] for name in self.columns if name.endswith("_ids")), strict=True)
        ]


def read_rows(store: RecordSource, root: str, chat: ChatFormat, stage: StageConfig, *, seed: int) -> Rows:
    """Read what a resolved stage learns from, as its method wants it. Raises EmptyDatasetError if nothing is left."""
    assert stage.max_length is not None
    table = stage.data.table
    if stage.method in PROMPT_METHODS:
        return read_prompts(store, root, chat, stage)
    if table == "documents":
        documents = store.read_table(Document, root, asset="dapt_corpus")
        skipped = stage.skip_sections
        return pack_documents(documents, chat.encode_text, length=stage.max_length, skip_sections=skipped, seed=seed)
    if table == "examples":
        learns_all = stage.sft is not None and stage.sft.learns == "assistant"
        return read_examples(store, root, chat, max_length=stage.max_length, learns_all_turns=learns_all)
    read = {"pairs": read_pairs, "unpaired": read_ratings}[table]
    return read(store, root, chat, max_length=stage.max_length)


def read_examples(store: RecordSource, root: str, chat: ChatFormat, *, max_length: int, learns_all_turns: bool = False) -> Rows:
    """Tokenise examples; the last turn is learnt, or all turns of the assistant. Raises EmptyDatasetError if none is left."""
    columns: Columns = {"input_ids": [], "labels": []}
    rejections = []
    for example in store.read_table(Example, root, asset="sft_dataset"):
        tokens = chat.encode(example.prompt, example.messages[-1], example.tools)
        texts = [example.tools, *(message.text for message in example.messages)]
        problem = _problem(chat, texts, len(tokens.ids), max_length)
        labels = _label_turns(chat, example, tokens) if learns_all_turns and not problem else tokens.labels
        problem = problem or (None if labels else ("turns_not_found", TURNS_NOT_FOUND))
        if problem:
            rejections.append(_reject(example, "sft_model", problem))
            continue
        columns["input_ids"].append(tokens.ids)
        columns["labels"].append(labels)
    return _checked("sft_dataset", Rows(columns=columns, rejections=tuple(rejections)))


def _label_turns(chat: ChatFormat, example: Example, tokens: Tokens) -> list[int]:
    """Return labels in which every turn of the assistant is learnt; none if the template renders one differently later."""
    labels = list(tokens.labels)
    for position, message in enumerate(example.messages[:-1]):
        if message.role != "assistant":
            continue
        turn = chat.encode(example.messages[:position], message, example.tools)
        start, end = len(turn.prompt), len(turn.ids)
        if tokens.ids[:end] != turn.ids:
            return []
        labels[start:end] = turn.answer
    return labels


def read_pairs(store: RecordSource, root: str, chat: ChatFormat, *, max_length: int) -> Rows:
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


def read_ratings(store: RecordSource, root: str, chat: ChatFormat, *, max_length: int) -> Rows:
    """Tokenise answers that were rated good or bad. Raises EmptyDatasetError if none is left."""
    columns: Columns = {"prompt_ids": [], "completion_ids": [], "label": []}
    rejections = []
    for rating in store.read_table(UnpairedPreference, root, asset="unpaired_dataset"):
        tokens = chat.encode(rating.prompt, rating.answer)
        texts = [*(message.text for message in rating.prompt), rating.answer]
        problem = _problem(chat, texts, len(tokens.ids), max_length)
        if problem:
            rejections.append(_reject(rating, "preference_model", problem))
            continue
        columns["prompt_ids"].append(tokens.prompt)
        columns["completion_ids"].append(tokens.answer)
        columns["label"].append(rating.is_desirable)
    return _checked("unpaired_dataset", Rows(columns=columns, rejections=tuple(rejections)))


def read_prompts(store: RecordSource, root: str, chat: ChatFormat, stage: StageConfig) -> Rows:
    """Tokenise the prompts of tasks or examples, with what answers to them are graded by; there is room for the answer.

    Raises:
        EmptyDatasetError: if none is left.
    """
    assert stage.max_length is not None
    record: type[VerifiableTask] | type[Example] = VerifiableTask if stage.data.table == "tasks" else Example
    settings = stage.rl or stage.distillation
    room = settings.max_new_tokens if settings else 0
    columns: Columns = {"prompt": [], "prompt_ids": [], "reference": [], "grader": []}
    rejections = []
    for row in store.read_table(record, root, asset=stage.data.dataset):
        reference, grader, tools = _judged_by(row)
        prompt = chat.encode_prompt(row.prompt, tools)
        texts = [tools, *(message.text for message in row.prompt)]
        problem = _problem(chat, texts, len(prompt) + room, stage.max_length)
        if problem:
            rejections.append(_reject(row, stage.model_name, problem))
            continue
        for name, value in zip(columns, (prompt, prompt, reference, grader), strict=True):
            columns[name].append(value)
    return _checked(stage.data.dataset, Rows(columns=columns, rejections=tuple(rejections)))


def _judged_by(row: VerifiableTask | Example) -> tuple[str, str, str]:
    """Return reference, grader and tools; an example's answer is the reference, and it names no grader."""
    return (row.answer, "", row.tools) if isinstance(row, Example) else (row.reference, row.grader, "")


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


def _reject(record: Record, stage: str, problem: tuple[str, str]) -> Rejection:
    return reject(record, stage=stage, reason=problem[0], detail=problem[1])


def _checked(dataset: str, rows: Rows) -> Rows:
    if not rows.num_rows:
        dropped = (
            f"all {len(rows.rejections)} rows were rejected, the first because: {rows.rejections[0].detail}"
            if rows.rejections
            else "none was given."
        )
        raise EmptyDatasetError(dataset=dataset, reason=dropped.rstrip("."))
    return rows
