"""The hand-off: whole, hashed, replaced at once, and refused where the terms do not allow it."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.data_card.card import DataCard
from curation.data_card.export import export_dataset
from curation.data_card.shapes import Row, line_of
from curation.errors import DatasetExportError, TermsRefusedError
from curation.terms.config import TermsConfig
from tests.curation.data_card.conftest import make_example, make_tool_example

LICENSES = {"api": "MIT", "news": "CC-BY-ND-4.0", "bare": ""}


def export(rows: list[Row], folder: Path, licenses: dict[str, str] = LICENSES) -> DataCard:
    return export_dataset(rows, folder, DataCard(name="demo"), terms=TermsConfig(), licenses=licenses).card


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_an_export_is_whole(rows: list[Row], tmp_path: Path) -> None:
    card = export(rows, tmp_path / "deep" / "out")
    written = content_of(tmp_path / "deep" / "out")
    names = [f"{kind}-{split}" for kind, split in (("examples", "train"), ("examples", "eval"), ("preference", "train"))]
    tables = {f"data/{name}.parquet" for name in (*names, "unpaired-train")}
    lines = {f"jsonl/{name}.jsonl" for name in (*names, "unpaired-train")}
    assert set(written) == {"README.md", "croissant.json", "index.html", *tables, *lines}
    for file in card.files:
        assert hashlib.sha256(written[file.path]).hexdigest() == file.sha256
        assert len(written[file.path]) == file.num_bytes
    parsed = [json.loads(line) for line in written["jsonl/examples-train.jsonl"].splitlines()]
    assert parsed == [line_of(rows[0]), line_of(rows[2])]
    table = pq.read_table(tmp_path / "deep" / "out" / "data" / "preference-train.parquet")
    assert table.column("key").to_pylist() == ["api/1/pair"]
    assert table.column("terms_verdict").to_pylist() == ["allowed"]
    assert card.rows == 5
    assert card.terms.passed
    assert [(item.name, item.license, item.rows) for item in card.sources] == [("api", "MIT", 5)]
    assert len(card.version) == 32


def test_the_same_rows_give_the_same_files(rows: list[Row], tmp_path: Path) -> None:
    export(rows, tmp_path / "one")
    export(rows, tmp_path / "two")
    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


def test_an_earlier_export_is_replaced_as_a_whole(rows: list[Row], tmp_path: Path) -> None:
    export(rows, tmp_path / "out")
    export(rows[:1], tmp_path / "out")
    assert sorted(content_of(tmp_path / "out")) == sorted(
        ["README.md", "croissant.json", "index.html", "data/examples-train.parquet", "jsonl/examples-train.jsonl"]
    )
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize(("key", "license"), [("news/7", "CC-BY-ND-4.0"), ("bare/1", ""), ("api/2", "Apache-2.0")])
def test_rows_that_may_not_be_handed_on_stop_the_export(key: str, license: str, tmp_path: Path) -> None:
    rows = [make_example("api/1"), make_example(key, license=license)]
    with pytest.raises(TermsRefusedError, match=f"First: {key}"):
        export(rows, tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_a_declared_action_does_not_soften_the_refusal(tmp_path: Path) -> None:
    rows = [make_example("news/1", license="CC-BY-ND-4.0")]
    for action in ("drop", "warn"):
        config = TermsConfig(action=action)  # type: ignore[arg-type]
        with pytest.raises(TermsRefusedError):
            export_dataset(rows, tmp_path / "out", DataCard(name="demo"), terms=config, licenses=LICENSES)


def test_terms_of_parents_that_are_not_exported_count(tmp_path: Path) -> None:
    parent = make_example("news/1", license="CC-BY-ND-4.0")
    row = make_example("api/1", parents=("news/1",))
    with pytest.raises(TermsRefusedError, match="api/1"):
        export_dataset([row], tmp_path / "x", DataCard(name="d"), terms=TermsConfig(), licenses=LICENSES, ancestors=[parent])


@pytest.mark.parametrize(
    "row",
    [
        make_example("api/bad", answer="half \ud800 pair"),
        replace(make_tool_example("api/bad"), tools="not json"),
        replace(make_tool_example("api/bad"), tools="[" * 100_000),
        replace(make_example("api/bad"), task="\udc00"),
    ],
)
def test_a_row_that_no_file_can_hold_is_named_and_the_old_export_stays(row: Row, tmp_path: Path) -> None:
    export([make_example("api/1")], tmp_path / "out")
    before = content_of(tmp_path / "out")
    with pytest.raises(DatasetExportError):
        export([make_example("api/1"), row], tmp_path / "out")
    assert content_of(tmp_path / "out") == before
    assert os.listdir(tmp_path) == ["out"]


def test_the_row_with_half_a_pair_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetExportError, match="row 'api/bad'"):
        export([make_example("api/1"), make_example("api/bad", answer="\ud800")], tmp_path / "out")


def test_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(DatasetExportError, match="no rows"):
        export([], tmp_path / "out")


def test_a_place_that_cannot_be_written_is_told(rows: list[Row], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetExportError, match="file"):
        export(rows, tmp_path / "file" / "out")


@pytest.mark.slow
def test_the_datasets_library_loads_it(rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    export(rows, tmp_path / "out")
    examples = datasets.load_dataset(str(tmp_path / "out"), "examples", cache_dir=str(tmp_path / "cache"))
    assert {name: len(found) for name, found in examples.items()} == {"train": 2, "eval": 1}
    assert examples["train"][0]["messages"][1]["content"] == "Use head()."
    assert examples["train"][1]["messages"][1]["tool_calls"][1]["function"]["arguments"] == '{"name":"tail"}'
    unpaired = datasets.load_dataset(str(tmp_path / "out"), "unpaired", split="train", cache_dir=str(tmp_path / "cache"))
    assert unpaired[0]["label"] is False


def test_what_the_card_says_already_is_kept(rows: list[Row], full_card: DataCard, tmp_path: Path) -> None:
    card = replace(full_card, rows=len(rows))
    written = export_dataset(rows, tmp_path / "out", card, terms=TermsConfig(), licenses=LICENSES).card
    assert (written.sources, written.version, written.slices) == (card.sources, card.version, card.slices)
    assert written.files != card.files
