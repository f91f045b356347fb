"""Documents and the items of evaluation tasks: what gives one away is no document, and a changed file is another input."""

import json
from pathlib import Path

import dagster as dg
import pytest

from assets.ingest import _ingest_asset
from assets.recipe import Recipe
from curation.home import Home
from curation.records import Document, Rejection
from pipelines.recipe import load_recipe
from tests.pipelines.toy_recipe import toy_home, write_document, write_toy

QUESTION = "Which of the seven lanterns on the northern pier was lit by the widow of the clockmaster in winter?"
OTHER = "How many berths are kept free for boats that come from further north than the second buoy of the sound?"
PROSE = (
    "The harbour office keeps a list of berths, and every boat that comes in gets the next free one. Whoever stays longer than "
    "a week pays by the month. Ropes and fenders are lent for a small sum, and have to be back before the evening tide. In a "
    "storm the gate is closed, so that no swell reaches the small boats at the inner quay. The crane is booked a day ahead."
)
SHARD = "docs-0of1"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    write_document(tmp_path, "leak.md", f"# Quiz\n\n{QUESTION} It was the fourth one, as everybody knows.\n\n{PROSE}\n")
    write_document(tmp_path, "fine.md", f"# Berths\n\n{PROSE}\n")
    ask(tmp_path, QUESTION)
    path = write_toy(tmp_path, f"evaluation: {{tasks: [{{name: main}}, {{name: quiz, data: {tmp_path}/quiz.jsonl}}]}}\n")
    path.write_text(path.read_text().replace("shards: 4", "shards: 1"))
    return load_recipe(path)


def ask(folder: Path, question: str) -> None:
    (folder / "quiz.jsonl").write_text(json.dumps({"question": question, "answer": "the fourth", "id": "1"}) + "\n")


def take_in(recipe: Recipe, home: Home) -> tuple[set[str], list[Rejection]]:
    """Materialize `documents`; return the keys of those kept, and what was rejected."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("toy_shards", [SHARD])
        assert dg.materialize(
            [_ingest_asset(recipe, "documents")], partition_key=SHARD, instance=instance, resources={"home": home}
        ).success
    store = home.store()
    tables = store.snapshot("toy/documents", SHARD).tables
    kept = {row.key for row in store.read_table(Document, tables["documents"].root)}
    return kept, list(store.read_table(Rejection, tables["rejections"].root))


def test_a_document_that_gives_an_item_of_a_task_away_is_dropped_until_the_task_asks_something_else(
    recipe: Recipe, tmp_path: Path
) -> None:
    home = toy_home(tmp_path)
    kept, (rejection,) = take_in(recipe, home)
    assert kept == {"docs/fine.md"}
    assert (rejection.reason, rejection.other_key) == ("contaminated", "quiz/1")
    ask(tmp_path, OTHER)
    assert take_in(recipe, home) == ({"docs/fine.md", "docs/leak.md"}, [])
