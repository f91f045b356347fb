"""What every row has to say about where it comes from."""

from dataclasses import replace
from typing import Any

import pytest

from curation.lineage.completeness import missing_fields
from curation.records import Example, JudgeVote, Provenance
from tests.curation.lineage.rows import example, span_of

WHOLE = Provenance(
    origin="synthetic",
    method="grounded_qa",
    spans=(span_of("docs/a.md"),),
    request_ids=("r" * 32,),
    template_id="grounded_qa/3",
    template_hash="t" * 32,
    teacher="gpt-5-mini",
    sampling='{"temperature":0.7}',
    generation_depth=1,
    license="CC0-1.0",
    votes=(JudgeVote(judge="j", score=0.5, reason="It says so."),),
)
HUMAN = Provenance(origin="human", method="demonstration", license="own")
EDIT = replace(WHOLE, origin="human", method="edit", parents=("docs/a.md#qa/0",))


def row(provenance: Provenance) -> Example:
    return replace(example("docs/a.md#qa/0", "docs/a.md"), provenance=provenance)


@pytest.mark.parametrize(
    "provenance",
    [
        WHOLE,
        HUMAN,
        EDIT,
        replace(WHOLE, spans=(), parents=("k",), generation_depth=2),
        replace(WHOLE, license="", terms_verdict="unknown"),
        replace(WHOLE, method="self_instruct", spans=()),
        Provenance(
            origin="synthetic", method="verifiable", template_id="sums", template_hash="t", generation_depth=1, license="own"
        ),
        Provenance(origin="synthetic", method="wrong_route", parents=("k",), generation_depth=2, license="own"),
    ],
)
def test_complete_rows_lack_nothing(provenance: Provenance) -> None:
    assert missing_fields(row(provenance)) == ()


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"request_ids": ()}, "request_ids"),
        ({"request_ids": ("",)}, "request_ids"),
        ({"teacher": ""}, "teacher"),
        ({"template_id": ""}, "template_id"),
        ({"template_hash": ""}, "template_hash"),
        ({"spans": ()}, "spans"),
        ({"spans": (replace(span_of("docs/a.md"), document_hash=""),)}, "spans"),
        ({"spans": (replace(span_of("docs/a.md"), end=-1),)}, "spans"),
        ({"generation_depth": 0}, "generation_depth"),
        ({"generation_depth": 2}, "parents"),
        ({"license": ""}, "license"),
        ({"sampling": "none"}, "sampling"),
        ({"method": ""}, "method"),
        ({"votes": (JudgeVote(judge="j", score=float("nan"), reason="r"),)}, "votes"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], missing: str) -> None:
    assert missing_fields(row(replace(WHOLE, **change))) == (missing,)


def test_an_edit_names_what_it_edits() -> None:
    assert missing_fields(row(replace(EDIT, parents=()))) == ("parents",)
