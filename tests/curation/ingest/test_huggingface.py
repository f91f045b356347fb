"""Hugging Face data sets from local folders; what would ask the hub is asked through a stand-in."""

import json
from pathlib import Path

import pytest

from curation.errors import SourceNotFoundError, SourceUnreadableError
from curation.ingest.config import SourceConfig
from curation.ingest.sources import list_shards, read_shard
from tests.curation.ingest.readers.samples import ROWS, json_lines, parquet

pytestmark = pytest.mark.slow
"""Importing the library takes seconds."""


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def source_of(folder: object, **fields: object) -> SourceConfig:
    return SourceConfig(**({"name": "set", "kind": "huggingface", "role": "demonstrations", "dataset": str(folder)} | fields))


def test_a_folder_of_data_files_is_streamed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_bytes(json_lines())
    (tmp_path / "data" / "test.jsonl").write_bytes(json_lines()[:300].rpartition(b"\n")[0])
    ingested = read_shard(source_of(tmp_path / "data"), "set-0of1")
    assert [example.key for example in ingested.examples][:2] == ["set/train#q0", "set/train#q1"]
    assert len(ingested.examples) == len(ROWS)
    assert 0 < len(read_shard(source_of(tmp_path / "data", split="test"), "set-0of1").examples) < 20
    assert ingested.reports[0].format == "huggingface"


def test_what_save_to_disk_wrote_is_read(tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_list(ROWS).save_to_disk(str(tmp_path / "saved"))
    datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS[:3])}).save_to_disk(str(tmp_path / "dict"))
    assert len(read_shard(source_of(tmp_path / "saved"), "set-0of1").examples) == 20
    assert len(read_shard(source_of(tmp_path / "dict"), "set-0of1").examples) == 3


def test_shards_share_out_the_rows(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.parquet").write_bytes(parquet())
    source = source_of(tmp_path / "data", shards=3)
    keys = [example.key for shard in list_shards(source) for example in read_shard(source, shard.key).examples]
    assert len(keys) == len(set(keys)) == 20


def test_the_fingerprint_follows_the_files(tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(json_lines())
    before = list_shards(source_of(tmp_path))
    assert list_shards(source_of(tmp_path)) == before
    (tmp_path / "train.jsonl").write_bytes(json_lines() + json.dumps(ROWS[0]).encode())
    assert list_shards(source_of(tmp_path)) != before


def test_the_fingerprint_of_a_named_set_is_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    import huggingface_hub

    asked = []
    monkeypatch.setattr(
        huggingface_hub.HfApi,
        "dataset_info",
        lambda _, name, revision: asked.append((name, revision)) or SimpleNamespace(sha="a" * 40),
    )
    assert list_shards(source_of("me/faq")) == list_shards(source_of("me/faq"))
    assert asked == [("me/faq", None)] * 2
    list_shards(source_of("me/faq", revision="b" * 40))
    assert len(asked) == 2


def test_sets_that_are_not_there_are_the_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    (tmp_path / "train.jsonl").write_bytes(json_lines())
    for source in (source_of(tmp_path, split="nope"), source_of(tmp_path / "nothing-here")):
        with pytest.raises((SourceNotFoundError, SourceUnreadableError)):
            read_shard(source, "set-0of1")

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    with pytest.raises(SourceUnreadableError, match="no route"):
        list_shards(source_of("me/faq"))


def test_a_damaged_file_ends_in_a_rejection(tmp_path: Path) -> None:
    (tmp_path / "train-0.jsonl").write_bytes(json_lines())
    (tmp_path / "train-1.jsonl").write_bytes(b"{oops\n" * 20)
    ingested = read_shard(source_of(tmp_path), "set-0of1")
    assert len(ingested.examples) == 20
    assert [rejection.reason for rejection in ingested.rejections] == ["damaged_file"]
