"""Review items are keyed by what a reviewer judges, and chosen by the policy."""

import dataclasses
from collections.abc import Callable

from curation.ids import stable_fraction
from curation.records import (
    Document,
    Example,
    Message,
    PreferencePair,
    Provenance,
    SourceSpan,
    VerifiableTask,
    record_hash,
)
from curation.review.config import ReviewConfig
from curation.review.items import (
    build_items,
    evidence_lookup,
    is_gold,
    item_key,
    kind_of,
    needs_verdict,
    shown_record_key,
)
from curation.review.payload import pack_item, unpack_item

ALL = ReviewConfig()


def no_evidence(_: SourceSpan) -> str:
    return ""


def test_the_key_ignores_what_the_reviewer_does_not_judge(make_example: Callable[..., Example]) -> None:
    row = make_example()
    moved = dataclasses.replace(
        row, key="elsewhere", split="eval", group="x", provenance=dataclasses.replace(row.provenance, teacher_revision="2")
    )
    assert item_key(row, ALL) == item_key(moved, ALL)


def test_the_key_changes_with_prompt_answer_alternative_kind_and_rubric(
    make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    row = make_example()
    keys = {
        item_key(row, ALL),
        item_key(make_example(answer="other"), ALL),
        item_key(make_example(question="other?"), ALL),
        item_key(row, ReviewConfig(rubric="Be strict.")),
        item_key(make_pair(row), ALL),
        item_key(make_pair(row, rejected="x"), ALL),
    }
    assert len(keys) == 6


def test_policy_none_asks_for_nothing_and_all_for_everything(make_example: Callable[..., Example]) -> None:
    rows = [make_example(number) for number in range(20)]
    assert build_items(rows, [], no_evidence, ReviewConfig(policy="none")) == []
    assert len(build_items(rows, [], no_evidence, ALL)) == 20


def test_a_sample_is_stable_as_rows_come_and_go(make_example: Callable[..., Example]) -> None:
    config = ReviewConfig(policy="sample", share=0.3)
    rows = [make_example(number) for number in range(400)]
    sampled = {item.record_key for item in build_items(rows, [], no_evidence, config)}
    assert 80 < len(sampled) < 160
    half = {item.record_key for item in build_items(rows[:200], [], no_evidence, config)}
    assert half == sampled & {row.key for row in rows[:200]}


def test_rows_that_show_the_same_text_share_one_item_whatever_their_order(make_example: Callable[..., Example]) -> None:
    first, second = make_example(1, question="same?"), make_example(2, question="same?")
    (item,) = build_items([second, first], [], no_evidence, ALL)
    assert item.record_key == first.key
    assert build_items([first, second], [], no_evidence, ALL) == [item]


def test_evidence_comes_from_the_very_version_of_the_document_that_was_cited() -> None:
    document = Document(
        key="d", source="s", title="t", kind="text", text="Trims text.", sections=(), group="g", license="", output_terms=""
    )
    find = evidence_lookup([document])
    span = SourceSpan(document_key="d", document_hash=record_hash(document), start=0, end=5)
    assert find(span) == "Trims"
    assert find(dataclasses.replace(span, document_hash="0" * 32)) == ""
    assert find(dataclasses.replace(span, start=-3)) == ""
    assert find(dataclasses.replace(span, end=99)) == ""


def test_any_text_survives_the_database_form(make_example: Callable[..., Example]) -> None:
    (item,) = build_items([make_example(answer="nul \0, half \ud83d, end \U0001f600\r\n")], [], no_evidence, ALL)
    packed = pack_item(item)
    assert packed.isascii()
    assert unpack_item(packed) == item


def test_cited_spans_that_are_not_found_are_named(make_example: Callable[..., Example]) -> None:
    (found,) = build_items([make_example()], [], lambda _: "passage", ALL)
    (lost,) = build_items([make_example()], [], no_evidence, ALL)
    assert found.missing_spans == ()
    assert lost.missing_spans == make_example().provenance.spans
    assert unpack_item(pack_item(lost)) == lost
    assert lost.key == found.key


def test_evidence_is_what_lies_between_the_ends_of_a_span() -> None:
    document = Document(
        key="d", source="s", title="t", kind="text", text="Trims text.", sections=(), group="g", license="", output_terms=""
    )
    find = evidence_lookup([document])
    span = SourceSpan(document_key="d", document_hash=record_hash(document), start=0, end=11)
    assert find(span) == "Trims text."
    assert find(dataclasses.replace(span, start=6)) == "text."
    for start, end in ((0, 12), (5, 5), (6, 5), (-1, 4)):
        assert find(dataclasses.replace(span, start=start, end=end)) == ""
    assert find(dataclasses.replace(span, document_key="e")) == ""


def test_gold_items_look_like_the_rows_that_they_were_copied_from() -> None:
    assert (is_gold("gold:7/demo/1"), is_gold("demo/gold:1")) == (True, False)
    assert shown_record_key("gold:7/demo/1") == "demo/1"
    assert shown_record_key("demo/1") == "demo/1"


def make_task(reference: str = "2", grader: str = "number") -> VerifiableTask:
    return VerifiableTask(
        key="sum/0",
        task="sum",
        prompt=(Message(role="user", content="1 + 1 = ?"),),
        reference=reference,
        grader=grader,
        group="g",
        provenance=Provenance(origin="synthetic", method="sum", generation_depth=1),
    )


def test_each_kind_of_row_becomes_its_kind_of_item(
    make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    example, task = make_example(1, "right"), make_task()
    pair = make_pair(example, "worse")
    items = {item.kind: item for item in build_items([example], [pair], no_evidence, ALL, tasks=[task])}
    assert sorted(items) == ["example", "pair", "task"]
    assert [kind_of(row) for row in (example, pair, task)] == ["example", "pair", "task"]
    shown = {kind: (item.prompt, item.answer, item.alternative) for kind, item in items.items()}
    assert shown["example"] == (example.prompt, "right", "")
    assert shown["pair"] == (example.prompt, "right", "worse")
    assert shown["task"] == (task.prompt, "2", "number")
    for row, item in ((example, items["example"]), (pair, items["pair"]), (task, items["task"])):
        assert (item.key, item.record_key, item.record_hash) == (item_key(row, ALL), row.key, record_hash(row))
        assert (item.task, item.provenance, item.rubric_version) == (row.task, row.provenance, ALL.rubric_version)
    assert len({item_key(make_task(*values), ALL) for values in (("2",), ("3",), ("2", "text"))}) == 3


def test_a_row_that_has_to_be_reviewed_stands_for_its_item(make_example: Callable[..., Example]) -> None:
    rows = [make_example(number, question="same?") for number in (3, 1, 2)]
    none = ReviewConfig(policy="none")
    assert [item.record_key for item in build_items(rows, [], no_evidence, ALL, {rows[0].key})] == [rows[0].key]
    assert [item.record_key for item in build_items(rows, [], no_evidence, none, {rows[2].key})] == [rows[2].key]
    items = build_items([make_example(number) for number in range(9)], [], no_evidence, ALL)
    assert [item.key for item in items] == sorted(item.key for item in items)


def test_the_share_of_a_sample_is_a_bound_on_the_keys_fraction() -> None:
    for key in (f"{number:032x}" for number in range(40)):
        fraction = stable_fraction(key, "review")
        assert not needs_verdict(key, ReviewConfig(policy="sample", share=fraction))
        assert needs_verdict(key, ReviewConfig(policy="sample", share=fraction + 1e-9))
        assert needs_verdict(key, ALL)
        assert not needs_verdict(key, ReviewConfig(policy="none"))


def test_evidence_that_is_found_is_shown_and_the_rest_is_named(make_example: Callable[..., Example]) -> None:
    row = make_example()
    (span,) = row.provenance.spans
    lost = dataclasses.replace(span, start=9, end=12)
    both = dataclasses.replace(row, provenance=dataclasses.replace(row.provenance, spans=(span, lost)))
    (item,) = build_items([both], [], lambda each: "passage" if each == span else "", ALL)
    assert (item.evidence, item.missing_spans) == (("passage",), (lost,))
