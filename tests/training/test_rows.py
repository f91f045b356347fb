import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import EmptyDatasetError
from curation.records import Document, Example, Message
from curation.store import Store
from tests.training.conftest import make_document, make_example
from training.chat_format import BOS, END, PAD, ChatFormat
from training.config import RewardConfig, RlConfig, StageConfig
from training.rows import document_text, epoch_order, pack_documents, read_examples, read_prompts


def encode_bytes(text: str) -> list[int]:
    return [*text.encode(), 0]


@pytest.mark.parametrize("special", [BOS, END, PAD, "<|user|>"])
def test_too_long_and_forged_rows_are_rejected_and_counted(tmp_path: Path, tokenizer: Any, special: str) -> None:
    examples = [make_example(1, "lists"), make_example(2, "lists", "word " * 200), make_example(3, "files", f"a{special}b")]
    store = Store(str(tmp_path))
    rows = read_examples(store, store.write_table(Example, examples).root, ChatFormat(tokenizer), max_length=100)
    assert len(rows.columns["input_ids"]) == 1
    assert sorted(rejection.reason for rejection in rows.rejections) == ["special_token_in_text", "too_long"]


def test_a_prompt_that_the_model_answers_itself_needs_no_reference_that_the_template_takes(
    tmp_path: Path, tokenizer: Any
) -> None:
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.chat_template += "{% if messages[-1].role == 'assistant' %}{{ raise_exception('no answers') }}{% endif %}"
    rl = RlConfig(prompts="examples", max_new_tokens=8)
    stage = StageConfig(method="grpo", rl=rl, rewards=(RewardConfig(grader="exact"),), max_length=100)
    store = Store(str(tmp_path))
    rows = read_prompts(store, store.write_table(Example, [make_example(1, "lists")]).root, ChatFormat(tokenizer), stage)
    assert tokenizer.decode(rows.columns["prompt_ids"][0]).endswith("<|end|><|assistant|>")
    assert rows.columns["reference"] == ['{"part":"lists"}']


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path, tokenizer: Any) -> None:
    store = Store(str(tmp_path))
    root = store.write_table(Example, [make_example(1, "lists")]).root
    with pytest.raises(EmptyDatasetError, match="max_length is 8"):
        read_examples(store, root, ChatFormat(tokenizer), max_length=8)


def test_blocks_hold_every_token_once() -> None:
    documents = [make_document(number, "dates") for number in range(9)]
    rows = pack_documents(documents, encode_bytes, length=32, skip_sections=(), seed=3)
    blocks = rows.columns["input_ids"]
    stream = [token for block in blocks for token in block]
    assert {len(block) for block in blocks[:-1]} == {32}
    assert sorted(bytes(stream).split(b"\0")) == sorted([b"", *(document.text.encode() for document in documents)])
    assert rows.columns["labels"] == blocks


def test_the_order_of_documents_depends_on_the_seed_alone() -> None:
    documents = [make_document(number, "dates") for number in range(9)]
    packed = [pack_documents(d, encode_bytes, length=32, skip_sections=(), seed=s) for d, s in
              ((documents, 1), (documents[::-1], 1), (documents, 2))]  # fmt: skip
    assert packed[0] == packed[1]
    assert packed[0] != packed[2]


def test_sections_can_be_left_out() -> None:
    assert document_text(make_document(1, "dates"), ("signature",)) == "Get the month of a day number 1."


def test_no_documents_is_an_error() -> None:
    empty: list[Document] = []
    with pytest.raises(EmptyDatasetError):
        pack_documents(empty, encode_bytes, length=32, skip_sections=(), seed=0)


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=80),
    batch=st.integers(1, 9),
    seed=st.integers(0, 3),
    epochs=st.integers(1, 3),
)
def test_every_row_comes_once_an_epoch(lengths: list[int], batch: int, seed: int, epochs: int) -> None:
    order = epoch_order(lengths, num_rows=len(lengths) * epochs, batch_size=batch, seed=seed)
    for epoch in range(epochs):
        assert sorted(order[epoch * len(lengths) : (epoch + 1) * len(lengths)]) == list(range(len(lengths)))
    assert order == epoch_order(lengths, num_rows=len(lengths) * epochs, batch_size=batch, seed=seed)


def test_all_turns_of_the_assistant_can_be_learnt(tmp_path: Path, tokenizer: Any) -> None:
    example = make_example(1, "lists")
    turns = (
        Message(role="user", content="One?"),
        Message(role="assistant", content="first"),
        Message(role="user", content="Two?"),
        Message(role="assistant", content="second"),
    )
    store, chat = Store(str(tmp_path)), ChatFormat(tokenizer)
    root = store.write_table(Example, [replace(example, messages=turns)]).root

    def learnt(learns_all_turns: bool) -> str:
        labels = read_examples(store, root, chat, max_length=200, learns_all_turns=learns_all_turns).columns["labels"][0]
        return str(tokenizer.decode([token for token in labels if token != -100]))

    assert learnt(False) == "second<|end|>"
    assert learnt(True) == "first<|end|>second<|end|>"


def test_turns_that_the_template_renders_differently_later_are_rejected(tmp_path: Path, tokenizer: Any) -> None:
    tokenizer = copy.deepcopy(tokenizer)
    shout = "{% if not loop.last and message['role'] == 'assistant' %}!{% endif %}{{ message['content'] }}"
    tokenizer.chat_template = tokenizer.chat_template.replace("{{ message['content'] }}", shout)
    turns = [Message(role="assistant" if at % 2 else "user", content=f"turn {at}") for at in range(4)]
    store = Store(str(tmp_path))
    rows = [make_example(1, "lists"), replace(make_example(2, "lists"), messages=tuple(turns))]
    read = read_examples(
        store, store.write_table(Example, rows).root, ChatFormat(tokenizer), max_length=200, learns_all_turns=True
    )
    assert [rejection.reason for rejection in read.rejections] == ["turns_not_found"]
    assert len(read.columns["labels"]) == 1
