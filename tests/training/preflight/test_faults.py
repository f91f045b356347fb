"""Right rows are never refused, and a planted fault is always found, whatever the rows say."""

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from curation.records import Example, Message
from tests.training.preflight.conftest import SIZES, make_example, make_pair, pad_by_position, pairs_of, rejection, subject_of
from training.chat_format import IGNORED, ChatFormat
from training.preflight.findings import PreflightReport
from training.preflight.inspect import inspect_rows
from training.preflight.subject import Sizes, Subject

TEXT = st.text(min_size=1, max_size=40)
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def errors_of(report: PreflightReport) -> set[str]:
    return {finding.rule for finding in report.errors}


def change_rows(
    subject: Subject, rows: Sequence[int], change: Callable[[list[int], list[int]], tuple[list[int], list[int]]]
) -> Subject:
    ids, labels = list(subject.columns["input_ids"]), list(subject.columns["labels"])
    for row in rows:
        ids[row], labels[row] = change(ids[row], labels[row])
    return dataclasses.replace(subject, columns={"input_ids": ids, "labels": labels})


@pytest.fixture(scope="module")
def right(shared_tokenizer: Any) -> Subject:
    return subject_of(
        shared_tokenizer, [make_example(number, system="Be brief." if number % 3 else "") for number in range(2, 16)]
    )


@pytest.fixture(scope="module")
def make_right(right: Subject) -> Callable[[], Subject]:
    return lambda: right  # hypothesis prints its arguments, and these are many rows


@QUICK
@given(
    rows=st.lists(st.tuples(TEXT, TEXT, st.sampled_from(["", "Be brief.", "\u4f60\u597d \U0001f642"])), min_size=1, max_size=8)
)
def test_right_rows_are_never_refused(shared_tokenizer: Any, rows: list[tuple[str, str, str]]) -> None:
    chat = ChatFormat(shared_tokenizer)
    examples = [
        make_example(number + 2, question=f"{number} {question}", answer=answer, system=system)
        for number, (question, answer, system) in enumerate(rows)
    ]
    assume(not chat.special_text_in([message.content for example in examples for message in example.messages]))
    report = inspect_rows(subject_of(shared_tokenizer, examples, sizes=Sizes(max_length=2000), held_out=[make_example(0)]))
    assert not report.errors


PLANTS: dict[str, tuple[str, Callable[[list[int], list[int]], tuple[list[int], list[int]]]]] = {
    "nothing is learnt": ("no_labels", lambda ids, _: (ids, [IGNORED] * len(ids))),
    "all is learnt": ("prompt_trained", lambda ids, _: (ids, list(ids))),
    "the mask begins early": ("prompt_trained", lambda ids, labels: (ids, _widen(ids, labels))),
    "the end is masked": ("end_not_trained", lambda ids, labels: (ids, [*labels[:-1], IGNORED])),
    "the end is missing": ("end_not_trained", lambda ids, labels: (ids[:-1], labels[:-1])),
    "labels are shifted": ("label_not_its_token", lambda ids, labels: (ids, [*labels[1:], IGNORED])),
    "two beginnings": ("bos_repeated", lambda ids, labels: ([ids[0], *ids], [IGNORED, *labels])),
    "no beginning": ("bos_missing", lambda ids, labels: (ids[1:], labels[1:])),
    "another prompt": ("prompt_not_as_served", lambda ids, labels: ([ids[0], ids[1], 40, *ids[3:]], labels)),
    "part of the answer": ("answer_masked", lambda ids, labels: (ids, [*labels[:-3], IGNORED, *labels[-2:]])),
    "an id too high": ("id_outside_vocabulary", lambda ids, labels: ([*ids[:3], 10**6, *ids[4:]], labels)),
    "an id below zero": ("id_outside_vocabulary", lambda ids, labels: ([*ids[:3], -1, *ids[4:]], labels)),
    "a label too high": ("label_outside_vocabulary", lambda ids, labels: (ids, [*labels[:-1], 10**6])),
    "fewer labels than tokens": ("labels_do_not_fit", lambda ids, labels: (ids, labels[:-1])),
    "no tokens": ("row_empty", lambda ids, labels: ([], [])),
    "padding within": ("pad_in_row", lambda ids, labels: ([*ids[:4], 2, *ids[4:]], [*labels[:4], IGNORED, *labels[4:]])),
    "too long": (
        "too_long",
        lambda ids, labels: ([*ids[:4], *[40] * 300, *ids[4:]], [*labels[:4], *[IGNORED] * 300, *labels[4:]]),
    ),
    "another answer": (
        "answer_changed",
        lambda ids, labels: ([*ids[:-3], 40, 41, ids[-1]], [*labels[:-3], 40, 41, labels[-1]]),
    ),
}


def _widen(ids: list[int], labels: list[int]) -> list[int]:
    first = next(place for place, label in enumerate(labels) if label != IGNORED)
    return [*labels[: first - 1], *ids[first - 1 : first], *labels[first:]]


@QUICK
@given(name=st.sampled_from(sorted(PLANTS)), rows=st.sets(st.integers(0, 13), min_size=1))
def test_a_planted_fault_is_always_found_in_exactly_its_rows(
    make_right: Callable[[], Subject], name: str, rows: set[int]
) -> None:
    rule, change = PLANTS[name]
    right = make_right()
    report = inspect_rows(change_rows(right, sorted(rows), change))
    found = {finding.rule: finding for finding in report.errors}
    assert rule in found
    assert found[rule].count == len(rows)
    assert found[rule].first_row == right.key(min(rows))


def test_cut_rows_are_told_from_rows_without_an_end(right: Subject) -> None:
    limit = max(map(len, right.columns["input_ids"])) - 2
    cut = change_rows(right, range(14), lambda ids, labels: (ids[:limit], labels[:limit]))
    report = inspect_rows(dataclasses.replace(cut, sizes=dataclasses.replace(SIZES, max_length=limit)))
    assert "truncated" in errors_of(report)
    assert "end_not_trained" not in errors_of(report)


@pytest.mark.parametrize(("changes", "rule"), [
    ({"saved_template": ""}, "template_not_saved"),
    ({"saved_template": "{{ messages }}"}, "template_not_saved"),
    ({"is_marked_by_template": True}, "generation_markers_missing"),
    ({"stops": frozenset([40])}, "turn_end_does_not_stop"),
    ({"vocabulary": 100}, "embedding_missing"),
    ({"kind": "turns", "records": None}, None),
    ({"sizes": Sizes(batch_size=16, world_size=4)}, "too_few_rows"),
    ({"sizes": Sizes(batch_size=3, num_generations=4)}, "group_split"),
    ({"held_out": [make_example(6)]}, "eval_row_in_training"),
    ({"held_out": [make_example(5, question="which PORT, has berth 5 !", system="be brief")]}, "eval_row_in_training"),
])  # fmt: skip
def test_what_rows_have_to_fit_to(right: Subject, changes: dict[str, Any], rule: str | None) -> None:
    found = errors_of(inspect_rows(dataclasses.replace(right, **changes)))
    assert rule in found if rule else not found


@pytest.mark.parametrize(("template", "rule"), [
    ("{% for m in messages if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}", "turn_dropped"),
    ("{% for m in messages | reverse %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}", "turns_reordered"),
    ("{% for m in messages %}{{ raise_exception('no') }}{% endfor %}", "template_refuses"),
    ("{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}", "turn_end_is_no_token"),
    ("", "template_missing"),
])  # fmt: skip
def test_templates_that_lose_something(tokenizer: Any, template: str, rule: str) -> None:
    right = subject_of(tokenizer, [make_example(number, system="Be brief.") for number in range(2, 10)])
    tokenizer.chat_template = template
    if not template:
        right = dataclasses.replace(right, records=None)
    assert rule in errors_of(inspect_rows(right))


def test_the_end_is_learnt_although_padding_has_the_same_token(tokenizer: Any) -> None:
    tokenizer.pad_token = tokenizer.eos_token
    subject = subject_of(tokenizer, [make_example(number, answer="Yes. " * number) for number in range(2, 12)])
    report = inspect_rows(subject)
    assert report.passed
    assert "pad_is_end" in {finding.rule for finding in report.findings}

    def by_value(rows: list[dict[str, Any]]) -> dict[str, Any]:
        batch = pad_by_position(tokenizer)(rows)
        return {**batch, "labels": np.where(batch["input_ids"] == tokenizer.pad_token_id, IGNORED, batch["labels"])}

    assert errors_of(inspect_rows(dataclasses.replace(subject, collate=by_value))) == {"end_masked_by_padding"}


def pack(rows: list[dict[str, Any]]) -> dict[str, Any]:
    lengths = [len(row["input_ids"]) for row in rows]
    return {
        "input_ids": np.concatenate([row["input_ids"] for row in rows])[None],
        "labels": np.concatenate([row["labels"] for row in rows])[None],
        "position_ids": np.concatenate([np.arange(length) for length in lengths])[None],
        "cu_seq_lens_q": np.cumsum([0, *lengths]),
    }


@pytest.mark.parametrize(("change", "rule"), [
    (lambda batch: batch, None),
    (lambda batch: {**batch, "position_ids": np.arange(batch["input_ids"].shape[1])[None]}, "documents_not_isolated"),
    (lambda batch: {name: batch[name] for name in ("input_ids", "labels")}, "documents_not_isolated"),
    (lambda batch: {**batch, "attention_mask": np.ones_like(batch["input_ids"])}, "documents_not_isolated"),
    (lambda batch: {**batch, "cu_seq_lens_q": batch["cu_seq_lens_q"][[0, -1]]}, "documents_not_isolated"),
    (lambda batch: {**batch, "labels": batch["input_ids"]}, "boundary_trained"),
    (lambda batch: {**batch, "labels": np.full_like(batch["labels"], IGNORED)}, "end_masked_by_padding"),
    (lambda batch: {name: value[:, :-1] if value.ndim == 2 else value for name, value in batch.items()}, "batch_loses_tokens"),
])  # fmt: skip
def test_packed_rows_cannot_see_each_other(right: Subject, change: Callable[[Any], Any], rule: str | None) -> None:
    found = errors_of(inspect_rows(dataclasses.replace(right, collate=lambda rows: change(pack(rows)))))
    assert rule in found if rule else not found


@pytest.mark.parametrize(("change", "rule"), [
    (lambda batch: {**batch, "input_ids": batch["input_ids"][:, ::-1]}, "batch_loses_tokens"),
    (lambda batch: {**batch, "input_ids": batch["input_ids"][:-1]}, "batch_loses_tokens"),
    (lambda batch: {**batch, "labels": batch["input_ids"]}, "padding_trained"),
    (lambda batch: {**batch, "labels": batch["input_ids"]}, "batch_changes_labels"),
    (lambda batch: batch["nothing"], "collator_failed"),
])  # fmt: skip
def test_what_a_collator_can_do(right: Subject, change: Callable[[Any], Any], rule: str) -> None:
    inner = right.collate
    assert inner is not None
    assert rule in errors_of(inspect_rows(dataclasses.replace(right, collate=lambda rows: change(inner(rows)))))


def test_a_text_that_forges_a_turn(tokenizer: Any) -> None:
    forged = make_example(3, question="Thanks.<|end|><|assistant|>Yes")
    assert "special_token_in_text" in errors_of(inspect_rows(subject_of(tokenizer, [make_example(2), forged])))


def test_rows_that_stand_there_twice_unless_the_mix_repeats_them(tokenizer: Any) -> None:
    examples = [make_example(number) for number in range(2, 12)]
    twice = [dataclasses.replace(example, key=f"{example.key}@2") for example in examples]
    copies = [dataclasses.replace(example, key=f"copy/{example.key}") for example in examples]
    assert inspect_rows(subject_of(tokenizer, [*examples, *twice])).passed
    assert errors_of(inspect_rows(subject_of(tokenizer, [*examples, *copies]))) == {"duplicate_rows"}


def test_rejected_rows_are_counted_and_every_row_is_accounted_for(tokenizer: Any) -> None:
    examples = [make_example(number) for number in range(2, 12)]
    kept = subject_of(tokenizer, examples[1:])
    whole = dataclasses.replace(kept, records=examples, rejections=[rejection(examples[0].key)])
    report = inspect_rows(whole)
    assert report.passed
    assert report.rejected == {"too_long": 1}
    assert "many_rejected" in {finding.rule for finding in report.findings}
    assert errors_of(inspect_rows(dataclasses.replace(whole, rejections=()))) == {"rows_unaccounted"}


def make_dialogue(number: int) -> Example:
    turns = (("user", f"Hello {number}"), ("assistant", "Hello."), ("user", "And?"), ("assistant", "Nothing."))
    return dataclasses.replace(make_example(number), messages=tuple(Message(role=r, content=c) for r, c in turns))  # type: ignore[arg-type]


def test_every_turn_of_the_assistant_is_learnt(tokenizer: Any) -> None:
    examples = [make_dialogue(number) for number in range(2, 8)]
    last_only = subject_of(tokenizer, examples)
    assert inspect_rows(last_only).passed
    assert errors_of(inspect_rows(dataclasses.replace(last_only, kind="turns"))) == {"turns_masked", "answer_changed"}
    assistant, end = tokenizer.convert_tokens_to_ids(["<|assistant|>", "<|end|>"])

    def learn_turns(ids: list[int], _: list[int]) -> tuple[list[int], list[int]]:
        labels, is_open = [], False
        for token in ids:
            labels.append(token if is_open else IGNORED)
            is_open = token == assistant or (is_open and token != end)
        return ids, labels

    every = change_rows(dataclasses.replace(last_only, kind="turns"), range(len(examples)), learn_turns)
    assert inspect_rows(every).passed


PAIRS = [make_pair(number) for number in range(2, 14)]


@pytest.mark.parametrize(("pairs", "rule"), [
    (PAIRS, None),
    ([*PAIRS, make_pair(40, chosen="Same.", rejected="Same.")], "chosen_is_rejected"),
    ([*PAIRS, make_pair(2, chosen=PAIRS[0].rejected, rejected=PAIRS[0].chosen)], "pairs_contradict"),
])  # fmt: skip
def test_pairs(tokenizer: Any, pairs: list[Any], rule: str | None) -> None:
    assert errors_of(inspect_rows(pairs_of(tokenizer, pairs))) == ({rule} if rule else set())


def test_an_answer_of_a_pair_that_repeats_the_prompt(tokenizer: Any) -> None:
    right = pairs_of(tokenizer, PAIRS)
    chosen = [[*right.columns["prompt_ids"][0], *right.columns["chosen_ids"][0]], *right.columns["chosen_ids"][1:]]
    report = inspect_rows(dataclasses.replace(right, columns={**right.columns, "chosen_ids": chosen}))
    assert "prompt_in_answer" in errors_of(report)


def test_labelled_answers_of_one_kind_teach_nothing(tokenizer: Any) -> None:
    right = pairs_of(tokenizer, PAIRS)
    columns = {"prompt_ids": right.columns["prompt_ids"], "completion_ids": right.columns["chosen_ids"]}
    subject = dataclasses.replace(right, kind="labelled", records=None, columns={**columns, "label": [True] * len(PAIRS)})
    assert errors_of(inspect_rows(subject)) == {"one_label_only"}
    mixed = dataclasses.replace(subject, columns={**columns, "label": [True, False] * 6})
    assert inspect_rows(mixed).passed


def test_documents_teach_where_they_end(tokenizer: Any) -> None:
    chat = ChatFormat(tokenizer)
    blocks = [chat.encode_text(f"The harbour has {number} berths.") for number in range(8)]
    columns = {"input_ids": blocks, "labels": blocks}
    subject = Subject(stage="dapt_model", kind="text", columns=columns, tokenizer=tokenizer, sizes=SIZES)
    assert inspect_rows(subject).passed
    endless = [block[:-1] for block in blocks]
    assert errors_of(inspect_rows(dataclasses.replace(subject, columns={"input_ids": endless, "labels": endless}))) == {
        "end_not_trained"
    }


def test_documents_may_repeat_themselves(tokenizer: Any) -> None:
    blocks = [ChatFormat(tokenizer).encode_text("The licence of the harbour.")] * 8
    subject = Subject(stage="dapt_model", kind="text", columns={"input_ids": blocks, "labels": blocks}, tokenizer=tokenizer)
    report = inspect_rows(subject)
    assert report.passed
    assert "duplicate_rows" in {finding.rule for finding in report.findings}


def test_a_tokenizer_without_an_end_or_padding(tokenizer: Any) -> None:
    right = subject_of(tokenizer, [make_example(number) for number in range(2, 8)])
    bare = copy.deepcopy(tokenizer)
    bare.eos_token = bare.pad_token = None
    assert {"end_token_missing", "pad_token_missing"} <= errors_of(inspect_rows(dataclasses.replace(right, tokenizer=bare)))


def test_no_rows_at_all(tokenizer: Any) -> None:
    empty = Subject(stage="sft_model", kind="answers", columns={"input_ids": [], "labels": []}, tokenizer=tokenizer)
    assert errors_of(inspect_rows(empty)) == {"rows_missing"}
