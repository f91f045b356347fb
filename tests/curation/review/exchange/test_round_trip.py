"""What leaves in a shape comes back as it was, as far as the shape can carry it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from curation.database import Database
from curation.records import Message, Provenance, ReviewItem, SourceSpan, ToolCall
from curation.review import schema
from curation.review.config import ReviewConfig
from curation.review.exchange.export import export_items
from curation.review.exchange.import_items import import_items
from curation.review.exchange.incoming import content_key
from curation.review.exchange.reviewed import iter_reviewed
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow

CONFIG = ReviewConfig()
FILES = [
    ("tunewright", "items.jsonl"), ("tunewright", "items.json"), ("tunewright", "items.parquet"), ("flat", "items.csv"),
    ("flat", "items.jsonl"), ("argilla", "records.json"), ("argilla", "records.jsonl"), ("label_studio", "tasks.json"),
]  # fmt: skip
HEAD = {"tunewright": "import:", "flat": "import:", "argilla": "argilla:", "label_studio": "label_studio:"}

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
filled = st.one_of(
    words.filter(str.strip), st.sampled_from(["=1+1", "'=x", "\ta", 'a "b"\r\nc,;', "\0nul", "[1]", "a: b", '["x"]'])
)
spans = st.builds(SourceSpan, document_key=words, document_hash=words, start=st.integers(0, 99), end=st.integers(0, 99))
provenances = st.builds(
    Provenance,
    origin=st.sampled_from(["human", "synthetic"]),
    method=words,
    spans=st.lists(spans, max_size=2).map(tuple),
    teacher=words,
)
calls = st.builds(ToolCall, id=words, name=words, arguments=st.just('{"a":1}'))
messages = st.builds(
    Message,
    role=st.sampled_from(["system", "user", "assistant"]),
    content=filled,
    tool_calls=st.lists(calls, max_size=1).map(tuple),
)


@st.composite
def review_items(draw: Any) -> ReviewItem:
    kind = draw(st.sampled_from(["example", "pair", "task", "document"]))
    prompt = tuple(draw(st.lists(messages, min_size=1, max_size=3))) if kind != "document" else ()
    answer, alternative = draw(filled), draw(filled) if kind == "pair" else ""
    if kind == "pair":  # now and then a model says nothing
        answer, alternative = draw(st.sampled_from([(answer, alternative), ("", alternative), (answer, "")]))
    item = ReviewItem(
        key="", kind=kind, prompt=prompt, answer=answer, alternative=alternative, rubric_version=CONFIG.rubric_version,
        record_key="", record_hash=draw(words.filter(bool)), evidence=tuple(draw(st.lists(words, max_size=2))),
        task=draw(words.filter(bool)), provenance=draw(provenances),
    )  # fmt: skip
    return replace(item, key=content_key(item), record_key=f"row/{content_key(item)}")


def vote(queue: ReviewQueue, items: list[ReviewItem]) -> None:
    for number, item in enumerate(items):
        if item.kind == "pair":
            queue.submit(item.key, ["prefer_a", "tie"][number % 2], "Ada B\u00f6ll", reason="because")  # type: ignore[arg-type]
        elif number % 3 == 0:
            queue.submit(item.key, "edit", "bob@example.org", edited_answer=f"=better {number}")
        elif number % 3 == 1:
            queue.submit(item.key, "reject", "7", reason="wrong: =1+1")


def shown(queue: ReviewQueue, head: str) -> list[Any]:
    rows = iter_reviewed(queue.database, queue.recipe)
    names = ("decision", "reason", "edited_answer", "role")
    return [
        (
            row.item,
            row.state,
            [(head + v.reviewer.removeprefix(head), *(getattr(v, name) for name in names)) for v in row.votes],
        )
        for row in rows
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "name"), FILES)
@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(review_items(), min_size=1, max_size=6, unique_by=lambda item: item.key))
def test_what_leaves_comes_back(shape: Any, name: str, items: list[ReviewItem], tmp_path_factory: Any, one: Database) -> None:
    folder = tmp_path_factory.mktemp("trip")
    first, second = ReviewQueue(one, f"{folder.name}-1"), ReviewQueue(one, f"{folder.name}-2")
    if name.endswith(".csv"):
        assume("\0" not in "".join(i.answer + i.alternative + i.task + i.record_hash for i in items))  # no CSV file holds NUL
    first.sync_items(items, CONFIG)
    vote(first, items)
    num = export_items(first, folder / name, shape)
    report = import_items(second, folder / name)
    assert (report.num_added, report.refused) == (num, {})
    assert shown(second, HEAD[shape]) == shown(first, HEAD[shape])
    export_items(second, folder / f"again-{name}", shape)
    again = ReviewQueue(one, f"{folder.name}-3")
    import_items(again, folder / f"again-{name}")
    assert shown(again, HEAD[shape]) == shown(second, HEAD[shape])


@pytest.mark.parametrize(("shape", "name"), FILES)
def test_a_queue_comes_back(shape: Any, name: str, decided: ReviewQueue, tmp_path: Path) -> None:
    export_items(decided, tmp_path / name, shape)
    second = ReviewQueue(decided.database, "second")
    report = import_items(second, tmp_path / name)
    assert (report.num_added, report.num_votes, report.refused) == (9, 5, {})
    assert shown(second, HEAD[shape]) == shown(decided, HEAD[shape])
    again = import_items(second, tmp_path / name)
    assert (again.num_added, again.num_present, again.num_votes, again.num_votes_present) == (0, 9, 0, 5)


@pytest.fixture(scope="module")
def one(tmp_path_factory: Any) -> Any:
    database = Database.open(tmp_path_factory.mktemp("one") / "review.db", concern="review", migrations=schema.MIGRATIONS)
    yield database
    database.close()


@pytest.mark.parametrize(("shape", "name"), [("argilla", "a.jsonl"), ("label_studio", "l.json")])
def test_the_shapes_of_other_tools_are_the_same_text_again(shape: Any, name: str, decided: ReviewQueue, tmp_path: Path) -> None:
    export_items(decided, tmp_path / name, shape)
    second = ReviewQueue(decided.database, "second")
    import_items(second, tmp_path / name)
    export_items(second, tmp_path / f"again-{name}", shape)
    before, after = ((tmp_path / file).read_text() for file in (name, f"again-{name}"))
    assert "automatic:length" in before
    assert without_automatic(after) == without_automatic(before)


def without_automatic(text: str) -> list[Any]:
    """Automatic verdicts stay behind: they are given again by rule, and are nobody's to import."""
    rows = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return [{**row, "suggestions": {}, "predictions": []} for row in rows]
