"""A session that asks in batches gets what it would get live, within its budget; the rest is asked live."""

import dataclasses
import json
from typing import Any

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel
from curation.errors import BudgetExhaustedError
from curation.synthesis.asking import Ask, Session, SessionTeacher
from curation.synthesis.batch import BatchBackend, BatchConfig, BatchStore, poll_batches, submit_batch
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.prompts.template import STRING, Template, object_schema, render
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.batch.batch_server import BatchServer
from tests.curation.synthesis.batch.conftest import Clock
from tests.curation.synthesis.fault_server import hang_up

TITLE = Template(template_id="title-1", system="", text="Name {what}.", schema=object_schema({"title": STRING}))


class Live(ReplayChatModel):
    """Counts what is asked live, under the name of the teacher of the batches."""

    def __init__(self, teacher: TeacherConfig, replies: list[str]) -> None:
        super().__init__(replies, provider="openai", endpoint=teacher.endpoint, model=teacher.model, revision=teacher.revision)


class Purse:
    """A budget of so many requests."""

    def __init__(self, allowed: int) -> None:
        self.allowed = allowed
        self.held: set[int] = set()
        self.settled: list[ChatReply] = []

    def reserve(self, request: ChatRequest) -> int:
        if len(self.held) + len(self.settled) >= self.allowed:
            raise BudgetExhaustedError(recipe="r", spent=0, limit=0, in_flight=0, needed=0)
        self.held.add(id(request))
        return id(request)

    def settle(self, reservation: Any, reply: ChatReply) -> None:
        self.held.remove(reservation)
        self.settled.append(reply)

    def release(self, reservation: Any) -> None:
        self.held.remove(reservation)


def backend(teacher: TeacherConfig, store: BatchStore, clock: Clock, server: BatchServer, **finish: Any) -> BatchBackend:
    """Return a backend whose sleep lets time go by and ends the batches that run."""

    def sleep(seconds: float) -> None:
        clock.now += seconds
        for name, batch in server.batches.items():
            if batch["status"] == "validating":
                server.finish(batch_id=name, **finish)

    return BatchBackend([teacher, TeacherConfig()], store, BatchConfig(), recipe="demo", run_id="run-1", sleep=sleep)


def test_replies_come_from_a_batch_at_its_price(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    purse, lines = Purse(100), list[str]()
    asked = backend(teacher, store, clock, server)
    plan = {"concurrency": 2, "max_attempts": 1, "on_progress": lambda progress: lines.append(str(progress))}
    done = asked.complete(requests, Live(teacher, []), ledger, budget=purse, **plan)
    assert "0/10 replies, 0 from the ledger, 0.0 calls/s, 10 wait in batches" in lines[0]
    assert [item.reply.text for item in done if item.reply] == [f"answer to question {number}" for number in range(10)]
    assert ledger.totals(recipe="demo", run_id="run-1").num_calls == 10
    assert [reply.cost_usd for reply in purse.settled] == [0.0015] * 10
    assert purse.held == set()
    assert len(server.batches) == 1


def test_what_no_batch_answers_is_asked_live(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    live = Live(teacher, ["live"] * 3)
    asked = backend(teacher, store, clock, server, skip=set(ids[:3]), status="expired")
    done = asked.complete(requests, live, ledger, concurrency=1, max_attempts=1)
    assert [item.reply.text for item in done if item.reply][:4] == ["live", "live", "live", "answer to question 3"]
    assert live.requests == requests[:3]
    assert len(server.batches) == 2, "a batch is tried once more"


def test_a_prompt_that_is_no_chat_is_asked_live(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    raw = dataclasses.replace(requests[0], parameters={"raw_prompt": "<|user|>"})
    live = Live(teacher, ["a turn"])
    asked = backend(teacher, store, clock, server)
    done = asked.complete([raw, requests[1]], live, ledger, concurrency=1, max_attempts=1)
    assert [item.reply.text for item in done if item.reply] == ["a turn", "answer to question 1"]
    assert live.requests == [raw]


def test_no_more_goes_into_a_batch_than_the_budget_allows(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    purse = Purse(4)
    live = Live(teacher, [])
    done = backend(teacher, store, clock, server).complete(requests, live, ledger, concurrency=1, max_attempts=1, budget=purse)
    assert [item.is_stopped for item in done] == [False] * 4 + [True] * 6
    assert len(purse.settled) == 4
    assert live.requests == []


def test_a_batch_that_cannot_be_sent_is_asked_live_at_its_deadline(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    server.failures["POST /v1/files"] = [hang_up] * 100_000
    moves = []

    def sleep(seconds: float) -> None:
        moves.append(seconds)
        clock.now += 3600.0

    live = Live(teacher, ["live"] * 10)
    asked = BatchBackend([teacher], store, BatchConfig(deadline_hours=3), sleep=sleep, poll_seconds=5.0)
    done = asked.complete(requests, live, ledger, concurrency=1, max_attempts=1)
    assert len(live.requests) == len([item for item in done if item.reply]) == 10
    assert moves == [5.0] * 3
    assert store.list_open() == []


def test_what_an_earlier_process_submitted_is_waited_for(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    submit_batch(requests[:7], teacher, ledger, store)
    server.finish()
    poll_batches(store, ledger)
    submit_batch(requests[7:9], teacher, ledger, store)
    done = backend(teacher, store, clock, server).complete(requests, Live(teacher, []), ledger, concurrency=1, max_attempts=1)
    assert all(item.reply for item in done)
    assert [len(server.lines(name)) for name in server.batches] == [7, 2, 1]


def test_other_teachers_are_asked_live(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    other = ReplayChatModel(["live"] * 10, model="other")
    done = backend(teacher, store, clock, server).complete(requests, other, ledger, concurrency=1, max_attempts=1)
    assert len(other.requests) == len(done) == 10
    assert server.calls == []


def test_a_session_asks_and_corrects_in_batches(
    teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer, clock: Clock
) -> None:
    def text(line: dict[str, Any]) -> str:
        return "prose" if len(line["body"]["messages"]) == 1 else json.dumps({"title": "Tea"})

    model = OpenAIChatModel(teacher)
    session = Session(
        [SessionTeacher(config=teacher, model=model)],
        ledger,
        complete=backend(teacher, store, clock, server, text=text).complete,
    )
    answers = session.ask([Ask(key=what, prompt=render(TITLE, what=what)) for what in ("a", "b")])
    assert [answer.value for answer in answers] == [{"title": "Tea"}] * 2
    assert len(server.batches) == 2
    assert not any(call.path.endswith("/chat/completions") for call in server.calls)
    model.close()


def test_no_requests_no_batches(
    teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer, clock: Clock
) -> None:
    assert backend(teacher, store, clock, server).complete([], Live(teacher, []), ledger, concurrency=1, max_attempts=1) == []
    assert server.batches == {}
