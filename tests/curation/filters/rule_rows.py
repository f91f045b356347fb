"""Rows for the tests of the rules."""

from curation.records import Document, Example, Message, PreferencePair, Provenance, Role, ToolCall, UnpairedPreference

PROVENANCE = Provenance(origin="human", method="demonstration")


def example(
    question: str, answer: str, *, system: str = "", tools: str = "", calls: tuple[ToolCall, ...] = (), key: str = "faq/1"
) -> Example:
    turns: list[tuple[Role, str]] = [("system", system)] if system else []
    messages = tuple(Message(role=role, content=text) for role, text in [*turns, ("user", question)])
    last = Message(role="assistant", content=answer, tool_calls=calls)
    return Example(key=key, task="qa", messages=(*messages, last), tools=tools, group="g", provenance=PROVENANCE)


def pair(question: str, chosen: str, rejected: str) -> PreferencePair:
    prompt = (Message(role="user", content=question),)
    return PreferencePair(
        key="p/1",
        task="qa",
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        rejected_kind="bad",
        group="g",
        provenance=PROVENANCE,
    )


def unpaired(question: str, answer: str, is_desirable: bool) -> UnpairedPreference:
    prompt = (Message(role="user", content=question),)
    return UnpairedPreference(
        key="k/1", task="qa", prompt=prompt, answer=answer, is_desirable=is_desirable, group="g", provenance=PROVENANCE
    )


def document(text: str, key: str = "docs/a.md") -> Document:
    return Document(
        key=key,
        source="docs",
        title="A",
        kind="markdown",
        text=text,
        sections=(),
        group="g",
        license="MIT",
        output_terms="",
    )
