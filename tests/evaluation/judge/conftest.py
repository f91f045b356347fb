"""A jury that follows rules, asked through a real session and ledger."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.chat_model import ChatRequest
from curation.database import Database
from curation.judging.jury import Juror, build_juror
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from tests.curation.judging.ruled_judge import RuledJudge
from tests.evaluation.judge.tea_answers import named_judge


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated ledger to copy, which is quicker than to migrate one a test."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    Database.open(path, concern="ledger", migrations=MIGRATIONS).close()
    return path


@pytest.fixture
def ledger(tmp_path: Path, empty_ledger: Path) -> Iterator[RequestLedger]:
    shutil.copy(empty_ledger, tmp_path / "ledger.db")
    with RequestLedger(Database.open(tmp_path / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as opened:
        yield opened


class NamedJudge(RuledJudge):
    """A judge that follows a rule, told apart from others by its name."""

    def __init__(self, rule: Callable[[ChatRequest], Any], name: str) -> None:
        super().__init__(rule)
        self.model = name


@pytest.fixture
def juror(ledger: RequestLedger) -> Callable[..., tuple[Juror, RuledJudge]]:
    """Return what makes a judge that follows a rule."""

    def build(rule: Callable[[ChatRequest], Any], name: str = "j", **fields: Any) -> tuple[Juror, RuledJudge]:
        model = NamedJudge(rule, name)
        return build_juror(named_judge(name, **fields), model, ledger), model

    return build
