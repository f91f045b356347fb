"""Every record class goes through Arrow and back without a change, whatever the text."""

import types
import typing
from typing import Any, Literal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation import records
from curation.record_rows import as_row, from_row
from curation.records import (
    ContaminationPair,
    Document,
    Example,
    Message,
    PreferencePair,
    PrivacyFinding,
    Rejection,
    ReviewItem,
    TeacherCall,
    UnitCalls,
    UnpairedPreference,
    Verdict,
    VerifiableTask,
    record_hash,
    reject,
)
from curation.tables import from_arrow, schema_of, to_arrow

CLASSES = [
    Document,
    Example,
    PreferencePair,
    UnpairedPreference,
    VerifiableTask,
    Rejection,
    PrivacyFinding,
    ContaminationPair,
    ReviewItem,
    Verdict,
    TeacherCall,
    UnitCalls,
]
ODD_TEXT = st.text(
    st.one_of(st.sampled_from("\0\r\n\u2028\ufeff\u202e\U0001f600\u0301"), st.characters(exclude_categories=("Cs",))),
    max_size=20,
)


def _values(hint: Any) -> st.SearchStrategy[Any]:
    scalars = {
        str: ODD_TEXT,
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
    }
    if hint in scalars:
        return scalars[hint]
    if typing.get_origin(hint) is Literal:
        return st.sampled_from(typing.get_args(hint))
    if isinstance(hint, types.GenericAlias):
        return st.lists(_values(typing.get_args(hint)[0]), max_size=3).map(tuple)
    return _records(hint)


def _records(cls: Any) -> st.SearchStrategy[Any]:
    return st.builds(cls, **{name: _values(hint) for name, hint in typing.get_type_hints(cls).items()})


@pytest.mark.parametrize("cls", CLASSES)
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_records_survive_arrow_and_rows(cls: type, data: st.DataObject) -> None:
    rows = data.draw(st.lists(_records(cls), max_size=4))
    table = to_arrow(cls, rows)
    assert table.schema == schema_of(cls)
    again = list(from_arrow(cls, table))
    assert again == rows
    assert [record_hash(row) for row in again] == [record_hash(row) for row in rows]
    assert [from_row(cls, as_row(row)) for row in rows] == rows


def test_no_record_class_is_left_out() -> None:
    keyed = [
        value
        for value in vars(records).values()
        if isinstance(value, type) and "key" in getattr(value, "__dataclass_fields__", {})
    ]
    assert set(keyed) == set(CLASSES)


def test_nulls_and_missing_fields_are_refused() -> None:
    with pytest.raises(TypeError):
        from_row(Message, {"role": "user"})
    with pytest.raises(TypeError):
        from_row(Message, {"role": "user", "content": "x", "extra": 1})
    with pytest.raises((pa.ArrowException, ValueError, TypeError)):
        list(from_arrow(Message, pa.table({"role": ["user"], "content": [3]}).cast(schema_of(Document))))


def test_rejections_describe_any_record() -> None:
    fields = {"source": "s", "title": "", "kind": "text", "sections": (), "group": "g", "license": "", "output_terms": ""}
    document = Document(key="s/a", text="x" * 900, **fields)
    rejection = reject(document, stage="documents", reason="too_long", detail="It is long.")
    assert (rejection.key, rejection.stage, len(rejection.excerpt)) == ("s/a", "documents", 500)
    assert len(rejection.record_hash) == 32
