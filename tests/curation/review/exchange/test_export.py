"""What leaves: one moment, cells that no spreadsheet calculates, rows to train on that follow the gate's semantics."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.records import Document, Example, PreferencePair
from curation.review.config import ReviewConfig
from curation.review.documents import DocumentReview, build_document_items
from curation.review.errors import ReviewFileError
from curation.review.exchange.export import export_items, export_training
from curation.review.exchange.reviewed import iter_reviewed
from curation.review.exchange.training_rows import iter_training_rows, kto_labels
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

pytestmark = pytest.mark.slow


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_cells_are_no_formulas(decided: ReviewQueue, tmp_path: Path) -> None:
    export_items(decided, tmp_path / "a.csv", "flat")
    with (tmp_path / "a.csv").open(newline="") as file:
        cells = [row["edited_answer"] for row in csv.DictReader(file) if row["decision"] == "edit"]
    assert cells == ["'=better"]


def test_edits_and_lineage_leave_with_the_item(decided: ReviewQueue, tmp_path: Path) -> None:
    export_items(decided, tmp_path / "a.jsonl")
    rows = {str(row["decision"]): row for row in read(tmp_path / "a.jsonl")}
    assert rows["edit"]["answer"] == "=better"
    assert rows["edit"]["item"]["answer"].startswith("answer ")  # type: ignore[index]
    assert rows["edit"]["item"]["provenance"]["teacher"] == "extractive"  # type: ignore[index]
    assert (rows["reject"]["answer"], rows["approve"]["answer"] != "") == ("", True)
    assert len(read(tmp_path / "a.jsonl")) == 9


def test_a_state_is_chosen_and_withdrawn_items_are_left_out(decided: ReviewQueue, tmp_path: Path) -> None:
    assert export_items(decided, tmp_path / "a.jsonl", state="decided") == 5
    keep = [entry.item for entry in decided.list_items()][:2]
    decided.sync_items(keep, ReviewConfig())
    assert export_items(decided, tmp_path / "a.jsonl") == 2
    assert export_items(decided, tmp_path / "a.jsonl", with_withdrawn=True) == 9


def test_pages_follow_each_other(decided: ReviewQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(iter_reviewed(decided.database, "demo"))
    for size in (20, 40, 60):
        monkeypatch.setattr("curation.review.exchange.reviewed.PAGE", size)
        assert list(iter_reviewed(decided.database, "demo")) == whole
        assert list(iter_reviewed(decided.database, "demo", consistent=True)) == whole


def test_an_export_that_fails_leaves_the_older_file(
    decided: ReviewQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("old")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("curation.review.exchange.export.STEP", 1)
    with pytest.raises(KeyboardInterrupt):
        export_items(decided, path, progress=stop)
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".db" and "review.db" not in file.name] == ["a.jsonl"]
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("name", "shape"), [("a.csv", "argilla"), ("a.parquet", "flat"), ("a.xml", "flat"), ("a", "tunewright")]
)
def test_a_shape_that_does_not_fit_is_refused(name: str, shape: str, decided: ReviewQueue, tmp_path: Path) -> None:
    with pytest.raises(ReviewFileError):
        export_items(decided, tmp_path / name, shape)  # type: ignore[arg-type]


def test_training_rows_follow_the_verdicts(decided: ReviewQueue, tmp_path: Path) -> None:
    assert [export_training(decided, tmp_path / f"{shape}.jsonl", shape) for shape in ("sft", "dpo", "kto")] == [2, 2, 2]
    sft = [row["messages"][-1]["content"] for row in read(tmp_path / "sft.jsonl")]  # type: ignore[index]
    assert "=better" in sft
    edited = [row for row in read(tmp_path / "dpo.jsonl") if row["chosen"][0]["content"] == "=better"]  # type: ignore[index]
    assert edited[0]["rejected"][0]["content"].startswith("answer ")  # type: ignore[index]
    assert sorted(row["label"] for row in read(tmp_path / "kto.jsonl")) == [False, True]  # type: ignore[type-var]
    assert set(read(tmp_path / "kto.jsonl")[0]) >= {"prompt", "completion", "label", "key", "parents"}


def test_a_pair_goes_with_its_rejected_parent(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    examples = [make_example(number, f"answer {number}") for number in range(2)]
    items = build_items(examples, [make_pair(example) for example in examples], lambda span: "", ReviewConfig())
    queue.sync_items(items, ReviewConfig())
    for item in items:
        is_first = item.record_key.startswith("api/f0")
        queue.submit(item.key, "prefer_a" if item.kind == "pair" else "reject" if is_first else "approve", "Ada")
    for size in (1, 200):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("curation.review.exchange.training_rows.PART", size)
            assert [row.key for row in iter_training_rows(queue, "dpo")] == [make_pair(examples[1]).key]
            assert [row.key for row in iter_training_rows(queue, "sft")] == [examples[1].key]


def test_labels_come_from_approval_and_rejection_alone(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    config = ReviewConfig()
    examples = [make_example(number, f"answer {number}") for number in range(4)]
    queue.sync_items(build_items(examples, [], lambda span: "", config), config)
    by_key = {entry.item.record_key: entry.item.key for entry in queue.list_items()}
    for example, decision in zip(examples, ("approve", "reject", "edit"), strict=False):
        edited = "better" if decision == "edit" else ""
        queue.submit(by_key[example.key], decision, "Ada", edited_answer=edited)  # type: ignore[arg-type]
    labels = kto_labels(examples, verdicts=queue.current_verdicts(), config=config)
    assert [(label.provenance.parents, label.is_desirable) for label in labels] == [
        ((examples[0].key,), True), ((examples[1].key,), False),
    ]  # fmt: skip


@pytest.mark.parametrize(("said", "num"), [("approve", 1), ("reject", 0), ("edit", 0), ("", 0)])
def test_nothing_is_trained_on_that_rests_on_a_document_which_was_not_approved(
    queue: ReviewQueue, make_example: Callable[..., Example], said: str, num: int
) -> None:
    config, example = ReviewConfig(documents="all"), make_example(1)
    mixed, of_mixed = (
        replace(
            row,
            key=f"api#{name}/0",
            provenance=replace(row.provenance, spans=(), parents=parents),  # made of several rows, so it cites nothing itself
        )
        for name, row, parents in (
            ("mixed", make_example(3), (make_example(2).key, example.key)),
            ("of_mixed", make_example(4), ("api#mixed/0", make_example(2).key)),
        )
    )
    document = Document(
        key=example.provenance.spans[0].document_key,
        source="api",
        title="1",
        kind="text",
        text="Ada lives in London.",
        sections=(),
        group="f1",
        license="",
        output_terms="",
    )
    kept, rejected = make_example(2), make_example(1, "another answer")
    items = build_items([example, kept, rejected, mixed, of_mixed], [], lambda _: "", config)
    (item,) = build_document_items(DocumentReview(documents=[document]), config)
    queue.sync_items([*items, item], config)
    for each in items:
        is_bad = each.answer == "another answer"
        queue.submit(each.key, "reject" if is_bad else "approve", "Ada", reason="wrong" if is_bad else "")
    if said:
        text = "Somebody lives in London." if said == "edit" else ""
        queue.submit(item.key, said, "Ada", reason="private", edited_answer=text)  # type: ignore[arg-type]
    for made in (example, mixed, of_mixed):
        assert len([row for row in iter_training_rows(queue, "sft") if row.key == made.key]) == num
    assert len([row for row in iter_training_rows(queue, "kto") if "f1#" in row.key]) == 2 * num
    assert [row.key for row in iter_training_rows(queue, "sft") if "f2#" in row.key] == [kept.key]
