"""SQL sources: streamed, read-only, no password anywhere; the fingerprint sees what it says it sees."""

import sqlite3
from pathlib import Path

import pytest

from curation.errors import ConfigError, SourceNotFoundError, SourceUnreadableError
from curation.ingest import sql
from curation.ingest.config import SourceConfig
from curation.ingest.sources import list_shards, read_shard
from tests.curation.ingest.readers.samples import database


def source_of(path: Path, **fields: object) -> SourceConfig:
    known = {"name": "crm", "kind": "sql", "role": "demonstrations", "url": f"sqlite:///{path}", "query": "SELECT * FROM faq"}
    return SourceConfig(**(known | fields))


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_rows_become_examples_with_date_and_key(tmp_path: Path) -> None:
    database(tmp_path / "crm.db")
    ingested = read_shard(source_of(tmp_path / "crm.db", date_column="written", origin="synthetic"), "crm-0of1")
    assert len(ingested.examples) == 20
    first = next(example for example in ingested.examples if example.key == "crm/query#q0")
    assert (first.prompt[0].content, first.provenance.origin) == ("What is 0?", "synthetic")
    assert first.provenance.created_at.startswith("2026-01-01")
    assert (ingested.reports[0].format, ingested.reports[0].rows) == ("sql", 20)


def test_shards_share_out_the_rows_and_only_a_changed_one_changes(tmp_path: Path) -> None:
    database(tmp_path / "crm.db")
    source = source_of(tmp_path / "crm.db", shards=3)
    before = {shard.key: shard.fingerprint for shard in list_shards(source)}
    keys = [example.key for key in before for example in read_shard(source, key).examples]
    assert len(keys) == len(set(keys)) == 20
    change(tmp_path / "crm.db", "UPDATE faq SET answer = 'new' WHERE id = 'q7'")
    after = {shard.key: shard.fingerprint for shard in list_shards(source)}
    assert sum(before[key] != after[key] for key in before) == 1


def test_long_results_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "HASHED_ROWS", 5)
    database(tmp_path / "crm.db")
    source = source_of(tmp_path / "crm.db", date_column="written")
    before = list_shards(source)
    assert list_shards(source) == before
    change(tmp_path / "crm.db", "UPDATE faq SET written = '2027-01-01' WHERE id = 'q19'")
    dated = list_shards(source)
    change(tmp_path / "crm.db", "DELETE FROM faq WHERE id = 'q18'")
    assert len({before, dated, list_shards(source)}) == 3


def test_rows_without_a_key_are_named_by_their_content(tmp_path: Path) -> None:
    database(tmp_path / "crm.db")
    query = "SELECT question, answer FROM faq ORDER BY id"
    forwards = read_shard(source_of(tmp_path / "crm.db", query=query), "crm-0of1").examples
    backwards = read_shard(source_of(tmp_path / "crm.db", query=f"{query} DESC"), "crm-0of1").examples
    assert {example.key for example in forwards} == {example.key for example in backwards}
    assert len({example.key for example in forwards}) == 20


def test_nothing_can_be_written(tmp_path: Path) -> None:
    database(tmp_path / "crm.db")
    for query in ("DELETE FROM faq", "SELECT 1; DROP TABLE faq", "PRAGMA writable_schema = 1", "  update faq set id = 1"):
        with pytest.raises(ConfigError, match="query"):
            source_of(tmp_path / "crm.db", query=query)
    sneaky = source_of(tmp_path / "crm.db", query="WITH x AS (SELECT 1) DELETE FROM faq")
    with pytest.raises(SourceUnreadableError, match="readonly"):
        read_shard(sneaky, "crm-0of1")
    assert len(read_shard(source_of(tmp_path / "crm.db"), "crm-0of1").examples) == 20


def test_columns_named_twice_and_colons_in_the_query(tmp_path: Path) -> None:
    database(tmp_path / "crm.db")
    doubled = source_of(tmp_path / "crm.db", query="SELECT id, question AS q, answer AS q FROM faq")
    with pytest.raises(Exception, match="crm"):
        read_shard(doubled, "crm-0of1")
    colon = source_of(tmp_path / "crm.db", query="SELECT id, question, 'a:b \\:c' AS answer FROM faq")
    assert read_shard(colon, "crm-0of1").examples[0].answer == "a:b \\:c"


def test_missing_databases_are_not_made_and_errors_are_the_users(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"none\.db"):
        list_shards(source_of(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "text.db").write_text("this is no database, " * 100)
    with pytest.raises(SourceUnreadableError):
        list_shards(source_of(tmp_path / "text.db"))
    database(tmp_path / "crm.db")
    with pytest.raises(SourceUnreadableError, match="no such table"):
        list_shards(source_of(tmp_path / "crm.db", query="SELECT * FROM nowhere"))


def test_passwords_come_from_the_environment_and_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database(tmp_path / "crm.db")
    with pytest.raises(ConfigError) as refused:
        source_of(tmp_path, url="postgresql://me:hunter2@db/crm")
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("CRM_URL", f"sqlite:///{tmp_path}/crm.db")
    assert len(read_shard(source_of(tmp_path, url="", url_env="CRM_URL"), "crm-0of1").examples) == 20
    monkeypatch.delenv("CRM_URL")
    with pytest.raises(SourceUnreadableError, match="CRM_URL is not set"):
        list_shards(source_of(tmp_path, url="", url_env="CRM_URL"))
    monkeypatch.setenv("CRM_PASSWORD", "hunter2")
    for url in ("nosuchdriver://me@db/crm", "sqlite+nosuch://me@db/crm"):
        with pytest.raises((SourceUnreadableError, SourceNotFoundError)) as failed:
            list_shards(source_of(tmp_path, url=url, password_env="CRM_PASSWORD"))
        assert "hunter2" not in str(failed.value)
