"""Every recipe that the guide shows under "Training" can be loaded."""

import re
from pathlib import Path

import pytest
import yaml

from pipelines.recipe import load_recipe

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
TRAINING = GUIDE.partition("\n## Training\n")[2].partition("\n## ")[0]
SNIPPETS = re.findall(r"```yaml\n(.*?)```", TRAINING, re.DOTALL)
REST = {
    "name": "guide",
    "sources": [
        {"name": "docs", "kind": "files", "path": "docs/*.md"},
        {"name": "questions", "kind": "files", "role": "demonstrations", "path": "questions.jsonl"},
    ],
    "generate": {"routing": {"routes": {"a": ["a*"], "b": ["b*"]}}},
}


def combine(snippet: str) -> dict[str, object]:
    given = yaml.safe_load(snippet)
    return {**REST, **given, "generate": {**REST["generate"], **given.get("generate", {})}}


def test_the_guide_shows_recipes() -> None:
    assert len(SNIPPETS) >= 4


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: " ".join(re.findall(r"method: (\w+)", text)))
def test_a_recipe_of_the_guide_loads(tmp_path: Path, snippet: str) -> None:
    path = tmp_path / "guide.yaml"
    path.write_text(yaml.safe_dump(combine(snippet)))
    assert load_recipe(path).training.stages
