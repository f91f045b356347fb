"""The shapes in which rows leave."""

from curation.data_card.shapes import Row, columns_of, line_of, table_of, uses_tools
from tests.curation.data_card.conftest import make_example, make_tool_example


def test_chat_lines_hold_what_a_fine_tuning_service_takes_and_nothing_else(rows: list[Row]) -> None:
    assert line_of(rows[0]) == {
        "messages": [
            {"role": "user", "content": "How do I see the first rows?"},
            {"role": "assistant", "content": "Use head()."},
        ]
    }


def test_tool_calls_are_written_as_functions() -> None:
    line = line_of(make_tool_example())
    assert line["tools"] == [{"type": "function", "function": {"name": "look_up"}}]
    call, answer = line["messages"][1], line["messages"][2]
    assert call["content"] is None
    assert call["tool_calls"][0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "look_up", "arguments": '{"name":"head"}'},
    }
    assert answer == {"role": "tool", "content": "first rows", "tool_call_id": "c1", "name": "look_up"}


def test_preferences_are_written_as_trl_wants_them(rows: list[Row]) -> None:
    prompt = [{"role": "user", "content": "Which is better?"}]
    assert line_of(rows[3]) == {
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": "head()"}],
        "rejected": [{"role": "assistant", "content": "tail()"}],
    }
    assert line_of(rows[4]) == {
        "prompt": prompt,
        "completion": [{"role": "assistant", "content": "Ask someone else."}],
        "label": False,
    }


def test_tables_hold_the_same_and_where_a_row_comes_from(rows: list[Row]) -> None:
    for kind, row in (("examples", rows[0]), ("preference", rows[3]), ("unpaired", rows[4])):
        table = table_of([row], kind, has_tools=False)
        assert tuple(table.column_names) == tuple(column.name for column in columns_of(kind, has_tools=False))
        (found,) = table.to_pylist()
        assert {name: found[name] for name in line_of(row)} == line_of(row)
        assert (found["key"], found["source"], found["license"]) == (row.key, "api", "MIT")


def test_columns_for_tools_are_there_only_if_they_are_used() -> None:
    plain, tool = make_example(), make_tool_example()
    assert not uses_tools([plain])
    assert uses_tools([plain, tool])
    found = table_of([plain, tool], "examples", has_tools=True).to_pylist()
    assert found[0]["tools"] == ""
    assert found[0]["messages"][0]["tool_calls"] == []
    assert [call["function"]["name"] for call in found[1]["messages"][1]["tool_calls"]] == ["look_up", "look_up"]
