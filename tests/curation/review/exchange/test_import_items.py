"""Hostile files: what cannot be taken is counted and named, the rest gets in, and nobody votes in another's name."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from curation.review.config import ReviewConfig
from curation.review.errors import ReviewFileError
from curation.review.exchange import import_items as module
from curation.review.exchange.import_items import STEP, import_items
from curation.review.exchange.incoming import Reading
from curation.review.exchange.shapes import read_incoming
from curation.review.exchange.typed_rows import WrongRowError
from curation.review.queue import ReviewQueue
from curation.review.search.find import find_all
from curation.review.search.query import parse_query

pytestmark = pytest.mark.slow

READING = Reading(rubric_version=ReviewConfig().rubric_version)
GOOD = {"id": "1", "prompt": "Why?", "answer": "So."}


def write(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines))
    return path


def test_bad_rows_are_named_and_the_rest_gets_in(queue: ReviewQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMITS", module.Limits(row_bytes=10_000))
    bad: list[tuple[Any, str]] = [
        (b"{oops", "invalid_json"),
        (b'{"prompt": "\xff", "answer": "a"}', "not_utf8"),
        (b'{"prompt": "\\ud800", "answer": "a"}', "lone_surrogate"),
        (b'{"prompt": "a", "prompt": "b", "answer": "a"}', "duplicate_column"),
        (b'{"x": ' + b"[" * 3_000 + b"]" * 3_000 + b"}", "invalid_json"),
        (b"[1]", "not_an_object"),
        ({"prompt": "x" * 20_000, "answer": "a"}, "row_too_large"),
        ({"prompt": "Why?"}, "missing_value"),
        ({"answer": "So."}, "missing_value"),
        ({"prompt": "Why?", "answer": "So.", "kind": "king"}, "wrong_value"),
        ({"messages": [{"role": "king", "content": "a"}], "answer": "a"}, "wrong_value"),
        ({"messages": "[", "answer": "a"}, "wrong_value"),
        ({"prompt": "Why?", "answer": "So.", "evidence": [1]}, "wrong_value"),
        ({"prompt": "Why?", "answer": "So.", "provenance": {"origin": 5}}, "wrong_value"),
        ({"prompt": "Why?", "answer": "So.", "votes": 5}, "wrong_value"),
        ({"prompt": "Why?", "answer": "So.", "votes": [{"reviewer": "", "decision": "approve"}]}, "wrong_reviewer"),
        ({"prompt": "Why?", "answer": "So.", "votes": [{"reviewer": "a", "decision": "dance"}]}, "unknown_label"),
        ({"id": "1", "prompt": "Other?", "answer": "So."}, "duplicate_id"),
        ({"fields": {"prompt": "a", "answer": "b"}, "responses": 5}, "wrong_value"),
        ({"data": {"prompt": "a", "answer": "b"}, "annotations": [5]}, "wrong_vote"),
        ({"item": {"kind": "example"}}, "missing_value"),
    ]
    path = write(tmp_path / "rows.jsonl", GOOD, *(line for line, _ in bad), {**GOOD, "id": "2", "prompt": "And?"})
    report = import_items(queue, path)
    assert (report.num_rows, report.num_added, report.num_refused) == (len(bad) + 2, 2, len(bad))
    rejects = [json.loads(line) for line in path.with_name("rows.jsonl.rejects.jsonl").read_text().splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [(n, why) for n, (_, why) in enumerate(bad, start=2)]
    assert queue.counts().num_items == 2


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.tsv", "a.arrow"])
@pytest.mark.parametrize(
    "content", [b"", b"\0" * 50, b"[", b"[[[[", b"\x89PNG\r\n", b'"', b"a,b\n" + b'"x' * 99, b"PAR1" + b"\xff" * 40 + b"PAR1"]
)
def test_no_file_stops_it(name: str, content: bytes, queue: ReviewQueue, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert import_items(queue, tmp_path / name).num_added == 0


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)
names = [
    *("prompt", "answer", "alternative", "messages", "votes", "provenance", "evidence", "kind", "item", "fields", "data"),
    *("responses", "annotations", "metadata", "verdicts", "priority", "record_key", "task", "rubric_version", "record_hash"),
]


@settings(max_examples=30, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(names), values))
def test_any_row_is_read_or_refused(row: dict[str, Any]) -> None:
    for shaped in (row, {**GOOD, **row}, {"fields": {**GOOD, **row}, **row}, {"data": {**GOOD, **row}, "annotations": [row]}):
        try:
            incoming = read_incoming(shaped, READING)
        except WrongRowError:
            continue
        assert all(isinstance(text, str) for text in (incoming.item.answer, incoming.item.task, incoming.item.record_key))


def test_nobody_votes_in_the_name_of_somebody_here(queue: ReviewQueue, tmp_path: Path) -> None:
    said = [{"reviewer": name, "decision": "approve"} for name in ("Ada", "automatic:length")]
    for number, vote in enumerate(said):
        import_items(queue, write(tmp_path / f"{number}.jsonl", {"prompt": f"Why {number}?", "answer": "So.", "votes": [vote]}))
    verdicts = queue.verdicts_after(0)
    assert [(verdict.reviewer, verdict.reviewer_kind) for verdict in verdicts] == [
        ("import:Ada", "human"), ("import:automatic:length", "human"),
    ]  # fmt: skip


def test_votes_of_argilla_and_label_studio_are_taken_as_theirs(queue: ReviewQueue, tmp_path: Path) -> None:
    record = {
        "id": "r1",
        "fields": {"instruction": "Why?", "response": "So."},
        "responses": {"quality": [{"value": "Looks fine", "user_id": "u-1"}, {"value": "no", "user_id": "u-2"}]},
    }
    task = {
        "data": {"question": "And?", "answer": "Well."},
        "annotations": [
            {"completed_by": 7, "result": [{"from_name": "quality", "type": "choices", "value": {"choices": ["edit"]}},
                                           {"from_name": "edited_answer", "type": "textarea", "value": {"text": ["Better."]}}]},
            {"completed_by": {"email": "a@b.c"}, "was_cancelled": True, "result": []},
        ],
    }  # fmt: skip
    reading = Reading(rubric_version=READING.rubric_version, question="quality", meanings={"Looks fine": "approve"})
    report = import_items(queue, write(tmp_path / "a.jsonl", record, task), config=ReviewConfig(overlap=2), reading=reading)
    assert (report.num_added, report.num_votes, report.refused) == (2, 3, {})
    said = [(verdict.reviewer, verdict.decision, verdict.edited_answer) for verdict in queue.verdicts_after(0)]
    assert said == [("argilla:u-1", "approve", ""), ("argilla:u-2", "reject", ""), ("label_studio:7", "edit", "Better.")]
    assert queue.counts().num_disputed == 1
    again = import_items(queue, tmp_path / "a.jsonl", config=ReviewConfig(overlap=2), reading=reading)
    assert (again.num_added, again.num_votes, again.num_votes_present) == (0, 0, 3)


def test_a_vote_that_is_refused_costs_itself_only(queue: ReviewQueue, tmp_path: Path) -> None:
    votes = [{"reviewer": name, "decision": "approve"} for name in ("Ada", "Bob", "Cy")]
    rows = [{**GOOD, "id": str(n), "prompt": f"Why {n}?", "votes": votes if n == 3 else votes[:1]} for n in range(7)]
    report = import_items(queue, write(tmp_path / "a.jsonl", *rows))
    assert (report.num_votes, report.num_votes_refused, report.refused) == (7, 2, {"vote_refused": 2})
    assert queue.verify_chain()


def test_votes_alone_find_the_items_that_are_here(queue: ReviewQueue, tmp_path: Path) -> None:
    import_items(queue, write(tmp_path / "items.jsonl", GOOD))
    vote = [{"reviewer": "Ada", "decision": "approve"}]
    path = write(tmp_path / "votes.jsonl", {**GOOD, "votes": vote}, {**GOOD, "id": "2", "prompt": "New?", "votes": vote})
    report = import_items(queue, path, with_items=False)
    assert (report.num_votes, report.num_votes_refused, queue.counts().num_items) == (1, 1, 1)


def test_training_files_become_pairs_and_chats(queue: ReviewQueue, tmp_path: Path) -> None:
    turn = [{"role": "assistant", "content": "A"}]
    rows = [
        {"prompt": [{"role": "user", "content": "Why?"}], "chosen": turn, "rejected": [{"role": "assistant", "content": "B"}]},
        {"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]},
    ]
    pq.write_table(
        pa.Table.from_pylist([{"question": "Who?", "completion": "He.", "context": "Passage"}]), tmp_path / "a.parquet"
    )
    import_items(queue, write(tmp_path / "a.jsonl", *rows))
    import_items(queue, tmp_path / "a.parquet")
    items = [entry.item for entry in queue.list_items()]
    assert sorted((item.kind, item.answer, item.alternative, item.evidence) for item in items) == [
        ("example", "He.", "", ("Passage",)), ("example", "So.", "", ()), ("pair", "A", "B", ()),
    ]  # fmt: skip


def test_one_answer_of_a_pair_may_be_empty_but_not_missing(queue: ReviewQueue, tmp_path: Path) -> None:
    rows = [
        {"kind": "pair", "prompt": "P1", "response_a": "", "response_b": "B", "votes": [{"reviewer": "Ada", "decision": "b"}]},
        {"kind": "pair", "prompt": "P2", "response_a": "A", "response_b": ""},
        {"kind": "pair", "prompt": "P3", "response_a": "", "response_b": " "},
        {"kind": "pair", "prompt": "P4", "response_a": "A"},
        {"prompt": "P5", "answer": ""},
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    report = import_items(queue, file)
    assert {(entry.item.answer, entry.item.alternative) for entry in queue.list_items()} == {("", "B"), ("A", "")}
    assert (report.num_added, report.num_votes, report.refused) == (2, 1, {"missing_value": 2, "wrong_value": 1})


def test_what_is_there_stays(queue: ReviewQueue, items: Any, tmp_path: Path) -> None:
    queue.sync_items(items, ReviewConfig(lease_minutes=30, overlap=2))
    import_items(queue, write(tmp_path / "a.jsonl", GOOD))
    assert queue.counts().num_items == len(items) + 1
    assert (queue.settings().overlap, queue.settings().lease_seconds) == (2, 1800.0)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "picture.png", "."])
def test_what_is_no_file_of_rows_is_named(name: str, queue: ReviewQueue, tmp_path: Path) -> None:
    with pytest.raises(ReviewFileError):
        import_items(queue, tmp_path / name)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_progress_says_how_far_it_is(suffix: str, queue: ReviewQueue, tmp_path: Path) -> None:
    rows = [{"id": f"r{number}", "prompt": f"Why {number}?", "answer": "So. " * 50} for number in range(2 * STEP)]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "csv":
        lines = [",".join(row.values()) for row in rows]
        path.write_text("\n".join(["id,prompt,answer", *lines]) + "\n")
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if suffix == "jsonl" else json.dumps(rows))
    told: list[tuple[int, float]] = []
    assert import_items(queue, path, progress=lambda num, share: told.append((num, share))).num_added == 2 * STEP
    assert sum(num for num, _ in told) == 2 * STEP
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert 0.3 < shares[0] <= shares[-1] <= 1.0


def test_an_import_that_was_stopped_goes_on(queue: ReviewQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART", 100)
    monkeypatch.setattr(module, "STEP", 50)
    path = write(tmp_path / "rows.jsonl", *({"id": f"r{n}", "prompt": f"Why {n}?", "answer": "So."} for n in range(400)))
    num_read = 0

    def stop(num: int, _: float) -> None:
        nonlocal num_read
        num_read += num
        if num_read == 250:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_items(queue, path, progress=stop)
    assert queue.counts().num_items == 200, "what was stored stays, whole parts only"
    again = import_items(queue, path)
    assert (again.num_added, again.num_present) == (200, 200)
    assert queue.counts().num_items == 400
    with queue.database.read() as connection:
        assert len(find_all(connection, "demo", parse_query("why"), limit=1_000)) == 400
