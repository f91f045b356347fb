"""Impossible sources are refused with the field and the value."""

import pytest

from curation.errors import ConfigError
from curation.ingest.config import SourceConfig


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "python_package"}, "package"),
        ({"kind": "python_package", "package": "not a name"}, "package"),
        ({"kind": "python_package", "package": "polars", "role": "demonstrations"}, "role"),
        ({"kind": "python_package", "package": "polars", "path": "x.md"}, "path"),
        ({"kind": "files"}, "path"),
        ({"kind": "files", "path": "  "}, "path"),
        ({"kind": "files", "path": "x.md", "package": "polars"}, "package"),
        ({"kind": "files", "path": "x.md", "shards": 0}, "shards"),
        ({"kind": "files", "path": "x.md", "shards": 5000}, "shards"),
        ({"kind": "files", "path": "x.csv", "role": "demonstrations", "text_columns": ("a",)}, "text_columns"),
        ({"kind": "files", "path": "x.csv", "role": "demonstrations", "answer_column": ""}, "question_column"),
        ({"kind": "files", "path": "x.csv", "name": "Not a slug"}, "name"),
        ({"kind": "files", "path": "x.csv", "name": "a/b"}, "name"),
        ({"kind": "files", "path": "x.csv", "encoding": "latin-nope"}, "encoding"),
        ({"kind": "files", "path": "x.csv", "encoding": "hex"}, "encoding"),
        ({"kind": "files", "path": "x", "format": "parquet", "encoding": "utf-8"}, "encoding"),
        ({"kind": "files", "path": "x", "format": "csv", "record_path": "a"}, "record_path"),
        ({"kind": "files", "path": "x", "record_path": "a//b"}, "record_path"),
        ({"kind": "files", "path": "x", "delimiter": ";;"}, "delimiter"),
        ({"kind": "files", "path": "x", "delimiter": '"'}, "delimiter"),
        ({"kind": "files", "path": "x", "format": "tsv", "delimiter": ";"}, "delimiter"),
        ({"kind": "files", "path": "x", "format": "pdf", "role": "demonstrations"}, "format"),
        ({"kind": "files", "path": "x", "date_column": "day"}, "date_column"),
        ({"kind": "files", "path": "x", "license_url": "not a url"}, "license_url"),
        ({"kind": "files", "path": "x", "query": "SELECT 1"}, "query"),
        ({"kind": "files", "path": "x", "dataset": "a/b"}, "dataset"),
        ({"kind": "files", "path": "x", "split": "test"}, "split"),
        ({"kind": "python_package", "package": "polars", "format": "csv"}, "format"),
        ({"kind": "python_package", "package": "polars", "origin": "synthetic"}, "origin"),
        ({"kind": "sql", "query": "SELECT 1"}, "url"),
        ({"kind": "sql", "query": "SELECT 1", "url": "sqlite:///x", "url_env": "X"}, "url"),
        ({"kind": "sql", "query": "SELECT 1", "url": "x.db"}, "url"),
        ({"kind": "sql", "query": "SELECT 1", "url": "mysql://a:b@c/d"}, "url"),
        ({"kind": "sql", "query": "SELECT 1", "url": "mysql://c/d?password=b"}, "url"),
        ({"kind": "sql", "query": "SELECT 1", "url_env": "not a name"}, "url_env"),
        ({"kind": "sql", "query": "SELECT 1", "url_env": "X", "password_env": "Y"}, "password_env"),
        ({"kind": "sql", "url": "sqlite:///x"}, "query"),
        ({"kind": "sql", "url": "sqlite:///x", "query": "DROP TABLE x"}, "query"),
        ({"kind": "sql", "url": "sqlite:///x", "query": "SELECT 1; SELECT 2"}, "query"),
        ({"kind": "sql", "url": "sqlite:///x", "query": "SELECT 1", "path": "x"}, "path"),
        ({"kind": "huggingface"}, "dataset"),
        ({"kind": "huggingface", "dataset": "a/b", "split": " "}, "split"),
        ({"kind": "huggingface", "dataset": "a/b", "url": "sqlite:///x"}, "url"),
    ],
)
def test_impossible_combinations_are_refused(fields: dict, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SourceConfig(**{"name": "source", **fields})
    assert caught.value.fields["path"] == path


def test_plain_sources_are_accepted() -> None:
    assert SourceConfig(name="api", kind="python_package", package="polars.selectors").shards == 1
    assert SourceConfig(name="docs", kind="files", path="docs/**/*.md").role == "documents"
    assert SourceConfig(name="crm", kind="sql", url_env="CRM", query="  with x as (select 1) select * from x;").url == ""
    assert (
        SourceConfig(name="crm", kind="sql", url="postgresql://me@db/crm", password_env="PW", query="SELECT 1").split == "train"
    )
    assert SourceConfig(name="set", kind="huggingface", dataset="a/b", config="main", split="test").revision == ""
    assert (
        SourceConfig(name="old", kind="files", path="x", encoding="shift_jis", format="csv", delimiter=";").encoding
        == "shift_jis"
    )
