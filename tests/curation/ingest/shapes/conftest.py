"""How the tests of the shapes read rows: as a file of its own, all rows in the head."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from curation.ingest.config import SourceConfig
from curation.ingest.row_records import Unusable
from curation.ingest.rows import Row
from curation.ingest.shapes.config import ColumnsConfig, ShapeConfig
from curation.ingest.shapes.shaper import Shaped, ShapeProblem, Shaper, open_shaper

Read = Callable[..., list[Shaped | Unusable]]


def _source(shape: dict[str, Any], fields: dict[str, Any]) -> SourceConfig:
    columns = ColumnsConfig(**shape.pop("columns", {}))
    return SourceConfig(
        **{
            "name": "src",
            "kind": "files",
            "path": "x.jsonl",
            "role": "demonstrations",
            "shape": ShapeConfig(columns=columns, **shape),
            **fields,
        }
    )


@pytest.fixture(scope="session")
def open_rows() -> Callable[..., Shaper | ShapeProblem]:
    def opened(values: Sequence[dict[str, Any]], shape: dict[str, Any] | None = None, **fields: Any) -> Shaper | ShapeProblem:
        return open_shaper(_source(dict(shape or {}), fields), "x.jsonl", [Row(n, row) for n, row in enumerate(values, 1)])

    return opened


@pytest.fixture(scope="session")
def read(open_rows: Callable[..., Any]) -> Read:
    def converted(values: Sequence[dict[str, Any]], shape: dict[str, Any] | None = None, **fields: Any) -> Any:
        shaper = open_rows(values, shape, **fields)
        assert not isinstance(shaper, ShapeProblem), shaper
        return [shaper.convert(f"src/x.jsonl#{n}", Row(n, row)) for n, row in enumerate(values, 1)]

    return converted
