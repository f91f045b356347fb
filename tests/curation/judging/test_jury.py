"""A judge that stops half-way loses nothing: what it said counts, the rest has failed, and the reason is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import TeacherRefusedError
from curation.home import Home
from curation.judging.judgements import CandidatePair
from curation.judging.jury import build_juror, opened_jury, stored_jury
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.ledger.request_ledger import RequestLedger
from tests.curation.judging.ruled_judge import PROMPT, RuledJudge, judge_config, prefer


def pairs(num: int) -> list[CandidatePair]:
    return [CandidatePair(key=f"p{at}", prompt=PROMPT, a="long " * (at + 1), b="no") for at in range(num)]


class DyingJudge(RuledJudge):
    """Refuses everything from the n-th request on."""

    def __init__(self, rule: Callable[[ChatRequest], Any], num_left: int) -> None:
        super().__init__(rule)
        self.num_left = num_left

    def complete(self, request: ChatRequest) -> ChatReply:
        if self.num_left == 0:
            raise TeacherRefusedError(endpoint="http://127.0.0.1:9/v1", request_id="9f", reason="401 no such key")
        self.num_left -= 1
        return super().complete(request)


def test_a_judge_that_dies_half_way_is_contained_named_and_taken_up_again(ledger: RequestLedger) -> None:
    dying = build_juror(judge_config(), DyingJudge(prefer(len), num_left=7), ledger)
    judgements, stopped = dying.compare(pairs(6))
    assert [item.status for item in judgements] == ["judged"] * 3 + ["failed"] * 3
    assert [item.winner for item in judgements[:3]] == ["a"] * 3
    assert "401 no such key" in stopped
    assert "never answered" in judgements[3].detail
    again, still_stopped = dying.compare(pairs(7))
    assert [item.status for item in again] == ["judged"] * 3 + ["failed"] * 4
    assert still_stopped == stopped

    healed = RuledJudge(prefer(len))
    judgements, stopped = build_juror(judge_config(), healed, ledger).compare(pairs(6))
    assert ([item.winner for item in judgements], stopped) == (["a"] * 6, "")
    assert len(healed.requests) == 5, "seven of twelve replies were paid for already"


def test_the_ledger_alone_says_what_a_judge_said(ledger: RequestLedger) -> None:
    model = RuledJudge(prefer(len))
    said = build_juror(judge_config(), model, ledger).compare(pairs(3)).judgements
    num_asked = len(model.requests)
    model.rule = lambda request: {"reason": "Changed.", "winner": "second"}
    again = build_juror(judge_config(), model, ledger).compare(pairs(3)).judgements
    assert (again, len(model.requests)) == (said, num_asked)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")


def test_an_endpoint_that_is_not_there_and_money_that_is_gone_are_named(home: Home) -> None:
    with opened_jury(home, [judge_config()], recipe="r", budget=BudgetConfig()) as (juror,):
        heard = juror.compare(pairs(2))
    assert [item.status for item in heard.judgements] == ["failed", "failed"]
    assert "127.0.0.1:9" in heard.stopped
    told: list[str] = []
    limit = BudgetConfig(max_tokens=1)
    with opened_jury(home, [judge_config()], recipe="r", budget=limit, on_progress=told.append) as (juror,):
        assert "budget" in juror.compare(pairs(2)).stopped.lower()
    assert told[0].startswith("judge j: 0/4 replies")
    assert "price" in told[-1], "what nobody knows is told"


def test_judges_that_are_only_read_are_never_asked(home: Home) -> None:
    with stored_jury(home, [judge_config()]) as (juror,):
        heard = juror.compare(pairs(2))
    assert (heard.stopped, [item.status for item in heard.judgements]) == ("", ["failed", "failed"])
    assert juror.report.num_calls == 0
