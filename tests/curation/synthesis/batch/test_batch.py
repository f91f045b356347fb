"""Requests go into batches and come back as replies under the same keys; what does not come back is asked again or live."""

import dataclasses
import json
from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel
from curation.errors import ConfigError, TeacherKeyMissingError, TeacherRefusedError
from curation.synthesis.batch import BatchConfig, BatchStore, poll_batches, remaining, sort_requests, submit_batch
from curation.synthesis.engine import complete_all, report_calls
from curation.synthesis.ledger import RequestLedger
from curation.synthesis.openai_model import OpenAIChatModel
from curation.synthesis.teacher_config import TeacherConfig
from tests.curation.synthesis.batch.batch_server import BatchServer, error_line, reply_line
from tests.curation.synthesis.batch.conftest import Clock
from tests.curation.synthesis.fault_server import answer, hang_up, refuse

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


def test_a_forgotten_batch_is_given_up_only_after_its_deadline(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    clock: Clock,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    server.batches.clear()
    report = poll_batches(store, ledger)
    assert report.num_open == 1
    assert "404" in report.problems[0]
    assert standing_of(requests, teacher, ledger, store) == {"waiting": 10}
    clock.now += 26 * HOUR
    poll_batches(store, ledger)
    assert standing_of(requests, teacher, ledger, store) == {"live": 10}
    clock.now += 8 * 24 * HOUR
    assert poll_batches(store, ledger).num_open == 0


def test_garbage_doubles_and_disorder_in_a_file(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    garbage = [b"", b"{", b"\xff\x00", b"[]", b"null", b'"x"', b'{"custom_id": 5}', b"[" * 100_000, b'{"custom_id": ""}']
    strange = [
        json.dumps(reply_line("0" * 32, "not ours")).encode(),
        json.dumps({"custom_id": ids[0], "response": {"status_code": 200, "body": {"choices": []}}}).encode(),
        json.dumps({"custom_id": ids[1], "response": {"status_code": 200, "body": None}}).encode(),
        json.dumps({"custom_id": ids[2], "response": {"status_code": "200"}, "error": []}).encode(),
        json.dumps({"custom_id": ids[3], "response": {"status_code": 200, "body": {"x": float("nan")}}}).encode(),
    ]

    def change(lines: list[bytes]) -> list[bytes]:
        second = [json.dumps(reply_line(name, "second")).encode() for name in ids[:5]]
        good = [line for line in reversed(lines) if json.loads(line)["custom_id"] not in ids[8:]]
        return [*garbage, *strange, *good, *garbage, *second]

    server.finish(change=change)
    polled = poll_batches(store, ledger)
    assert (polled.num_stored, polled.num_returned, polled.num_open) == (8, 2, 0)
    assert polled.num_garbage == 2 * (len(garbage) - 1) + 1
    assert {reply.text for reply in ledger.get_many(ids).values()} == {f"answer to question {number}" for number in range(8)}
    assert ledger.get("0" * 32) is None


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


def test_one_bad_batch_holds_up_no_other(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    submit_batch(requests, teacher, ledger, store, BatchConfig(max_requests=5))
    server.finish(batch_id="batch_1")
    server.finish(batch_id="batch_2")
    server.failures["GET /v1/batches/batch_1"] = [refuse(500, "down"), answer(200, b"<html>"), hang_up, answer(200, b"{}")]
    report = poll_batches(store, ledger)
    assert (report.num_stored, report.num_open, len(report.problems)) == (5, 1, 1)
    for _ in range(3):
        assert poll_batches(store, ledger).num_open == 1
    assert poll_batches(store, ledger).num_stored == 5


def test_a_download_that_breaks_off_goes_on_later(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
) -> None:
    submit_batch(requests, teacher, ledger, store)
    server.finish()

    def cut(handler: Any) -> None:
        body = server.files["file-2"]
        handler.send_response(200)
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True

    server.failures["GET /v1/files/file-2/content"] = [cut, hang_up]
    for _ in range(2):
        assert poll_batches(store, ledger).num_open == 1
    poll_batches(store, ledger)
    assert standing_of(requests, teacher, ledger, store) == {"stored": 10}


def test_ids_that_would_lead_elsewhere_are_not_followed(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    submit_batch(requests, teacher, ledger, store)
    server.batches["batch_1"] |= {
        "status": "completed",
        "output_file_id": "../../admin",
        "error_file_id": {"a": 1},
        "errors": [1],
    }
    assert poll_batches(store, ledger).num_returned == 10
    assert not any("admin" in call.path for call in server.calls)


def test_why_a_batch_failed_is_written_down(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    report = submit_batch(requests, teacher, ledger, store)
    data = [{"code": "token_limit_exceeded", "message": "too much is enqueued", "line": None}]
    server.batches["batch_1"] |= {"status": "failed", "errors": {"object": "list", "data": data}}
    poll_batches(store, ledger)
    job = store.get(report.jobs[0])
    assert job is not None
    assert (job.state, job.status, job.problem) == ("settled", "failed", "token_limit_exceeded: too much is enqueued")


def test_an_endpoint_without_batches_leads_to_live_requests(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore, server: BatchServer
) -> None:
    server.failures["POST /v1/files"] = [refuse(404, "no such thing")] * 5
    report = submit_batch(requests, teacher, ledger, store)
    assert "404" in report.problems[0]
    submit_batch(requests, teacher, ledger, store)
    assert remaining(requests, OpenAIChatModel(teacher), ledger, store) == requests
    assert store.list_open() == []


def test_a_key_that_is_missing_or_refused_plans_nothing_twice(
    requests: list[ChatRequest],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_KEY", raising=False)
    far = TeacherConfig(kind="openai", model="m", base_url="https://api.example.org/v1", api_key_env="NO_KEY")
    with pytest.raises(TeacherKeyMissingError):
        submit_batch(requests, far, ledger, store)
    assert store.list_open() == []
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
    server.failures["POST /v1/files"] = [refuse(401, "wrong key sk-secret-0123456789"), refuse(401, "wrong key")]
    with pytest.raises(TeacherRefusedError) as refused:
        submit_batch(requests, teacher, ledger, store)
    assert "sk-secret" not in str(refused.value)
    assert "401" in poll_batches(store, ledger).problems[0]
    assert poll_batches(store, ledger).problems == []
    assert len(server.batches) == 1
    assert server.calls[-1].headers["authorization"] == "Bearer sk-secret-0123456789"
    job = store.list_open()[0]
    assert "sk-secret" not in str(job)


def test_a_reply_that_repeats_the_key_does_not_keep_it(
    requests: list[ChatRequest],
    ids: list[str],
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
    submit_batch(requests, teacher, ledger, store)
    server.finish(text=lambda _: "it is sk-secret-0123456789")
    poll_batches(store, ledger)
    assert ledger.get_many(ids)[ids[0]].text == "it is [key]"
    assert not any("sk-secret" in call.reply for call in ledger.iter_calls())


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


OUTCOMES = ["reply", "none", "400", "429", "expired", "garbage", "twice"]


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@hypothesis.given(outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=8), number=st.uuids(), seed=st.randoms())
def test_every_request_ends_in_one_place(
    teacher: TeacherConfig,
    ledger: RequestLedger,
    store: BatchStore,
    server: BatchServer,
    outcomes: list[str],
    number: Any,
    seed: Any,
) -> None:
    requests = [ChatRequest(messages=(), sample_index=at, parameters={"x": str(number)}) for at in range(len(outcomes))]
    submit_batch(requests, teacher, ledger, store)
    by_index = {name: outcomes[json.loads(store_request)["sample_index"]] for name, store_request in _texts(store).items()}
    errors = {"400": error_line("x", 400), "429": error_line("x", 429), "expired": error_line("batch_expired")}

    def change(lines: list[bytes]) -> list[bytes]:
        lines = [b"{" if by_index[json.loads(line)["custom_id"]] == "garbage" else line for line in lines]
        lines += [line for line in lines if line != b"{" and by_index[json.loads(line)["custom_id"]] == "twice"]
        seed.shuffle(lines)
        return lines

    server.finish(
        skip={name for name, outcome in by_index.items() if outcome == "none"},
        errors={name: errors[outcome] for name, outcome in by_index.items() if outcome in errors},
        change=change,
        text=lambda line: "ok",
    )
    polled = poll_batches(store, ledger)
    assert polled.num_stored == sum(outcome in ("reply", "twice") for outcome in outcomes)
    assert polled.num_refused == outcomes.count("400")
    assert polled.num_stored + polled.num_refused + polled.num_returned == len(outcomes)
    standing = sort_requests(requests, OpenAIChatModel(teacher), ledger, store)
    assert len(standing.stored) == polled.num_stored
    assert len(standing.live) == polled.num_refused
    assert standing.waiting == []
    assert all(reply == dataclasses.replace(reply, text="ok") for reply in ledger.get_many(sorted(by_index)).values())


def _texts(store: BatchStore) -> dict[str, str]:
    (job,) = store.list_open()
    return store.read_requests(job, store.request_ids(job))


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
