"""Calls with alternatives, as the Berkeley Function Calling Leaderboard states them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from curation.graders.tool_call import grade_tool_call

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(os.environ["REALDATA_DIR"]) / "bfcl" / name).read_text("utf-8").splitlines()]


def reference_of(row: dict[str, Any]) -> str:
    """Turn a leaderboard's answer, where an empty text says that an argument may be left out, into a reference."""
    calls = []
    for call in row["ground_truth"]:
        for name, arguments in call.items():
            allowed = {key: [value for value in values if value != ""] for key, values in arguments.items()}
            optional = [key for key, values in arguments.items() if "" in values]
            calls.append({"name": name, "allowed": allowed, "optional": optional})
    return json.dumps(calls)


def answer_of(row: dict[str, Any], position: int) -> str:
    """Write the call with the first or the last allowed values, optional arguments with the last ones only."""
    calls = []
    for call in row["ground_truth"]:
        for name, arguments in call.items():
            chosen = {key: values[position] for key, values in arguments.items() if values[position] != ""}
            calls.append(f"<tool_call>{json.dumps({'name': name, 'arguments': chosen})}</tool_call>")
    return "\n".join(calls)


@pytest.mark.parametrize(("name", "num_rows"), [("BFCL_v4_simple_python.json", 400), ("BFCL_v4_multiple.json", 200)])
@pytest.mark.parametrize("position", [0, -1])
def test_every_allowed_call_is_right_and_that_of_the_next_row_is_not(name: str, num_rows: int, position: int) -> None:
    rows = read(f"possible_answer/{name}")
    references = [reference_of(row) for row in rows]
    answers = [answer_of(row, position) for row in rows]
    assert sum(grade_tool_call(*pair).is_right for pair in zip(answers, references, strict=True)) == num_rows
    shifted = zip(answers[1:] + answers[:1], references, strict=True)
    assert sum(grade_tool_call(*pair).is_right for pair in shifted) == 0


def test_where_no_tool_helps_any_call_is_wrong() -> None:
    rows = read("BFCL_v4_irrelevance.json")
    for row in rows:
        call = json.dumps({"name": row["function"][0]["name"], "arguments": {}}) if row["function"] else '{"name": "x"}'
        assert grade_tool_call("None of my tools can do that.", "[]").is_right
        assert not grade_tool_call(f"<tool_call>{call}</tool_call>", "[]").is_right
    assert len(rows) == 240
