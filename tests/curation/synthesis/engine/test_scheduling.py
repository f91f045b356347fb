"""Scheduling: awaited models, outages, refusals for going too fast, budgets, shared limits."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import BudgetExhaustedError
from curation.synthesis.engine.attempt import Attempt
from curation.synthesis.engine.complete import Progress, report_calls
from curation.synthesis.engine.endpoint_limits import control_of
from curation.synthesis.engine.patience import Patience
from curation.synthesis.engine.progress import format_seconds
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.engine.test_complete import EchoTeacher, busy, run, texts_of

NUM_TOGETHER = 8


class AsyncEcho(EchoTeacher):
    """Answers on the event loop; `act` may raise before, and every reply takes 20 ms, or waits until some are in flight."""

    async def complete_async(self, request: ChatRequest, attempt: Attempt) -> ChatReply:
        text = request.messages[-1].content
        self.asked.append(text)
        self.num_in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.num_in_flight)
        self.timeouts.append(attempt.timeout_seconds)
        try:
            await (self._meet() if self.meets else asyncio.sleep(0.02))
            if self.act is not None:
                self.act(text, self.asked.count(text))
        finally:
            self.num_in_flight -= 1
        return ChatReply(text=text, prompt_tokens=2, completion_tokens=1, cost_usd=0.5)

    def __init__(self, act: Any = None, **fields: Any) -> None:
        super().__init__(act)
        self.endpoint = f"echo-{id(self)}"  # type: ignore[assignment]
        self.timeouts: list[float | None] = []
        self.meets = False
        """Whether replies wait until NUM_TOGETHER requests were in flight at one time, however slow the machine."""
        vars(self).update(fields)

    async def _meet(self) -> None:
        async with asyncio.timeout(60):
            while self.most_in_flight < NUM_TOGETHER:
                await asyncio.sleep(0.001)


@pytest.mark.slow
def test_a_model_that_can_be_awaited_needs_no_thread_each(ledger: RequestLedger) -> None:
    teacher = AsyncEcho(meets=True)
    before = threading.active_count()
    assert texts_of(run(range(300), teacher, ledger, concurrency=100)) == [str(number) for number in range(300)]
    assert NUM_TOGETHER <= teacher.most_in_flight <= 100
    assert threading.active_count() <= before + 3


def test_a_failed_request_waits_without_a_place(ledger: RequestLedger) -> None:
    def act(text: str, attempt: int) -> None:
        if text == "0" and attempt == 1:
            raise busy()

    teacher = EchoTeacher(act)
    run(range(10), teacher, ledger, concurrency=1, backoff_seconds=0.3)
    assert teacher.asked.index("0", 1) > 1


def test_an_outage_uses_up_the_attempts_of_few(ledger: RequestLedger) -> None:
    def act(*_: object) -> None:
        if len(teacher.asked) < 12:
            raise busy()

    teacher = AsyncEcho(act)
    done = run(range(60), teacher, ledger, concurrency=4, max_attempts=4, backoff_seconds=0.01)
    assert texts_of(done).count(None) <= 3
    assert len({text for text in teacher.asked[:11]}) <= 10


@pytest.mark.slow
def test_being_told_to_go_slower_is_no_failed_attempt_while_others_get_through(ledger: RequestLedger) -> None:
    def act(text: str, attempt: int) -> None:
        if attempt == 1 and int(text) % 5 == 0:
            raise busy(status=429)

    done = run(range(20), AsyncEcho(act), ledger, max_attempts=1, backoff_seconds=0.5)
    assert texts_of(done) == [str(number) for number in range(20)]


@pytest.mark.slow
def test_a_request_that_alone_is_refused_for_ever_fails_alone(ledger: RequestLedger) -> None:
    def act(text: str, _: int) -> None:
        if text == "3":
            raise busy(status=429)

    done = run(range(30), AsyncEcho(act), ledger, max_attempts=2)
    assert [item.request_id for item in done if item.reply is None] == [done[3].request_id]


def test_a_timeout_gives_the_next_attempt_more_time(ledger: RequestLedger) -> None:
    def act(_: str, attempt: int) -> None:
        if attempt < 3:
            raise busy(is_timeout=True, is_silent=True)

    teacher = AsyncEcho(act, timeout_seconds=10.0, max_timeout_seconds=30.0)
    run(["a"], teacher, ledger)
    assert teacher.timeouts == [10.0, 20.0, 30.0]


class Purse:
    """A budget of so many requests."""

    def __init__(self, num: int) -> None:
        self.num_left, self.num_open, self.num_settled, self.num_released = num, 0, 0, 0

    def reserve(self, _: ChatRequest) -> object:
        if self.num_left == 0:
            raise BudgetExhaustedError(recipe="r", spent="1", limit="1", in_flight="0", needed="1")
        self.num_left, self.num_open = self.num_left - 1, self.num_open + 1
        return object()

    def settle(self, *_: object) -> None:
        self.num_open, self.num_settled = self.num_open - 1, self.num_settled + 1

    def release(self, _: object) -> None:
        self.num_open, self.num_left, self.num_released = self.num_open - 1, self.num_left + 1, self.num_released + 1


def test_a_budget_that_is_used_up_stops_cleanly(ledger: RequestLedger) -> None:
    purse, teacher = Purse(7), AsyncEcho()
    done = run(range(20), teacher, ledger, budget=purse)
    assert len(teacher.asked) == ledger.totals().num_calls == purse.num_settled == 7
    assert purse.num_open == 0
    stopped = [item for item in done if item.is_stopped]
    assert len(stopped) == 13
    assert all(item.reply is None and item.error.startswith("budget") for item in stopped)
    assert (report_calls(done).num_stopped, report_calls(done).num_failed) == (13, 0)
    assert texts_of(run(range(20), AsyncEcho(), ledger, budget=Purse(20))).count(None) == 0


def test_what_a_failed_request_had_set_aside_is_given_back(ledger: RequestLedger) -> None:
    def act(text: str, _: int) -> None:
        if text in ("0", "1"):
            raise busy()

    purse = Purse(5)
    done = run(range(7), AsyncEcho(act), ledger, budget=purse, concurrency=2)
    assert (purse.num_released, purse.num_settled, purse.num_open) == (2, 5, 0)
    assert not any(item.is_stopped for item in done)


def test_teachers_at_one_endpoint_share_one_control() -> None:
    first, second, other = (OpenAIChatModel(TeacherConfig(kind="openai", model=name)) for name in ("m", "m", "n"))
    assert control_of(first) is control_of(second) is control_of(first)
    assert control_of(other) is not control_of(first)


def test_progress_tells_tokens_and_the_time_left() -> None:
    fields = {"num_done": 5, "num_total": 9, "num_cached": 1, "num_failed": 1, "calls_per_second": 2.0, "cost_usd": 0.5}
    shown = Progress(**fields, prompt_tokens=1000, completion_tokens=234, seconds_left=185.0)  # type: ignore[arg-type]
    assert str(shown) == "5/9 replies, 1 from the ledger, 2.0 calls/s, 1,234 tokens, 3 min left, 1 failed, $0.50"
    assert [format_seconds(seconds) for seconds in (3, 59.4, 3600, 7500)] == ["3 s", "59 s", "1 h 0 min", "2 h 5 min"]


def test_patience_grows_with_slow_replies_up_to_a_ceiling() -> None:
    patience = Patience(seconds=10.0, longest=100.0)
    assert patience.limit(0) == 10.0
    for _ in range(64):
        patience.record(8.0)
    assert patience.limit(0) == pytest.approx(24.0)
    assert patience.limit(9) == 100.0


def test_processes_share_an_endpoint_through_a_file(ledger: RequestLedger, tmp_path: Path) -> None:
    run(range(5), AsyncEcho(), ledger, shared_limits_path=tmp_path / "limits.db")
    assert (tmp_path / "limits.db").exists()
    assert ledger.totals().num_calls == 5
