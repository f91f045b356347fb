"""A project in a temporary folder: toy recipe, two documents, its home, its graph and a Dagster instance of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from assets.ingest import list_source_shards
from assets.recipe import Recipe
from curation.home import Home
from curation.ingest.sources import SourceShard
from pipelines.compose import build_definitions
from tests.pipelines.toy_recipe import toy_home, toy_recipe, write_document


@dataclass(frozen=True)
class Toy:
    """What the tests of sensors and staleness work with."""

    folder: Path
    recipe: Recipe
    home: Home
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    def shards(self) -> tuple[SourceShard, ...]:
        return list_source_shards(self.recipe)

    def write(self, name: str, text: str) -> Path:
        return write_document(self.folder, name, text)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    home = toy_home(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(home.path))
    for name in ("one.md", "two.md", "three.md", "four.md"):
        write_document(tmp_path, name, f"# {name}\n\nText of {name}.\n")
    recipe = toy_recipe(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Toy(tmp_path, recipe, home, build_definitions([recipe]), instance)
