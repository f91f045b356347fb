"""What holds for every shape: groups, dates, terms; anything converts to a record or a reason; records go back to rows."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.chat_turns import as_turn
from curation.ingest.config import SourceConfig
from curation.ingest.row_records import Unusable, row_key
from curation.ingest.rows import Row
from curation.ingest.shapes.config import ColumnsConfig, ShapeConfig
from curation.ingest.shapes.shaper import ShapeProblem, open_shaper
from curation.ingest.shapes.synonyms import COLUMNS, SPEAKERS
from curation.ingest.text import normalise_text
from curation.records import record_hash
from curation.tables import to_arrow

Read = Callable[..., list[Any]]
PAIR = {"prompt": "Hi", "chosen": "Hello", "rejected": "What"}
THUMB = {"prompt": "Hi", "completion": "Hello", "label": True}


def test_rows_with_the_same_prompt_are_one_group_whatever_their_shape(read: Read) -> None:
    chat = [{"role": "user", "content": "Hi \n"}, {"role": "assistant", "content": "Yo"}]
    records = [read([row])[0] for row in (PAIR, THUMB, {"messages": chat}, {"id": 9, "question": "Hi", "answer": "A"})]
    assert len({record.group for record in records}) == 1
    assert read([{**PAIR, "prompt": "Other"}])[0].group != records[0].group


def test_a_declared_group_and_key_win(read: Read) -> None:
    found = read([{**PAIR, "customer": "c1"}, {**PAIR, "customer": None}], group_column="customer")
    assert [found[0].group, len(found[1].group)] == ["c1", 32]
    assert read([{**THUMB, "thread": 5}], {"columns": {"group": "thread"}})[0].group == "5"
    source = SourceConfig(name="s", kind="files", path="x", shape=ShapeConfig(columns=ColumnsConfig(key="ref")))
    assert row_key(source, Row(1, {"id": "a", "ref": "b"})) == "b"


@pytest.mark.parametrize("row", [PAIR, THUMB, {"question": "Q", "answer": "A"}])
def test_each_record_says_where_it_is_from(read: Read, row: dict[str, Any]) -> None:
    fields = {"license": "CC0", "output_terms": "any", "task": "support", "origin": "synthetic"}
    (record,) = read([{**row, "at": "2024-05-01T12:00+02:00"}], {"columns": {"date": "at"}}, **fields)
    told = record.provenance
    assert (told.license, told.output_terms, record.task, told.origin) == ("CC0", "any", "support", "synthetic")
    assert (told.method, told.created_at, record.key) == ("demonstration", "2024-05-01T10:00:00Z", "src/x.jsonl#1")
    assert read([{**row, "at": "2024-05-01"}], date_column="at")[0].provenance.created_at == "2024-05-01"
    assert read([{**row, "at": None}], date_column="at")[0].provenance.created_at == ""
    assert read([{**row, "at": "soon"}], date_column="at")[0].reason == "invalid_date"


NAMES = sorted({name for names in COLUMNS.values() for name in names})
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["[]", "[", "{}", "1"])
)
TURN_KEYS = st.sampled_from(["role", "from", "speaker", "content", "value", "text", "utterance", "tool_calls", "tool_call_id",
                             "function_call", "name", "arguments", "function", "id", "weight", "label", "type"])  # fmt: skip
WORDS = st.one_of(SCALARS, st.sampled_from([*SPEAKERS, "text", "f"]))
CELLS = st.recursive(
    WORDS, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TURN_KEYS, inner, max_size=4)), max_leaves=12
)
JSON_CELLS = st.one_of(CELLS, CELLS.map(lambda cell: json.dumps(cell)))
ROWS = st.lists(st.dictionaries(st.sampled_from(NAMES), JSON_CELLS, max_size=5), min_size=1, max_size=3)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, role=st.sampled_from(["documents", "demonstrations"]), trim=st.booleans())
def test_random_rows_give_records_or_reasons_and_the_same_each_time(rows: list[dict[str, Any]], role: Any, trim: bool) -> None:
    source = SourceConfig(name="s", kind="files", path="x", role=role, shape=ShapeConfig(trim_to_assistant=trim))
    head = [Row(number, row) for number, row in enumerate(rows, 1)]
    shaper, again = (open_shaper(source, "x", head) for _ in range(2))
    if isinstance(shaper, ShapeProblem) or isinstance(again, ShapeProblem):
        assert shaper == again
        return
    assert shaper.describe() == again.describe()
    _check(head, shaper, again)


GOOD_ROWS: list[dict[str, Any]] = [
    {"instruction": "Do", "input": "it", "output": "done", "history": [["a", "b"]], "system": "S"},
    {"instruction": "Do", "instances": [{"input": "", "output": "done"}]},
    {"question": "Who?", "context": ["It was Ann."], "answers": {"text": ["Ann"], "answer_start": [7]}},
    {"question": "2 + 2?", "choices": {"text": ["3", "4"], "label": ["A", "B"]}, "answerKey": "B", "rationale": "Count."},
    {"turns": [{"speaker": "USER", "utterance": "Hi"}, {"speaker": "SYSTEM", "utterance": "Hello"}]},
    {"query": "Rome?", "tools": [{"name": "f"}], "answers": [{"name": "f", "arguments": {"a": 1}}]},
    {"question": [[{"role": "user", "content": "Hi"}]], "function": [{"name": "f"}], "ground_truth": [{"f": {"a": ["", 1]}}]},
    {"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello"}, "rejected": "What"},
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "label": True, "tools": "[]"},
    {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "rows"},
            {"role": "assistant", "content": "Done", "weight": 1},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    },
]


def spoil(value: Any, draw: Any) -> Any:
    """Return a copy of a value with one place in it replaced, dropped or doubled."""
    if not value or not isinstance(value, (dict, list)) or draw(st.integers(0, 3)) == 0:
        return draw(JSON_CELLS)
    place = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    copied = dict(value) if isinstance(value, dict) else list(value)
    action = draw(st.sampled_from(["spoil", "spoil", "drop", "double"]))
    if action == "drop":
        del copied[place]
    elif action == "double" and isinstance(copied, list):
        copied.insert(place, copied[place])
    else:
        copied[place] = spoil(copied[place], draw)
    return copied


@settings(max_examples=80, deadline=None)
@given(good=st.sampled_from(GOOD_ROWS), trim=st.booleans(), data=st.data())
def test_spoiled_rows_give_records_or_reasons(good: dict[str, Any], trim: bool, data: st.DataObject) -> None:
    spoiled = spoil(good, data.draw)
    rows = [good, good, spoiled if isinstance(spoiled, dict) and all(isinstance(name, str) for name in spoiled) else {}]
    source = SourceConfig(name="s", kind="files", path="x", role="demonstrations", shape=ShapeConfig(trim_to_assistant=trim))
    head = [Row(number, row) for number, row in enumerate(rows, 1)]
    of_good, of_spoiled = open_shaper(source, "x", head[:2]), open_shaper(source, "x", head[2:])
    assert not isinstance(of_good, ShapeProblem)
    assert isinstance(of_spoiled, ShapeProblem) or of_spoiled.convert("s/x#1", head[2]) is not None
    for shaper in (of_good, of_spoiled):
        if not isinstance(shaper, ShapeProblem):
            _check(head, shaper, shaper)


def _check(head: list[Row], shaper: Any, again: Any) -> None:
    kept = []
    for row in head:
        record = shaper.convert("s/x#1", row)
        assert record == again.convert("s/x#1", row)
        if isinstance(record, Unusable):
            assert record.reason.replace("_", "").isalpha()
            assert record.detail
        else:
            record_hash(record)
            kept.append(record)
    for record in kept:
        to_arrow(type(record), [record])


TEXTS = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
    .map(normalise_text)
    .filter(str.strip)
)


def one(row: dict[str, Any]) -> Any:
    source = SourceConfig(name="s", kind="files", path="x", role="demonstrations")
    shaper = open_shaper(source, "x", [Row(1, row)])
    assert not isinstance(shaper, ShapeProblem)
    return shaper.convert("s/x#1", Row(1, row))


@st.composite
def conversations(draw: Any) -> list[dict[str, Any]]:
    """Chats in OpenAI's form, with calls of tools and their results here and there."""
    turns: list[dict[str, Any]] = [{"role": "system", "content": draw(TEXTS)}] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        turns.append({"role": "user", "content": draw(TEXTS)})
        if draw(st.booleans()):
            arguments = json.dumps(draw(st.dictionaries(TEXTS, st.integers(), max_size=2)))
            function = {"name": "f", "arguments": arguments}
            turns.append(
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
                }
            )
            turns.append({"role": "tool", "content": draw(TEXTS), "tool_call_id": f"c{number}", "name": "f"})
        turns.append({"role": "assistant", "content": draw(TEXTS)})
    return turns


@settings(max_examples=50, deadline=None)
@given(conversations())
def test_a_chat_goes_back_to_its_messages(messages: list[dict[str, Any]]) -> None:
    record = one({"messages": messages})
    assert [as_turn(message) for message in record.messages] == messages


@settings(max_examples=40, deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_pairs_thumbs_and_answers_go_back_to_their_columns(prompt: str, answer: str, other: str) -> None:
    record = one({"question": prompt, "answer": answer})
    assert (record.messages[0].content, record.answer) == (prompt, answer)
    record = one({"instruction": prompt, "output": answer})
    assert (record.messages[0].content, record.answer) == (prompt, answer)
    record = one({"prompt": prompt, "completion": answer, "label": False})
    assert (record.prompt[0].content, record.answer, record.is_desirable) == (prompt, answer, False)
    record = one({"prompt": prompt, "chosen": answer, "rejected": other})
    if answer != other:
        assert (record.prompt[0].content, record.chosen, record.rejected) == (prompt, answer, other)
    else:
        assert record.reason == "equal_answers"
