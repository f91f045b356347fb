"""Evidence: cited spans are what they say, and sentences that no source supports are found."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.records import Document, Example, ReviewItem, SourceSpan, record_hash
from curation.review.config import ReviewConfig
from curation.review.evidence import support as evidence
from curation.review.evidence.support import PROBLEMS, Sentence, check_spans, read_versions, support
from curation.review.items import build_items, evidence_lookup
from tests.curation.review.evidence.support_cases import CASES, HELD_OUT, PASSAGES, Case

pytestmark = pytest.mark.slow

PASSAGE = "You can return shoes within 30 days. Returns are free. Write to Maren Holt."


def only(text: str, *passages: str) -> Sentence:
    (sentence,) = support(text, passages or (PASSAGE,))
    return sentence


# cited spans


@pytest.fixture
def document() -> Document:
    return Document(
        key="shop/faq",
        source="shop",
        title="FAQ",
        kind="text",
        text="Returns are free. Shoes only.",
        sections=(),
        group="shop/faq",
        license="",
        output_terms="",
    )


def cite(make_example: Callable[..., Example], document: Document, span: SourceSpan) -> ReviewItem:
    row = make_example(1, "x")
    row = replace(row, provenance=replace(row.provenance, spans=(span,)))
    return build_items([row], [], evidence_lookup([document]), ReviewConfig(policy="all"))[0]


def test_a_span_that_is_what_it_says_has_no_problem(make_example: Callable[..., Example], document: Document) -> None:
    span = SourceSpan(document_key=document.key, document_hash=record_hash(document), start=0, end=17)
    assert check_spans(cite(make_example, document, span), read_versions([document])) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"document_key": "shop/other"}, "no_document"),
        ({"document_hash": "ab" * 16}, "other_version"),
        ({"end": 30}, "out_of_bounds"),
        ({"start": -1}, "out_of_bounds"),
        ({"start": 17}, "out_of_bounds"),
    ],
)
def test_a_span_that_is_not_what_it_says_is_named(
    make_example: Callable[..., Example], document: Document, changes: dict[str, object], problem: str
) -> None:
    span = SourceSpan(document_key=document.key, document_hash=record_hash(document), start=0, end=17)
    wrong = replace(span, **changes)  # type: ignore[arg-type]
    (found,) = check_spans(cite(make_example, document, wrong), read_versions([document]))
    assert (found.span, found.problem) == (wrong, problem)
    assert PROBLEMS[found.problem].endswith(".")


def test_a_passage_that_differs_from_the_document_is_found(make_example: Callable[..., Example], document: Document) -> None:
    span = SourceSpan(document_key=document.key, document_hash=record_hash(document), start=0, end=17)
    item = replace(cite(make_example, document, span), evidence=("Returns are not free.",))
    assert [found.problem for found in check_spans(item, read_versions([document]))] == ["not_shown"]


# support


def measure(cases: Sequence[Case]) -> tuple[float, float, float]:
    """Return recall and precision of finding unsupported sentences, and the share of supported ones left alone."""
    flagged = {case: not all(part.is_supported for part in support(case.text, [PASSAGES[case.passage]])) for case in cases}
    wrong = [case for case in cases if not case.is_supported]
    hits = sum(flagged[case] for case in wrong)
    left = sum(not flagged[case] for case in cases if case.is_supported)
    return hits / len(wrong), hits / sum(flagged.values()), left / (len(cases) - len(wrong))


def test_unsupported_sentences_are_found() -> None:
    assert len(CASES) + len(HELD_OUT) >= 60
    for name, cases, floors in (("tuned on", CASES, (0.95, 0.85, 0.82)), ("held out", HELD_OUT, (0.85, 0.8, 0.79))):
        found = measure(cases)
        print(f"{name}: {len(cases)} sentences, recall {found[0]:.3f}, precision {found[1]:.3f}, supported left {found[2]:.3f}")
        assert all(value >= floor for value, floor in zip(found, floors, strict=True)), (name, found)


@pytest.mark.parametrize(
    "case", [case for case in (*CASES, *HELD_OUT) if case.how in ("verbatim", "number", "negation", "unit")]
)
def test_quotes_numbers_units_and_negations_are_told_apart_every_time(case: Case) -> None:
    assert only(case.text, PASSAGES[case.passage]).is_supported == case.is_supported


def test_a_quote_names_its_passage_and_where_it_stands_there() -> None:
    found = only("you can return  shoes\n within 30 days", "Other text here.", PASSAGE)
    assert (found.how, found.passage) == ("quote", 1)
    assert [PASSAGE[start:end] for start, end in found.spans] == ["You can return shoes within 30 days"]


def test_words_that_support_are_marked_in_the_passage() -> None:
    found = only("Shoes can be returned within 30 days.")
    assert found.how == "words"
    assert [PASSAGE[start:end] for start, end in found.spans] == ["return shoes within 30 days"]


def test_numbers_and_names_that_stand_nowhere_are_flagged() -> None:
    answer = "Returns are free for 60 days. Write to Jonas Holt."
    found = support(answer, [PASSAGE])
    assert [[answer[start:end] for start, end in part.missing] for part in found] == [["60"], ["Jonas"]]
    assert not any(part.is_supported for part in found)


def test_a_part_of_a_word_is_no_quote() -> None:
    assert only("turn shoes within 30 day").how != "quote"


@pytest.mark.parametrize("text", ["Yes.", "No.", "It is.", "..."])
def test_what_says_nothing_needs_no_support(text: str) -> None:
    assert only(text).how == "nothing"


def test_quotes_with_marks_have_to_stand_word_for_word() -> None:
    assert only("<quote>Returns are free.</quote>").how == "quote"
    assert only('<quote document="1">Free returns are offered.</quote>').how == "unsupported"


def test_json_values_have_to_stand_in_the_source() -> None:
    answer = '{"days": 30, "who": "Maren Holt", "fee": 12, "ok": true}'
    assert [part.how for part in support(answer, [PASSAGE])] == ["words", "words", "unsupported", "nothing"]


def test_without_a_source_nothing_is_said() -> None:
    assert support("Anything.", []) == support("Anything.", ["", ""]) == []


def test_what_is_beyond_the_limits_is_unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_CLAIMS", 2)
    found = support("Returns are free. " * 4, [PASSAGE])
    assert [part.how for part in found] == ["quote", "quote", "unchecked"]
    assert (found[2].start, found[2].end) == (36, 72)
    monkeypatch.setattr(evidence, "MAX_SOURCE_CHARS", 20)
    assert [part.how for part in support("Returns are free.", [PASSAGE])] == ["unchecked"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "passage"),
    [
        ("word " * 2_000_000, "word " * 200_000),
        ("A b c d e. " * 100_000, "A b c d e. " * 100_000),
        ("x" * 10_000_000, "x" * 10_000_000),
        ("." * 1_000_000, "?! " * 300_000),
        ("[" * 100_000, "{" * 100_000),
        ("```\n" * 20_000, "```\n" * 20_000),
        ("- " * 30_000, "- " * 30_000),
        ("<quote>" * 9_000, "<quote>" * 9_000),
        ("1." * 30_000, "1,000" * 10_000),
        ("a.b_" * 16_000 + "(", "a" * 250_000 + " " + "aaaaaaaaaaaaaaa " * 100),
        ("aaaaaaaaaaaaaaab. " * 3_000, "a" * 250_000),
        (
            "\n".join(f"w{number} x{number} is y{number}." for number in range(3_000)),
            " ".join(f"w{n} is. x{n} y{n}." for n in range(9_000)),
        ),
    ],
)
def test_large_texts_take_no_longer_than_their_limits(answer: str, passage: str) -> None:
    start = time.thread_time()
    found = support(answer, [passage])
    assert time.thread_time() - start < 60
    assert len(found) <= evidence.MAX_CLAIMS + 1


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=3))
def test_offsets_stay_inside_their_texts(answer: str, passages: list[str]) -> None:
    at = 0
    for part in support(answer, passages):
        assert at <= part.start < part.end <= len(answer)
        assert all(part.start <= start < end <= part.end for start, end in part.missing)
        if part.passage is not None:
            assert all(0 <= start < end <= len(passages[part.passage]) for start, end in part.spans)
        at = part.end
