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
    ],
)
def test_impossible_combinations_are_refused(fields: dict, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SourceConfig(**{"name": "source", **fields})
    assert caught.value.fields["path"] == path


def test_plain_sources_are_accepted() -> None:
    assert SourceConfig(name="api", kind="python_package", package="polars.selectors").shards == 1
    assert SourceConfig(name="docs", kind="files", path="docs/**/*.md").role == "documents"
