"""Documents that people review: which need a verdict, and what a verdict does to whatever rests on them."""

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import ReviewGateError
from curation.records import Document, Example, PreferencePair, PrivacyFinding, Provenance, SourceSpan, Verdict
from curation.review.config import DocumentPolicy, ReviewConfig
from curation.review.documents import (
    DocumentReview,
    Withheld,
    build_document_items,
    document_item_key,
    judge_documents,
    withhold_rows,
)
from curation.review.flagged import flag_documents
from curation.review.gate import verify_gate
from curation.review.items import build_items
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.queue import ReviewQueue
from curation.review.verdicts import apply_verdicts
from curation.terms.config import TermsConfig

ALL = ReviewConfig(policy="none", documents="all")
STAGE = "verified_examples"
Make = Callable[..., Example]


def document(number: int = 0, text: str = "", license: str = "MIT") -> Document:
    return Document(
        key=f"api/f{number}",
        source="api",
        title=f"f{number}",
        kind="function",
        text=text or f"Function {number} sorts rows.",
        sections=(),
        group=f"f{number}",
        license=license,
        output_terms="",
    )


def verdict(one: Document, decision: str, config: ReviewConfig = ALL, sequence: int = 1) -> dict[str, Verdict]:
    key = document_item_key(one, config)
    said = Verdict(
        key=key,
        sequence=sequence,
        decision=decision,  # type: ignore[arg-type]
        reviewer="Ada",
        reviewer_kind="human",
        reason="private" if decision == "reject" else "",
        edited_answer="Better." if decision == "edit" else "",
        created_at="2026-11-29T10:00:00+00:00",
    )
    return {key: said}


@pytest.mark.parametrize(("policy", "expected"), [("none", 0), ("all", 40), ("flagged", 2)])
def test_the_policy_says_which_documents_are_put_before_people(policy: DocumentPolicy, expected: int) -> None:
    review = DocumentReview(documents=[document(number) for number in range(40)], flagged={"api/f3", "api/f7"})
    items = build_document_items(review, ReviewConfig(documents=policy))
    assert len(items) == expected
    assert {item.kind for item in items} <= {"document"}
    if policy == "flagged":
        assert {item.record_key for item in items} == {"api/f3", "api/f7"}


def test_a_sample_stays_the_same_as_documents_come_and_go() -> None:
    config = ReviewConfig(documents="sample", share=0.3)
    documents = [document(number) for number in range(60)]
    chosen = {item.record_key for item in build_document_items(DocumentReview(documents=documents), config)}
    fewer = {item.record_key for item in build_document_items(DocumentReview(documents=documents[:30]), config)}
    assert 0 < len(chosen) < 60
    assert fewer == {key for key in chosen if int(key.removeprefix("api/f")) < 30}


def test_a_verdict_belongs_to_text_and_terms() -> None:
    one = document()
    assert document_item_key(one, ALL) == document_item_key(dataclasses.replace(one, title="other", kind="class"), ALL)
    others = [document(text="Other."), document(license="GPL-3.0-only"), dataclasses.replace(one, output_terms="no_training")]
    assert len({document_item_key(each, ALL) for each in [one, *others]}) == 4


def test_the_item_shows_text_terms_and_what_they_mean_for_the_use() -> None:
    [item] = build_document_items(DocumentReview(documents=[document()], terms={"api/f0": "forbidden"}), ALL)
    assert (item.answer, item.prompt, item.alternative) == ("Function 0 sorts rows.", (), "")
    assert (item.provenance.license, item.provenance.terms_verdict, item.task) == ("MIT", "forbidden", "function")


def test_every_document_comes_out_once_and_says_why_it_is_kept_back() -> None:
    documents = [document(number) for number in range(4)]
    said = verdict(documents[0], "approve") | verdict(documents[1], "reject") | verdict(documents[2], "edit", sequence=3)
    judged = judge_documents(DocumentReview(documents=documents), said, ALL, stage=STAGE)
    assert judged.kept == documents[:1]
    assert [(row.key, row.stage, row.reason) for row in judged.rejections] == [
        ("api/f1", STAGE, "rejected_by_reviewer"),
        ("api/f2", STAGE, "rejected_by_reviewer"),
        ("api/f3", STAGE, "awaiting_review"),
    ]
    assert "Ada (verdict 1) rejected it: private" in judged.rejections[0].detail
    assert "correct it in the source" in judged.rejections[1].detail
    assert list(judged.open_items.values()) == ["api/f3"]
    assert len(judged.decided_by) == 3


def test_under_none_no_verdict_on_a_document_counts() -> None:
    config = ReviewConfig(documents="none")
    judged = judge_documents(DocumentReview(documents=[document()]), verdict(document(), "reject", config), config, stage=STAGE)
    assert judged.kept == [document()]
    assert not judged.withheld


def test_rows_of_a_rejected_document_are_withheld_with_their_pairs(
    make_example: Make, make_pair: Callable[[Example], PreferencePair]
) -> None:
    examples = [make_example(number) for number in range(3)]
    pairs = [make_pair(example) for example in examples]
    documents = [document(number) for number in range(3)]
    said = verdict(documents[0], "reject") | verdict(documents[1], "approve")
    verified = apply_verdicts(examples, pairs, verdicts=said, config=ALL, documents=DocumentReview(documents=documents))
    assert verified.examples == examples[1:2]
    assert verified.pairs == pairs[1:2]
    assert verified.documents == documents[1:2]
    reasons = {row.key: row.reason for row in verified.rejections}
    assert reasons[examples[0].key] == reasons[pairs[0].key] == "document_rejected"
    assert reasons[examples[2].key] == reasons[pairs[2].key] == "awaiting_review"
    assert "api/f0" in next(row.detail for row in verified.rejections if row.key == examples[0].key)
    num_in = len(examples) + len(pairs) + len(documents)
    assert num_in == len(verified.examples) + len(verified.pairs) + len(verified.documents) + len(verified.rejections)


def test_a_row_is_reached_through_rows_that_curation_dropped(make_example: Make) -> None:
    first, dropped, last = make_example(0), make_example(1), make_example(2)
    invented = Provenance(origin="synthetic", method="variation", parents=(first.key,), generation_depth=2)
    dropped = dataclasses.replace(dropped, provenance=invented)
    last = dataclasses.replace(last, provenance=dataclasses.replace(invented, parents=(dropped.key,)))
    review = DocumentReview(documents=[document(0)], read_ancestors=lambda: [first, dropped])
    verified = apply_verdicts([last], [], verdicts=verdict(document(0), "reject"), config=ALL, documents=review)
    assert verified.examples == []
    alone = dataclasses.replace(review, read_ancestors=tuple)
    assert apply_verdicts([last], [], verdicts=verdict(document(0), "reject"), config=ALL, documents=alone).examples == [last]


def test_the_gate_waits_for_a_document_as_for_a_row(queue: ReviewQueue, make_example: Make) -> None:
    documents = [document(number) for number in range(3)]
    review = DocumentReview(documents=documents)
    rows = [make_example(number) for number in range(3)]
    queue.sync_items(build_document_items(review, ALL), ALL)

    def check(dataset: list[Example] | list[Document]) -> int:
        evidence = verify_gate(
            curated_examples=rows, curated_pairs=[], dataset_rows=dataset, queue=queue, config=ALL, where="x", documents=review
        )
        return evidence.num_human

    for one in documents[:2]:
        queue.submit(document_item_key(one, ALL), "approve", "Ada")
    with pytest.raises(ReviewGateError, match=r"1 item awaits a verdict.*api/f2"):
        check(rows[:1])
    queue.submit(document_item_key(documents[2], ALL), "reject", "Ada", reason="private")
    assert check(rows[:2]) == 3
    assert check(documents[:2]) == 3
    with pytest.raises(ReviewGateError, match=r"document_rejected.*api/f2"):
        check(rows)
    with pytest.raises(ReviewGateError, match=r"rejected_by_reviewer.*api/f2"):
        check(documents)
    with pytest.raises(ReviewGateError, match="its content has changed"):
        check([dataclasses.replace(documents[0], text="Something that nobody saw.")])


def test_documents_are_flagged_by_what_was_found_in_them_and_by_their_terms() -> None:
    documents = [document(0), document(1), document(2, license="CC-BY-NC-4.0"), document(3, license="")]
    finding = PrivacyFinding(
        key="f", record_key="api/f1", field="text", entity="EMAIL", start=0, end=4, detector="email", action="mask"
    )
    flagged = flag_documents(documents, [finding], TermsConfig(use="commercial"), {"other": "MIT"})
    assert flagged.keys == {"api/f1", "api/f2", "api/f3"}
    assert [flagged.terms[one.key] for one in documents] == ["allowed", "allowed", "forbidden", "unknown"]


def test_documents_belong_to_no_lot(make_example: Make) -> None:
    config = ReviewConfig(lots=LotConfig(n=4, c=1, quality_level=0.7), documents="all")
    rows = [make_example(number) for number in range(8)]
    items = build_items(rows, [], lambda _: "", config)
    both = [*items, *build_document_items(DocumentReview(documents=[document(9)]), config)]
    assert inspect_rows(both, {}, config) == inspect_rows(items, {}, config)


NUMBERS = st.integers(0, 9)


@given(edges=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=25), cited=st.sets(NUMBERS, max_size=4))
def test_exactly_the_descendants_are_withheld(edges: list[tuple[int, int]], cited: set[int]) -> None:
    rows = [_row(number, [parent for child, parent in edges if child == number], number in cited) for number in range(10)]
    reached = set(cited)
    while more := {child for child, parent in edges if parent in reached} - reached:
        reached |= more
    why = {"api/bad": Withheld("document_rejected", "")}
    for split in (0, 5):  # whether a row is curated or only an ancestor makes no difference
        assert set(withhold_rows(rows[split:], rows[:split], why)) == {f"row{number}" for number in reached}


def _row(number: int, parents: list[int], cites: bool) -> Example:
    span = SourceSpan(document_key="api/bad", document_hash="00" * 16, start=0, end=1)
    origin = Provenance(
        origin="synthetic", method="m", spans=(span,) if cites else (), parents=tuple(f"row{parent}" for parent in parents)
    )
    return Example(key=f"row{number}", task="t", messages=(), group="g", provenance=origin)
