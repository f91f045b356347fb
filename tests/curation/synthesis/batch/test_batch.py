"""Requests go into batches and come back as replies under the same keys; what does not come back is asked again or live."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel
from curation.errors import ConfigError
from curation.synthesis.batch import BatchConfig, BatchStore, poll_batches, remaining, sort_requests, submit_batch
from curation.synthesis.engine.complete import complete_all, report_calls
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.batch.batch_server import BatchServer, error_line
from tests.curation.synthesis.batch.conftest import Clock
from tests.curation.synthesis.fault_server import refuse

HOUR = 3600.0


def standing_of(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore
) -> dict[str, int]:
    standing = sort_requests(requests, OpenAIChatModel(teacher), ledger, store)
    return {name: len(value) for name, value in vars(standing).items() if value}


def test_replies_of_a_batch_are_those_of_live_requests(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
) -> None:
    report = submit_batch([*requests, requests[0]], teacher, ledger, store, recipe="demo", run_id="run-1")
    assert (report.num_submitted, report.num_stored, report.num_waiting, report.num_live) == (10, 0, 0, 0)
    assert report.problems == []
    assert standing_of(requests, teacher, ledger, store) == {"waiting": 10}
    assert poll_batches(store, ledger).num_open == 1
    assert ledger.totals().num_calls == 0
    server.finish()
    polled = poll_batches(store, ledger)
    assert (polled.num_open, polled.num_settled, polled.num_stored, polled.problems) == (0, 1, 10, [])
    assert sorted(ledger.get_many(ids)) == sorted(ids)
    assert ledger.get_many(ids)[ids[3]].text == "answer to question 3"
    live = ReplayChatModel([], provider="openai", endpoint=server.url, model="m", revision="")
    assert report_calls(complete_all(requests, live, ledger, concurrency=2, max_attempts=1)).num_cached == 10
    assert submit_batch(requests, teacher, ledger, store).num_stored == 10
    assert len(server.batches) == 1
    again = poll_batches(store, ledger)
    assert (again.num_stored, again.num_settled) == (0, 0)


def test_a_reply_is_booked_at_the_price_of_batches(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
) -> None:
    submit_batch(requests, teacher, ledger, store, recipe="demo", run_id="run-1")
    server.finish()
    assert poll_batches(store, ledger).cost_usd == Decimal("0.015")
    assert ledger.totals(recipe="demo", run_id="run-1").cost_usd == Decimal("0.015")
    reply = ledger.get_reply(ids[0])
    assert reply is not None
    assert (reply.cost_usd, reply.prompt_tokens, reply.completion_tokens) == (0.0015, 100, 20)


def test_a_line_holds_what_is_sent_live(
    teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    parameters = {"max_tokens": 9, "temperature": 0.5, "seed": 1}
    request = ChatRequest(messages=(), schema=schema, parameters=parameters)
    streaming = dataclasses.replace(teacher, stream=True)
    submit_batch([request], streaming, ledger, store)
    (line,) = server.lines()
    assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
    assert line["body"] == OpenAIChatModel(teacher).request_body(request)
    assert "stream" not in line["body"]


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed", "completed"])
def test_what_came_back_is_kept_and_the_rest_can_be_asked_again(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    status: str,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    server.finish(status=status, skip=set(ids[6:8]), errors=dict.fromkeys(ids[8:], error_line("batch_expired")))
    polled = poll_batches(store, ledger)
    assert (polled.num_stored, polled.num_returned, polled.num_refused, polled.num_open) == (6, 4, 0, 0)
    assert standing_of(requests, teacher, ledger, store) == {"stored": 6, "unsent": 4}
    report = submit_batch(requests, teacher, ledger, store)
    assert (report.num_stored, report.num_submitted) == (6, 4)
    assert sorted(line["custom_id"] for line in server.lines()) == sorted(ids[6:])
    server.finish(status=status, skip=set(ids))
    poll_batches(store, ledger)
    assert standing_of(requests, teacher, ledger, store) == {"stored": 6, "live": 4}
    assert submit_batch(requests, teacher, ledger, store).num_live == 4
    assert remaining(requests, OpenAIChatModel(teacher), ledger, store) == requests[6:]


def test_a_refused_request_goes_live_at_once_and_a_busy_one_does_not(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    statuses = [400, 404, 422, 429, 500, None]
    server.finish(errors={name: error_line("x", status) for name, status in zip(ids, statuses, strict=False)})
    polled = poll_batches(store, ledger)
    assert (polled.num_stored, polled.num_returned, polled.num_refused) == (4, 3, 3)
    assert remaining(requests, OpenAIChatModel(teacher), ledger, store) == requests[:3]
    assert standing_of(requests, teacher, ledger, store) == {"stored": 4, "unsent": 3, "live": 3}


def test_a_late_batch_is_cancelled_harvested_and_the_rest_asked_live(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    submit_batch(requests, teacher, ledger, store, BatchConfig(deadline_hours=2))
    server.batches["batch_1"]["status"] = "in_progress"
    clock.now += 1.9 * HOUR
    poll_batches(store, ledger)
    assert server.batches["batch_1"]["status"] == "in_progress"
    clock.now += 0.2 * HOUR
    for _ in range(3):
        assert poll_batches(store, ledger).num_open == 1
    assert sum(call.path.endswith("/cancel") for call in server.calls) == 1
    assert remaining(requests, OpenAIChatModel(teacher), ledger, store) == [], "it may still be paid for"
    server.finish(status="cancelled", skip=set(ids[3:]))
    assert poll_batches(store, ledger).num_stored == 3
    assert remaining(requests, OpenAIChatModel(teacher), ledger, store) == requests[3:]
    assert submit_batch(requests, teacher, ledger, store).num_submitted == 0


def test_a_batch_that_never_ends_is_let_go_and_its_late_replies_are_kept(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    submit_batch(requests, teacher, ledger, store, BatchConfig(deadline_hours=1))
    clock.now += 1.5 * HOUR
    assert poll_batches(store, ledger).num_returned == 0
    clock.now += HOUR
    assert poll_batches(store, ledger).num_returned == 10
    assert len(remaining(requests, OpenAIChatModel(teacher), ledger, store)) == 10
    server.finish(status="cancelled")
    polled = poll_batches(store, ledger)
    assert (polled.num_stored, polled.num_open) == (10, 0)
    assert remaining(requests, OpenAIChatModel(teacher), ledger, store) == []


def test_a_batch_that_ends_while_it_is_cancelled_is_harvested(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    clock.now += 25 * HOUR
    server.failures["POST /v1/batches/batch_1/cancel"] = [refuse(400, "it is over")]
    assert "it is over" in poll_batches(store, ledger).problems[0]
    server.finish()
    assert poll_batches(store, ledger).num_stored == 10


def test_a_request_is_in_one_batch_whoever_submits(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    submit_batch(requests[:6], teacher, ledger, store)
    report = submit_batch(requests, teacher, ledger, store)
    assert (report.num_waiting, report.num_submitted) == (6, 4)
    taken = store.plan({"a": "{}"}, teacher=teacher, deadline=0, recipe="", run_id="")
    assert taken is not None
    assert store.plan({"a": "{}"}, teacher=teacher, deadline=0, recipe="", run_id="") is None
    both = store.plan({"a": "{}", "b": "{}"}, teacher=teacher, deadline=0, recipe="", run_id="")
    assert both is not None
    assert store.request_ids(both) == ["b"]


def test_large_requests_are_split_over_batches(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    report = submit_batch(requests, teacher, ledger, store, BatchConfig(max_requests=4))
    assert len(report.jobs) == len(server.batches) == 3
    assert [len(server.lines(name)) for name in server.batches] == [4, 4, 2]
    for name in server.batches:
        server.finish(batch_id=name)
    assert poll_batches(store, ledger).num_stored == 10


def test_rules_need_no_batches(ledger: RequestLedger, store: BatchStore) -> None:
    with pytest.raises(ConfigError, match="kind"):
        submit_batch([], TeacherConfig(), ledger, store)


@pytest.mark.parametrize(
    "values",
    [{"deadline_hours": 0}, {"max_attempts": 0}, {"max_requests": 50_001}, {"max_megabytes": 201}, {"deadline_hours": 400}],
)
def test_settings_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        BatchConfig(**values)


def test_a_reply_that_is_there_already_stays(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    ledger.put(ids[0], OpenAIChatModel(teacher), requests[0], ChatReply(text="asked live"))
    server.finish()
    polled = poll_batches(store, ledger)
    assert polled.num_stored == 9
    assert ledger.get_many(ids)[ids[0]].text == "asked live"
