"""Fixtures of the tests of judging."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.chat_model import ChatRequest
from curation.database import Database
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from tests.curation.judging.ruled_judge import TEACHER, RuledJudge


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[RequestLedger]:
    with RequestLedger(Database.open(tmp_path / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as opened:
        yield opened


@pytest.fixture
def ask_by(ledger: RequestLedger) -> Callable[[Callable[[ChatRequest], Any]], tuple[Session, RuledJudge]]:
    """Return what opens a session with a judge that follows a rule."""

    def build(rule: Callable[[ChatRequest], Any]) -> tuple[Session, RuledJudge]:
        model = RuledJudge(rule)
        return Session([SessionTeacher(config=TEACHER, model=model)], ledger), model

    return build
