"""Record tables -> flat tables, one scalar column a fact, for expectations.

    flatten_examples(store.read_arrow(Example, root)).column_names    ["key", "task", "group", "split", "system", "prompt", ...]

An empty text becomes null, so that "not null" means "there is something".
"""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.quality.gallery import EXAMPLE_COLUMNS, PAIR_COLUMNS


def flatten_examples(table: pa.Table) -> pa.Table:
    """Return an `Example` table with the columns EXAMPLE_COLUMNS; `prompt` joins the messages before the answer."""
    conversations = table["messages"].to_pylist()
    columns = _shared_columns(table, [messages[:-1] for messages in conversations])
    answers = [messages[-1]["content"] if messages else "" for messages in conversations]
    columns |= {"answer": _texts(answers), "num_answer_chars": _counts(map(len, answers))}
    columns["num_messages"] = _counts(map(len, conversations))
    return pa.table({name: columns[name] for name in EXAMPLE_COLUMNS})


def flatten_pairs(table: pa.Table) -> pa.Table:
    """Return a `PreferencePair` table with the columns PAIR_COLUMNS."""
    prompts = table["prompt"].to_pylist()
    columns = _shared_columns(table, prompts)
    for name in ("chosen", "rejected"):
        columns |= {name: _filled(table[name]), f"num_{name}_chars": pc.utf8_length(table[name]).cast(pa.int64())}
    columns |= {"rejected_kind": _filled(table["rejected_kind"]), "num_messages": _counts(map(len, prompts))}
    return pa.table({name: columns[name] for name in PAIR_COLUMNS})


def _shared_columns(table: pa.Table, prompts: list[list[dict[str, Any]]]) -> dict[str, Any]:
    columns: dict[str, Any] = {name: _filled(table[name]) for name in ("key", "task", "group", "split")}
    asked = ["\n".join(item["content"] for item in prompt if item["role"] != "system") for prompt in prompts]
    systems = ["\n".join(item["content"] for item in prompt if item["role"] == "system") for prompt in prompts]
    columns |= {"prompt": _texts(asked), "num_prompt_chars": _counts(map(len, asked)), "system": _texts(systems)}
    for name in ("origin", "method", "teacher", "teacher_revision", "template_id", "license", "output_terms"):
        columns[name] = _filled(pc.struct_field(table["provenance"], name))
    columns["generation_depth"] = pc.struct_field(table["provenance"], "generation_depth")
    for name in ("spans", "parents"):
        columns[f"num_{name}"] = pc.list_value_length(pc.struct_field(table["provenance"], name)).cast(pa.int64())
    return columns


def _filled(column: Any) -> Any:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _texts(values: list[str]) -> Any:
    return pa.array([value or None for value in values], pa.string())


def _counts(values: Iterable[int]) -> Any:
    return pa.array(list(values), pa.int64())
