"""Builders that the review tests share."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curation.database import Database
from curation.records import Example, Message, PreferencePair, Provenance, SourceSpan
from curation.review import schema
from curation.review.queue import ReviewQueue
from curation.review.web.markdown import render


@pytest.fixture(autouse=True)
def _time_to_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause of the garbage collector, or a slow machine, makes no Markdown plain text."""
    monkeypatch.setattr(render, "__kwdefaults__", {"max_seconds": 60.0})


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty review database: Alembic takes longer than most tests."""
    file = tmp_path_factory.mktemp("review") / "empty.db"
    Database.open(file, concern="review", migrations=schema.MIGRATIONS).close()
    return file


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    shutil.copy(migrated_file, tmp_path / "review.db")
    opened = Database.open(tmp_path / "review.db", concern="review", migrations=schema.MIGRATIONS)
    yield opened
    opened.close()


@pytest.fixture
def queue(database: Database) -> ReviewQueue:
    return ReviewQueue(database, "demo")


@pytest.fixture
def make_example() -> Callable[..., Example]:
    def make(
        number: int = 0, answer: str = '{"part":"strings"}', *, question: str = "", method: str = "routing", depth: int = 1
    ) -> Example:
        return Example(
            key=f"api/f{number}#{method}/0",
            task=method,
            group=f"f{number}",
            split="train",
            messages=(
                Message(role="user", content=question or f"Where is function {number}?"),
                Message(role="assistant", content=answer),
            ),
            provenance=Provenance(
                origin="synthetic" if depth else "human",
                method=method,
                spans=(SourceSpan(document_key=f"api/f{number}", document_hash="ab" * 16, start=0, end=4),) if depth else (),
                teacher="extractive" if depth else "",
                generation_depth=depth,
            ),
        )

    return make


@pytest.fixture
def make_pair() -> Callable[..., PreferencePair]:
    def make(example: Example, rejected: str = '{"part":"dates"}') -> PreferencePair:
        return PreferencePair(
            key=f"{example.key}/wrong_route/0",
            task=example.task,
            prompt=example.prompt,
            chosen=example.answer,
            rejected=rejected,
            rejected_kind="wrong_route",
            group=example.group,
            split="train",
            provenance=Provenance(
                origin="synthetic",
                method="wrong_route",
                spans=example.provenance.spans,
                generation_depth=example.provenance.generation_depth + 1,
                parents=(example.key,),
            ),
        )

    return make
