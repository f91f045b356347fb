"""Known answers on real files: which shape each has, how many rows it gives, and that no row is lost."""

import csv
import dataclasses
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.chat_turns import as_turn
from curation.ingest.row_records import Unusable

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR names no folder with the real data"),
]
Read = Callable[..., list[Any]]
SGD = [f"sgd_dialogues/dev/dialogues_00{number}.json" for number in (1, 2, 3)]
PREDICTIONS = "self_instruct_seeds/human_eval/predictions/davinci_predictions.jsonl"
KNOWN = [
    ("llamafactory_demo/alpaca_en_demo.json", "alpaca", 999),
    ("llamafactory_demo/dpo_en_demo.json", "preference", 300),
    ("llamafactory_demo/kto_en_demo.json", "unpaired", 300),
    ("llamafactory_demo/glaive_toolcall_en_demo.json", "sharegpt", 300),
    ("fastchat_dummy_chat/dummy_conversation.json", "sharegpt", 500),
    ("banking77/train.csv", "classification", 10003),
    ("banking77/test.csv", "classification", 3080),
    ("aqua/dev.json", "multiple_choice", 254),
    ("aqua/test.json", "multiple_choice", 254),
    ("gsm8k/data/train.jsonl", "question_answer", 7473),
    ("gsm8k/data/test.jsonl", "question_answer", 1319),
    ("gpteacher_codegen/codegen-instruct.json", "alpaca", 4535),
    ("self_instruct_seeds/data/seed_tasks.jsonl", "alpaca", 175),
    *[(name, "dialogue", 128) for name in SGD],
]


def load(name: str) -> list[dict[str, Any]]:
    text = (Path(os.environ["REALDATA_DIR"]) / name).read_text(encoding="utf-8")
    if name.endswith(".csv"):
        return list(csv.DictReader(text.splitlines(keepends=True)))
    if text.lstrip().startswith("["):
        return list(json.loads(text))
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(("name", "shape", "num_rows"), KNOWN)
def test_shape_and_rows(open_rows: Callable[..., Any], read: Read, name: str, shape: str, num_rows: int) -> None:
    rows = load(name)
    shaper = open_rows(rows[:1000])
    assert (shaper.name, len(rows)) == (shape, num_rows)
    assert f"({min(num_rows, 1000)} of {min(num_rows, 1000)} head rows fit)" in shaper.describe()
    assert [record for record in read(rows) if isinstance(record, Unusable)] == []


def test_sgd_dialogues_keep_every_turn(read: Read) -> None:
    rows = [row for name in SGD for row in load(name)]
    records = read(rows)
    assert (len(records), sum(len(record.messages) for record in records)) == (384, 5306)


def test_demo_sets(read: Read) -> None:
    pairs = load("llamafactory_demo/dpo_en_demo.json")
    assert sum(len(pair.prompt) > 1 for pair in read(pairs)) == 186
    for row, pair in zip(pairs, read(pairs), strict=True):
        assert len(pair.prompt) == len(row["conversations"])
    thumbs = read(load("llamafactory_demo/kto_en_demo.json"))
    assert Counter(record.is_desirable for record in thumbs) == {True: 150, False: 150}
    calls = read(load("llamafactory_demo/glaive_toolcall_en_demo.json"))
    assert sum(len(message.tool_calls) for record in calls for message in record.messages) == 211
    assert sum(message.role == "tool" for record in calls for message in record.messages) == 211
    texts = read(load("llamafactory_demo/c4_demo.jsonl"), role="documents")
    assert (len(texts), {type(text).__name__ for text in texts}) == (300, {"Document"})


def test_repeated_prompts_share_their_group(read: Read) -> None:
    rows = load("llamafactory_demo/alpaca_en_demo.json")
    prompts = {(row["instruction"].strip(), row["input"].strip()) for row in rows}
    assert len({record.group for record in read(rows)}) == len(prompts) == 999 - 14


def test_support_chats_need_to_be_told_what_an_action_is(read: Read) -> None:
    rows = load("abcd_support/abcd_sample.json")
    assert [record.reason for record in read(rows)] == ["unknown_role"] * 3
    skipping = {"role_names": {"action": "skip"}}
    assert [getattr(record, "reason", "kept") for record in read(rows, skipping)] == ["ends_with_user", "kept", "kept"]
    assert [getattr(record, "reason", "kept") for record in read(rows, {**skipping, "trim_to_assistant": True})] == ["kept"] * 3


def test_banking_labels_and_choices(read: Read) -> None:
    assert len({record.answer for record in read(load("banking77/train.csv"))}) == 77
    rows = load("aqua/test.json")
    for row, record in zip(rows, read(rows, {"include_rationale": False}), strict=True):
        assert record.answer.startswith(f"{row['correct']})")


@pytest.mark.parametrize(("part", "num_rows"), [("simple_python", 400), ("multiple", 200), ("irrelevance", 240)])
def test_function_calls_need_their_answers(open_rows: Callable[..., Any], read: Read, part: str, num_rows: int) -> None:
    rows = load(f"bfcl/BFCL_v4_{part}.json")
    assert open_rows(rows).name == "tool_calling"
    assert [record.reason for record in read(rows)] == ["no_answer"] * num_rows
    if part != "irrelevance":
        answers = {row["id"]: row["ground_truth"] for row in load(f"bfcl/possible_answer/BFCL_v4_{part}.json")}
        records = read([{**row, "ground_truth": answers[row["id"]]} for row in rows])
        assert sum(len(record.messages[-1].tool_calls) == 1 for record in records) == num_rows


@pytest.mark.parametrize("language", ["en", "de", "es"])
def test_paragraphs_with_questions(read: Read, language: str) -> None:
    nested = json.loads((Path(os.environ["REALDATA_DIR"]) / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))
    paragraphs = [paragraph for article in nested["data"] for paragraph in article["paragraphs"]]
    rows = [{"context": paragraph["context"], **qa} for paragraph in paragraphs for qa in paragraph["qas"]]
    records = read(rows)
    assert len(records) == 1190
    assert all(record.answer in record.messages[0].content for record in records)


def test_rows_with_a_whole_prompt_and_its_parts_are_ambiguous(open_rows: Callable[..., Any]) -> None:
    problem = open_rows(load(PREDICTIONS))
    assert problem.reason == "ambiguous_shape"
    assert "prompt_completion" in problem.detail
    assert "alpaca" in problem.detail


def test_chats_go_back_to_what_they_were(read: Read) -> None:
    rows = load("llamafactory_demo/kto_en_demo.json")
    chats = read([{"messages": row["messages"]} for row in rows])
    again = read([{"messages": [as_turn(message) for message in chat.messages]} for chat in chats])
    assert [dataclasses.replace(chat, key="") for chat in chats] == [dataclasses.replace(chat, key="") for chat in again]
