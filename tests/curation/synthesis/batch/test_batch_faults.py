"""What an endpoint of batches gets wrong costs at most the requests that it gets wrong, and never a secret."""

import dataclasses
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatRequest
from curation.errors import TeacherKeyMissingError, TeacherRefusedError
from curation.synthesis.batch import BatchConfig, BatchStore, poll_batches, remaining, sort_requests, submit_batch
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel
from tests.curation.synthesis.batch.batch_server import BatchServer, error_line, reply_line
from tests.curation.synthesis.batch.conftest import Clock
from tests.curation.synthesis.fault_server import answer, hang_up, refuse

pytestmark = pytest.mark.slow

HOUR = 3600.0


def standing_of(
    requests: list[ChatRequest], teacher: TeacherConfig, ledger: RequestLedger, store: BatchStore
) -> dict[str, int]:
    standing = sort_requests(requests, OpenAIChatModel(teacher), ledger, store)
    return {name: len(value) for name, value in vars(standing).items() if value}


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
