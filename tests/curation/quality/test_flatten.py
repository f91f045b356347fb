"""Records of every class become flat rows with exactly the columns that a suite may name."""

import pytest

from curation.quality.config import TABLE_NAMES
from curation.quality.flatten import flatten_table, record_class
from curation.quality.gallery import columns_of
from curation.records import Document, Example, JudgeVote, Message, Provenance, Section, ToolCall, UnpairedPreference
from curation.tables import schema_of, to_arrow

PROVENANCE = Provenance(
    origin="human",
    method="demonstration",
    votes=(JudgeVote(judge="j", score=0.25, reason=""), JudgeVote(judge="k", score=0.75, reason="")),
    created_at="2026-01-02",
    terms_verdict="allowed",
)


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_table_has_the_columns_that_its_suite_may_name(name: str) -> None:
    flat = flatten_table(name, schema_of(record_class(name)).empty_table(), languages=[])  # type: ignore[arg-type]
    assert tuple(flat.column_names) == columns_of(name)  # type: ignore[arg-type]
    assert flat.num_rows == 0


def test_a_chat_with_tools() -> None:
    call = ToolCall(id="1", name="add", arguments="{}")
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="One and one?"),
        Message(role="assistant", content="", tool_calls=(call,)),
        Message(role="tool", content="2", tool_call_id="1", name="add"),
        Message(role="user", content="Say it in words."),
        Message(role="assistant", content="It is two."),
    )
    plain = Example(key="s/f#2", task="t", messages=messages[1:2] + messages[5:], group="g", provenance=PROVENANCE)
    tooled = Example(key="s/f#1", task="t", messages=messages, group="g", provenance=PROVENANCE)
    listed = Example(key="s/f#0", task="t", messages=plain.messages, tools="[1]", group="g", provenance=PROVENANCE)
    one, two, three = flatten_table("demonstrations", to_arrow(Example, [tooled, plain, listed])).to_pylist()
    assert (one["source"], one["num_turns"], one["num_messages"], one["has_tools"]) == ("s", 2, 6, True)
    assert (two["num_turns"], two["has_tools"], three["has_tools"]) == (1, False, True)
    assert (two["prompt_copy"], three["prompt_copy"], one["prompt_copy"]) == (2, 1, 1)
    assert (two["num_prompt_words"], two["num_answer_words"], two["num_tokens_estimate"]) == (3, 3, 6)
    assert (two["num_votes"], two["judge_score"], two["created_at"], two["terms_verdict"]) == (2, 0.5, "2026-01-02", "allowed")


def test_documents_and_unpaired_answers() -> None:
    section = Section(heading_path=(), kind="body", start=0, end=9)
    document = Document(
        key="docs/a.md",
        source="docs",
        title="",
        kind="markdown",
        text="Two words",
        sections=(section,),
        group="g",
        license="",
        output_terms="",
    )
    row = flatten_table("documents", to_arrow(Document, [document]), languages=["en"]).to_pylist()[0]
    assert (row["num_words"], row["num_chars"], row["num_sections"], row["title"], row["license"]) == (2, 9, 1, None, None)
    assert (row["text_copy"], row["language"], row["has_odd_id"]) == (1, "en", False)
    prompt = (Message(role="user", content="Hi"),)
    unpaired = UnpairedPreference(
        key="k/1", task="t", prompt=prompt, answer="No", is_desirable=False, group="g", provenance=PROVENANCE
    )
    row = flatten_table("unpaired_preferences", to_arrow(UnpairedPreference, [unpaired])).to_pylist()[0]
    assert (row["is_desirable"], row["answer"], row["num_turns"], row["judge_score"]) == (False, "No", 1, 0.5)
