"""The engine: order, ledger first, retries, clean stops."""

import threading
import time
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel
from curation.errors import (
    DatabaseError,
    RequestRefusedError,
    TeacherBusyError,
    TeacherRefusedError,
    TeacherUnreachableError,
)
from curation.records import Message
from curation.synthesis.engine.complete import CallReport, Completion, Progress, complete_all, report_calls
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.fault_server import answer, chat, fault_server, hang, refuse


class EchoTeacher:
    """Answers with the question; `act` may raise or wait before."""

    provider = endpoint = model = revision = "echo"
    is_model = True

    def __init__(self, act: Any = None) -> None:
        self.act = act
        self.asked: list[str] = []
        self.num_in_flight = self.most_in_flight = 0
        self.lock = threading.Lock()

    def complete(self, request: ChatRequest) -> ChatReply:
        text = request.messages[-1].content
        with self.lock:
            self.asked.append(text)
            self.num_in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.num_in_flight)
        try:
            if self.act is not None:
                self.act(text, self.asked.count(text))
            return ChatReply(text=text, prompt_tokens=2, completion_tokens=1, cost_usd=0.5)
        finally:
            with self.lock:
                self.num_in_flight -= 1


def requests(*texts: object) -> list[ChatRequest]:
    return [ChatRequest(messages=(Message(role="user", content=str(text)),)) for text in texts]


def busy(**fields: Any) -> TeacherBusyError:
    return TeacherBusyError(endpoint="e", reason="busy", **fields)


def run(texts: Any, teacher: Any, ledger: RequestLedger, **settings: Any) -> list[Completion]:
    settings = {"concurrency": 4, "max_attempts": 3, "backoff_seconds": 0.001} | settings
    return complete_all(requests(*texts), teacher, ledger, **settings)


def texts_of(completions: list[Completion]) -> list[str | None]:
    return [item.reply.text if item.reply else None for item in completions]


def test_replies_come_in_the_order_of_the_requests(ledger: RequestLedger) -> None:
    teacher = EchoTeacher(lambda text, _: time.sleep(0.001 * (int(text) % 5)))
    assert texts_of(run(range(40), teacher, ledger)) == [str(number) for number in range(40)]


def test_what_is_in_the_ledger_is_not_asked_again(ledger: RequestLedger) -> None:
    run(range(10), EchoTeacher(), ledger)
    teacher = EchoTeacher()
    done = run(range(12), teacher, ledger)
    assert sorted(teacher.asked) == ["10", "11"]
    expected = CallReport(num_calls=2, num_cached=10, num_failed=0, prompt_tokens=4, completion_tokens=2, cost_usd=1.0)
    assert report_calls(done) == expected


def test_the_same_request_twice_is_paid_once(ledger: RequestLedger) -> None:
    teacher = EchoTeacher()
    done = run(["a", "b", "a"], teacher, ledger)
    assert texts_of(done) == ["a", "b", "a"]
    assert report_calls(done).num_calls == len(teacher.asked) == 2


def test_no_requests(ledger: RequestLedger) -> None:
    assert run([], EchoTeacher(), ledger) == []
    assert report_calls([]) == CallReport()


def test_no_more_in_flight_than_allowed(ledger: RequestLedger) -> None:
    together = threading.Barrier(3)
    teacher = EchoTeacher(lambda *_: together.wait(timeout=60))
    run(range(30), teacher, ledger, concurrency=3)
    assert teacher.most_in_flight == 3


def test_a_busy_teacher_is_asked_again(ledger: RequestLedger) -> None:
    def act(_: str, attempt: int) -> None:
        if attempt < 3:
            raise busy()

    teacher = EchoTeacher(act)
    assert texts_of(run(["a"], teacher, ledger)) == ["a"]
    assert len(teacher.asked) == 3


def test_a_request_that_keeps_failing_fails_alone_and_is_not_stored(ledger: RequestLedger) -> None:
    def act(text: str, _: int) -> None:
        if text == "bad":
            raise busy()

    done = run(["a", "bad", "b"], EchoTeacher(act), ledger)
    assert texts_of(done) == ["a", None, "b"]
    assert done[1].error == "busy"
    assert report_calls(done).num_failed == 1
    assert ledger.totals().num_calls == 2
    assert texts_of(run(["bad"], EchoTeacher(), ledger)) == ["bad"]


def test_a_refused_request_is_not_tried_again(ledger: RequestLedger) -> None:
    def act(text: str, _: int) -> None:
        if text == "bad":
            raise RequestRefusedError(endpoint="e", reason="too long")

    teacher = EchoTeacher(act)
    done = run(["a", "bad"], teacher, ledger)
    assert done[1].error == "too long"
    assert teacher.asked.count("bad") == 1


def test_a_refusal_stops_the_batch_and_keeps_what_was_paid(ledger: RequestLedger) -> None:
    is_refused = threading.Event()

    def act(text: str, _: int) -> None:
        if text == "20":
            is_refused.set()
            raise TeacherRefusedError(endpoint="e", request_id="r", reason="no credit")
        if int(text) > 20:  # asked beside it; no machine is so slow that the other 478 are asked before the refusal is heard
            is_refused.wait(timeout=60)
            time.sleep(0.1)

    teacher = EchoTeacher(act)
    with pytest.raises(TeacherRefusedError, match="no credit"):
        run(range(500), teacher, ledger, concurrency=2)
    assert len(teacher.asked) < 500
    assert ledger.totals().num_calls == len(teacher.asked) - 1
    again = EchoTeacher()
    run(range(500), again, ledger)
    assert len(again.asked) == 500 - (len(teacher.asked) - 1)


def test_an_interruption_keeps_what_was_paid(ledger: RequestLedger) -> None:
    is_interrupted = threading.Event()

    def interrupt(progress: Progress) -> None:
        if progress.num_done:
            is_interrupted.set()
            raise KeyboardInterrupt

    def act(text: str, _: int) -> None:
        if int(text) > 20:
            is_interrupted.wait(timeout=60)
            time.sleep(0.1)

    teacher = EchoTeacher(act)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.synthesis.engine.complete.PROGRESS_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            run(range(300), teacher, ledger, on_progress=interrupt)
    assert 0 < len(teacher.asked) < 300
    assert ledger.totals().num_calls == len(teacher.asked)


def test_an_endpoint_that_never_answers_is_unreachable(ledger: RequestLedger) -> None:
    def act(*_: object) -> None:
        raise busy(has_contact=False)

    teacher = EchoTeacher(act)
    with pytest.raises(TeacherUnreachableError, match="busy"):
        run(range(100), teacher, ledger, concurrency=1)
    assert len(teacher.asked) == 3


def test_an_endpoint_that_goes_away_is_given_up_soon(ledger: RequestLedger) -> None:
    def act(text: str, _: int) -> None:
        if int(text) >= 5:
            raise busy(has_contact=False)

    teacher = EchoTeacher(act)
    with pytest.raises(TeacherUnreachableError):
        run(range(100), teacher, ledger, concurrency=1)
    assert ledger.totals().num_calls == 5
    assert len(teacher.asked) < 20


def test_a_single_lost_connection_rejects_one_request_only(ledger: RequestLedger) -> None:
    def act(text: str, _: int) -> None:
        if text == "5":
            raise busy(has_contact=False)

    assert texts_of(run(range(10), EchoTeacher(act), ledger, concurrency=1)).count(None) == 1


def test_retry_after_holds_for_all_threads(ledger: RequestLedger) -> None:
    moments: list[float] = []

    def act(text: str, attempt: int) -> None:
        moments.append(time.monotonic())
        if text == "0" and attempt == 1:
            raise busy(retry_after=0.2)
        time.sleep(0.005)

    run(range(20), EchoTeacher(act), ledger, concurrency=2)
    gaps = [later - earlier for earlier, later in zip(sorted(moments), sorted(moments)[1:], strict=False)]
    assert max(gaps) > 0.15


def test_an_endless_retry_after_fails_the_request_at_once(ledger: RequestLedger) -> None:
    def act(*_: object) -> None:
        raise busy(retry_after=1e6)

    started = time.monotonic()
    assert texts_of(run(["a"], EchoTeacher(act), ledger)) == [None]
    assert time.monotonic() - started < 60


def test_a_ledger_that_cannot_write_stops_the_batch(ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DatabaseError(concern="ledger", url="x", reason="disk full")

    monkeypatch.setattr(ledger._database, "write", fail)
    teacher = EchoTeacher()
    with pytest.raises(DatabaseError, match="disk full"):
        run(range(200), teacher, ledger, concurrency=1)
    assert len(teacher.asked) < 200


def test_a_bug_in_a_teacher_is_not_swallowed(ledger: RequestLedger) -> None:
    with pytest.raises(ZeroDivisionError):
        run(["a"], ReplayChatModel([ZeroDivisionError("bug")]), ledger)


def test_progress_is_shown_at_the_end_with_the_cost(ledger: RequestLedger) -> None:
    run(["a"], EchoTeacher(), ledger)
    shown: list[Progress] = []
    run(["a", "b", "c"], EchoTeacher(), ledger, on_progress=shown.append)
    last = shown[-1]
    assert (last.num_done, last.num_total, last.num_cached, last.num_failed, last.cost_usd) == (3, 3, 1, 0, 1.0)
    assert str(last).startswith("3/3 replies, 1 from the ledger, ")
    assert str(last).endswith("$1.00")


def test_reports_add_up() -> None:
    one = CallReport(num_calls=1, num_cached=2, num_failed=3, prompt_tokens=4, completion_tokens=5, cost_usd=0.5)
    assert one + one == CallReport(num_calls=2, num_cached=4, num_failed=6, prompt_tokens=8, completion_tokens=10, cost_usd=1.0)


@pytest.mark.parametrize(
    "fault",
    [
        refuse(429, "slow down", retry_after="0.05"),
        refuse(500, "oops"),
        answer(200, b"<html>", content_type="text/html"),
        answer(200, b""),
        answer(200, b'{"choices": [{"mess'),
        hang,
    ],
    ids=["429", "500", "html", "empty", "cut", "hang"],
)
def test_over_http_a_fault_is_survived_and_only_the_reply_is_stored(ledger: RequestLedger, fault: Any) -> None:
    with fault_server([fault, chat("fine")]) as server:
        seconds = 0.5 if fault is hang else 60.0
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url, timeout_seconds=seconds))
        done = run(["a"], teacher, ledger, max_attempts=8)
        teacher.close()
    assert texts_of(done) == ["fine"]
    assert len(server.requests) == 2 or (fault is hang and len(server.requests) > 2)  # a busy machine may be late again
    assert [call.reply for call in ledger.iter_calls() if "fine" not in call.reply] == []


def test_over_http_retry_after_is_obeyed(ledger: RequestLedger) -> None:
    with fault_server([refuse(429, "slow down", retry_after="0.3"), chat("fine")]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url))
        run(["a"], teacher, ledger)
        teacher.close()
    assert server.requests[1].at - server.requests[0].at >= 0.3


def test_over_http_nobody_there(ledger: RequestLedger) -> None:
    teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1"))
    with pytest.raises(TeacherUnreachableError, match=r"http://127.0.0.1:9/v1"):
        run(range(5), teacher, ledger)
    teacher.close()


def test_an_extractive_teacher_asked_nonsense_fails_that_request(ledger: RequestLedger) -> None:
    done = run(["hello"], ExtractiveTeacher(), ledger)
    assert done[0].reply is None
    assert "no rules for this prompt" in done[0].error
