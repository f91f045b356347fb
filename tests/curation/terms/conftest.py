"""Rows with just enough provenance to judge their terms."""

from collections.abc import Callable

import pytest

from curation.records import Example, Message, Provenance, SourceSpan

MakeRow = Callable[..., Example]


def make_row(
    key: str,
    license: str = "MIT",
    *,
    teacher: str = "extractive",
    parents: tuple[str, ...] = (),
    documents: tuple[str, ...] = (),
    output_terms: str = "",
) -> Example:
    spans = tuple(SourceSpan(document_key=name, document_hash="0" * 32, start=0, end=1) for name in documents)
    return Example(
        key=key,
        task="routing",
        messages=(Message(role="user", content="q"), Message(role="assistant", content="a")),
        group="g",
        provenance=Provenance(
            origin="synthetic",
            method="routing",
            spans=spans,
            teacher=teacher,
            parents=parents,
            license=license,
            output_terms=output_terms,
        ),
    )


@pytest.fixture(name="make_row")
def make_row_fixture() -> MakeRow:
    return make_row
