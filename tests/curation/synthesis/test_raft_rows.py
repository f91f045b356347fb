"""A RAFT row says where its oracle is, in its text and in its provenance, whatever the order and the texts."""

from collections import Counter

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.cited_answer import Citation
from curation.records import Provenance, SourceSpan
from curation.synthesis.citations import has_marks
from curation.synthesis.distractors import Passage
from curation.synthesis.parse import UnusableError
from curation.synthesis.raft_rows import RaftParts, build_raft_row, read_raft_row

PROVENANCE = Provenance(origin="synthetic", method="raft", license="MIT", output_terms="teacher's; as the source")


def passage(number: int, text: str, license: str = "MIT") -> Passage:
    span = SourceSpan(document_key=f"d/{number}", document_hash="h" * 32, start=10, end=10 + len(text))
    return Passage(
        key=f"d/{number}",
        title=f"T {number}",
        text=text,
        origin=f"d/{number}",
        span=span,
        license=license,
        output_terms="as the source",
    )


ORACLE = passage(0, "Returns ship free. Always.")
OTHERS = [passage(number, f"Other matter {number}.") for number in range(1, 5)]
QUOTE = SourceSpan(document_key="d/0", document_hash="h" * 32, start=10, end=28)
PARTS = RaftParts(
    key="row/0", question="What do returns cost?", answer="Nothing.", quotes=("Returns ship free.",), quote_spans=(QUOTE,)
)

texts = st.text(min_size=1, max_size=80).filter(lambda text: not has_marks(text))


@hypothesis.given(texts, st.lists(texts, min_size=1, max_size=5), texts, st.text("abc/0123", min_size=1), st.integers(0, 3))
def test_a_row_can_be_taken_apart(oracle_text: str, others: list[str], answer: str, key: str, seed: int) -> None:
    oracle = passage(0, oracle_text)
    distractors = [passage(number, text) for number, text in enumerate(others, start=1)]
    hypothesis.assume(not has_marks(f"<{answer}"))
    parts = RaftParts(key=key, question="Which one?", answer=answer, quotes=(oracle_text,))
    read = read_raft_row(build_raft_row(parts, oracle, distractors, provenance=PROVENANCE, seed=seed))
    assert read.oracle is not None
    assert read.documents[read.oracle] == oracle_text
    assert sorted(read.documents) == sorted([oracle_text, *others])
    assert read.citations == (Citation(oracle_text, read.oracle + 1),)
    assert (read.question, read.answer) == ("Which one?", answer)


@pytest.mark.parametrize("text", ["Title: a\n\nb", "b\n\nQuestion: c", "\n"])
def test_a_document_without_a_title_stays_whole(text: str) -> None:
    plain = Passage(key="p", title="", text=text, origin="p")
    read = read_raft_row(build_raft_row(RaftParts(key="k", question="Q?", answer="A."), plain, OTHERS, provenance=PROVENANCE))
    assert text in read.documents
    assert read.question == "Q?"


def test_the_provenance_names_every_document_in_the_order_of_the_prompt() -> None:
    row = build_raft_row(PARTS, ORACLE, [*OTHERS[:3], passage(4, "Free text.", "GPL-3.0 OR MIT")], provenance=PROVENANCE)
    read = read_raft_row(row)
    assert read.oracle is not None
    quote, *documents = row.provenance.spans
    assert quote == QUOTE
    assert documents[read.oracle] == ORACLE.span
    assert {span.document_key for span in documents} == {f"d/{number}" for number in range(5)}
    assert row.provenance.license == "MIT AND (GPL-3.0 OR MIT)"
    assert row.provenance.output_terms == "teacher's; as the source"


def test_without_its_oracle_a_row_cites_nothing_but_names_it() -> None:
    for instead, expected in ((None, "Nothing."), ("Unknown.", "Unknown.")):
        row = build_raft_row(PARTS, ORACLE, OTHERS, provenance=PROVENANCE, with_oracle=False, answer_without_oracle=instead)
        read = read_raft_row(row)
        assert (read.oracle, read.citations, read.answer) == (None, (), expected)
        assert ORACLE.text not in row.messages[-2].content
        assert row.provenance.spans[-1] == ORACLE.span, "the answer comes from it"
        assert QUOTE not in row.provenance.spans


def test_the_oracle_stands_anywhere() -> None:
    places = Counter(
        read_raft_row(
            build_raft_row(
                RaftParts(key=f"row/{n}", question="Q?", answer="A.", quotes=(ORACLE.text,)),
                ORACLE,
                OTHERS,
                provenance=PROVENANCE,
            )
        ).oracle
        for n in range(500)
    )
    assert set(places) == set(range(5))
    assert min(places.values()) > 60


def test_the_order_hangs_on_the_row_only() -> None:
    one = build_raft_row(PARTS, ORACLE, OTHERS, provenance=PROVENANCE)
    assert build_raft_row(PARTS, ORACLE, OTHERS[::-1], provenance=PROVENANCE) == one
    assert any(
        build_raft_row(PARTS, ORACLE, OTHERS, provenance=PROVENANCE, seed=seed).messages != one.messages for seed in (1, 2, 3)
    )


@pytest.mark.parametrize("text", ["x\n</document 1>\n\nQuestion: y", "a <quote>b</quote>"])
def test_marks_in_a_text_make_no_row(text: str) -> None:
    for oracle, others in ((passage(0, text), OTHERS), (ORACLE, [passage(1, text)])):
        parts = RaftParts(key="k", question="Q?", answer="A.")
        with pytest.raises(UnusableError) as caught:
            build_raft_row(parts, oracle, others, provenance=PROVENANCE)
        assert caught.value.reason == "marks_in_text"


def test_other_rows_are_no_raft_rows() -> None:
    row = build_raft_row(PARTS, ORACLE, OTHERS, provenance=PROVENANCE)
    object.__setattr__(row, "messages", (row.messages[-1], row.messages[-1]))
    with pytest.raises(ValueError, match="no RAFT row"):
        read_raft_row(row)
