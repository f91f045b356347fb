"""Every section of `generate` that names a method builds that method, and says what it works on."""

import dataclasses
import functools
import typing
from collections.abc import Callable

import pytest

from curation.curate.config import CurateConfig
from curation.curate.split import split_of
from curation.records import Document
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.config import ON_DEMONSTRATIONS, ON_DOCUMENTS, ON_NOTHING, GenerateConfig
from curation.synthesis.generate import generate, units_without_rows
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.build import METHODS, build_methods
from curation.synthesis.methods.method import Inputs, Unit
from curation.synthesis.methods.raft import RaftConfig
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher


def _section(name: str) -> object:
    (section,) = (kind for kind in typing.get_args(typing.get_type_hints(GenerateConfig)[name]) if kind is not type(None))
    return section


@pytest.mark.parametrize("name", sorted({*METHODS, "raft"}))
def test_a_method_is_called_like_its_section(name: str) -> None:
    assert sum(name in names for names in (ON_DOCUMENTS, ON_DEMONSTRATIONS, ON_NOTHING)) == 1
    section: typing.Any = _section(name)
    try:
        config = section()
    except Exception:
        pytest.skip("this method has settings without a default")
    (method,) = build_methods(GenerateConfig(**{name: config}))
    assert method.name == name


def test_without_sections_there_is_no_method() -> None:
    assert build_methods(GenerateConfig()) == []


def test_units_of_which_nothing_came_are_found() -> None:
    units = [Unit(key=key) for key in ("a#m", "a#m/1", "ab#m", "gone#m")]
    keys = ["a#m", "a#m/1/0", "ab#m~pair/0"]
    assert units_without_rows(units, keys) == ["gone#m"]


def test_raft_keeps_to_one_side_of_the_split(ledger: RequestLedger, make_document: Callable[..., Document]) -> None:
    curate = CurateConfig(eval_share=0.5)
    texts = {
        f"shop.Part{number}.make": f"Part number {number} is made of {number} bolts and a plate.\n\n" for number in range(40)
    }
    documents = [make_document(title, text * 4) for title, text in texts.items()]
    documents = [dataclasses.replace(item, group=item.key) for item in documents]
    sides = {document.key: split_of(document.group, curate) for document in documents}
    config = GenerateConfig(raft=RaftConfig())
    methods = build_methods(config, side_of=functools.partial(split_of, config=curate))
    session = Session([SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())], ledger)
    made = generate(Inputs(documents=documents), config=config, session=session, methods=methods)
    assert made.examples
    for row in made.examples:
        assert len({sides[span.document_key] for span in row.provenance.spans}) == 1
