"""Review items are keyed by what a reviewer judges, and chosen by the policy."""

import dataclasses
from collections.abc import Callable

from curation.records import Document, Example, PreferencePair, SourceSpan, record_hash
from curation.review.config import ReviewConfig
from curation.review.items import build_items, evidence_lookup, item_key
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
