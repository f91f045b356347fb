"""A small valid recipe over files in a temporary folder; nothing in it is slow or needs a network."""

from pathlib import Path

from assets.recipe import Recipe
from curation.home import Home
from pipelines.recipe import load_recipe

TOY = """\
name: toy
owner: team:toys
sources:
  - {name: docs, kind: files, path: "PATH/*.md", shards: 4}
generate:
  grounded_qa: {questions_per_document: 1}
training:
  stages:
    - {method: sft, max_steps: 1}
"""


def write_toy(folder: Path, extra: str = "") -> Path:
    """Write the recipe (and `extra` below it) as FOLDER/toy.yaml."""
    path = folder / "toy.yaml"
    path.write_text(TOY.replace("PATH", str(folder / "docs")) + extra, encoding="utf-8")
    return path


def write_document(folder: Path, name: str, text: str) -> Path:
    """Write one source document."""
    path = folder / "docs" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def toy_recipe(folder: Path, extra: str = "") -> Recipe:
    """Load it."""
    return load_recipe(write_toy(folder, extra))


def toy_home(folder: Path) -> Home:
    """The home that TUNEWRIGHT_HOME=FOLDER/home names."""
    path = folder / "home"
    return Home(path=path, store_url=str(path / "store"), database_url="", review_url="http://127.0.0.1:3001")
