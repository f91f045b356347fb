"""Record tables -> flat tables, one scalar column a fact, for expectations.

    flatten_examples(store.read_arrow(Example, root)).column_names    ["key", "source", "has_odd_id", "task", "group", ...]
    flatten_table("documents", table, languages=["en", "de"])         with the optional column `language`

An empty text becomes null, so that "not null" means "there is something". The columns stand in `curation.quality.gallery`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.quality.gallery import DOCUMENT_COLUMNS, EXAMPLE_COLUMNS, PAIR_COLUMNS, UNPAIRED_COLUMNS, TableName
from curation.quality.text_measures import (
    count_words,
    ends_properly,
    estimate_tokens,
    find_odd_ids,
    find_sources,
    number_copies,
)
from curation.records import Document, Example, PreferencePair, UnpairedPreference

Messages = list[dict[str, Any]]
Columns = dict[str, Any]


def flatten_table(name: TableName, table: pa.Table, *, languages: Sequence[str] | None = None) -> pa.Table:
    """Return any table of a recipe with its flat columns and, if `languages` has a code for each row, `language`."""
    flat = _FLATTENERS.get(name, flatten_examples)(table)
    if languages is None:
        return flat
    return flat.append_column("language", _texts(list(languages)))


def record_class(name: TableName) -> type:
    """Return the record class of a table that `flatten_table` takes."""
    special: dict[str, type] = {
        "documents": Document,
        "preference_dataset": PreferencePair,
        "unpaired_preferences": UnpairedPreference,
    }
    return special.get(name, Example)


def flatten_examples(table: pa.Table) -> pa.Table:
    """Return an `Example` table with the columns EXAMPLE_COLUMNS; `prompt` joins the messages before the answer."""
    conversations = table["messages"].to_pylist()
    answers = _texts([messages[-1]["content"] if messages else "" for messages in conversations])
    columns = _row_columns(table, [messages[:-1] for messages in conversations], conversations)
    columns |= _answer_columns(answers) | {"num_messages": _counts(map(len, conversations))}
    columns["num_tokens_estimate"] = _tokens(columns, answers)
    return pa.table({name: columns[name] for name in EXAMPLE_COLUMNS})


def flatten_pairs(table: pa.Table) -> pa.Table:
    """Return a `PreferencePair` table with the columns PAIR_COLUMNS; `answer_ends_properly` is about the chosen answer."""
    prompts = table["prompt"].to_pylist()
    columns = _row_columns(table, prompts, prompts) | {"num_messages": _counts(map(len, prompts))}
    for name in ("chosen", "rejected"):
        columns |= {name: _filled(table[name]), f"num_{name}_chars": _chars(table[name])}
        columns[f"num_{name}_words"] = count_words(table[name])
    columns["rejected_kind"] = _filled(table["rejected_kind"])
    columns["answer_ends_properly"] = ends_properly(columns["chosen"])
    columns["num_tokens_estimate"] = _tokens(columns, columns["chosen"], columns["rejected"])
    return pa.table({name: columns[name] for name in PAIR_COLUMNS})


def flatten_unpaired(table: pa.Table) -> pa.Table:
    """Return an `UnpairedPreference` table with the columns UNPAIRED_COLUMNS."""
    prompts = table["prompt"].to_pylist()
    columns = _row_columns(table, prompts, prompts) | _answer_columns(_filled(table["answer"]))
    columns |= {"num_messages": _counts(map(len, prompts)), "is_desirable": table["is_desirable"]}
    columns["num_tokens_estimate"] = _tokens(columns, columns["answer"])
    return pa.table({name: columns[name] for name in UNPAIRED_COLUMNS})


def flatten_documents(table: pa.Table) -> pa.Table:
    """Return a `Document` table with the columns DOCUMENT_COLUMNS."""
    columns: Columns = {name: _filled(table[name]) for name in ("key", "source", "title", "kind", "group", "text")}
    columns |= {name: _filled(table[name]) for name in ("license", "output_terms")}
    columns |= {"num_chars": _chars(table["text"]), "num_words": count_words(table["text"])}
    columns["has_odd_id"] = find_odd_ids(table["key"])
    columns["num_tokens_estimate"] = estimate_tokens(columns["num_chars"])
    columns["num_sections"] = pc.list_value_length(table["sections"]).cast(pa.int64())
    columns["text_copy"] = number_copies(table["key"], columns["text"])
    return pa.table({name: columns[name] for name in DOCUMENT_COLUMNS})


_FLATTENERS: dict[TableName, Callable[[pa.Table], pa.Table]] = {
    "documents": flatten_documents,
    "preference_dataset": flatten_pairs,
    "unpaired_preferences": flatten_unpaired,
}


def _row_columns(table: pa.Table, prompts: list[Messages], conversations: list[Messages]) -> Columns:
    columns: Columns = {name: _filled(table[name]) for name in ("key", "task", "group", "split")}
    columns |= {"source": _filled(find_sources(table["key"])), "has_odd_id": find_odd_ids(table["key"])}
    columns["prompt"] = _texts(
        ["\n".join(item["content"] for item in prompt if item["role"] != "system") for prompt in prompts]
    )
    columns["system"] = _texts(
        ["\n".join(item["content"] for item in prompt if item["role"] == "system") for prompt in prompts]
    )
    columns["prompt_copy"] = number_copies(table["key"], columns["system"], columns["prompt"])
    columns["num_turns"] = _counts(sum(item["role"] == "user" for item in prompt) for prompt in prompts)
    columns["has_tools"] = _has_tools(table, conversations)
    columns["num_prompt_chars"] = _chars(columns["prompt"])
    columns["num_prompt_words"] = pc.fill_null(count_words(columns["prompt"]), 0)
    return columns | _provenance_columns(table["provenance"])


def _provenance_columns(provenance: Any) -> Columns:
    made = ("origin", "method", "teacher", "teacher_revision", "template_id")
    texts = (*made, "license", "output_terms", "terms_verdict", "created_at")
    columns: Columns = {name: _filled(pc.struct_field(provenance, name)) for name in texts}
    columns["generation_depth"] = pc.struct_field(provenance, "generation_depth")
    for name in ("spans", "parents", "votes"):
        columns[f"num_{name}"] = pc.list_value_length(pc.struct_field(provenance, name)).cast(pa.int64())
    columns["judge_score"] = _judge_scores(pc.struct_field(provenance, "votes"))
    return columns


def _judge_scores(votes: Any) -> Any:
    lists = votes.to_pylist() if pc.any(pc.greater(pc.list_value_length(votes), 0)).as_py() else [()] * len(votes)
    return pa.array([sum(vote["score"] for vote in found) / len(found) if found else None for found in lists], pa.float64())


def _answer_columns(answers: Any) -> Columns:
    return {
        "answer": answers,
        "answer_ends_properly": ends_properly(answers),
        "num_answer_chars": _chars(answers),
        "num_answer_words": pc.fill_null(count_words(answers), 0),
    }


def _has_tools(table: pa.Table, conversations: list[Messages]) -> Any:
    called = [any(item["tool_calls"] or item["role"] == "tool" for item in messages) for messages in conversations]
    flags = pa.array(called, pa.bool_())
    return pc.or_(flags, pc.not_equal(table["tools"], "").combine_chunks()) if "tools" in table.column_names else flags


def _tokens(columns: Columns, *answers: Any) -> Any:
    total = pc.add(columns["num_prompt_chars"], _chars(columns["system"]))
    for answer in answers:
        total = pc.add(total, _chars(answer))
    return estimate_tokens(total)


def _chars(texts: Any) -> Any:
    return pc.fill_null(pc.utf8_length(texts), 0).cast(pa.int64())


def _filled(column: Any) -> Any:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _texts(values: list[str]) -> Any:
    return pa.array([value or None for value in values], pa.string())


def _counts(values: Iterable[int]) -> Any:
    return pa.array(list(values), pa.int64())
