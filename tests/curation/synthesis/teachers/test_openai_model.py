"""`OpenAIChatModel` against a server that misbehaves."""

import json
import logging
import threading
import time
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest
from curation.errors import RequestRefusedError, TeacherBusyError, TeacherKeyMissingError, TeacherRefusedError
from curation.records import Message
from curation.synthesis.engine.complete import complete_all
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.openai_model import OpenAIChatModel, is_loopback
from tests.curation.synthesis.fault_server import (
    Behaviour,
    answer,
    chat,
    completion,
    cut_short,
    drip,
    echo_key,
    fault_server,
    hang,
    hang_up,
    refuse,
)

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
REQUEST = ChatRequest(
    messages=(Message(role="user", content="hello"),),
    schema=SCHEMA,
    parameters={"max_tokens": 9, "seed": 3, "temperature": 0.5},
)
SECRET = "sk-test-0123456789abcdef"


def ask(url: str, **settings: Any) -> ChatReply:
    teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=url, **settings))
    try:
        return teacher.complete(REQUEST)
    finally:
        teacher.close()


def ask_once(behaviour: Behaviour, **settings: Any) -> ChatReply:
    with fault_server([behaviour]) as server:
        return ask(server.url, **settings)


def test_a_reply_comes_with_its_tokens_and_cost() -> None:
    with fault_server([chat('{"a": 1}')]) as server:
        reply = ask(server.url, price_input_usd_per_million=2.0, price_output_usd_per_million=10.0)
    assert reply.text == '{"a": 1}'
    assert (reply.prompt_tokens, reply.completion_tokens) == (100, 20)
    assert reply.cost_usd == pytest.approx(100 * 2e-6 + 20 * 10e-6)
    assert json.loads(reply.raw)["id"] == "c-1"
    sent = server.requests[0].body
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert {name: sent[name] for name in ("model", "max_tokens", "seed", "temperature")} == {
        "model": "m",
        "max_tokens": 9,
        "seed": 3,
        "temperature": 0.5,
    }


def test_an_endpoint_that_refuses_schemas_is_asked_without_and_remembered() -> None:
    with fault_server([refuse(400, "response_format is not supported"), chat("one"), chat("two")]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url))
        assert [teacher.complete(REQUEST).text for _ in range(2)] == ["one", "two"]
        teacher.close()
    assert ["response_format" in seen.body for seen in server.requests] == [True, False, False]


def test_an_endpoint_that_wants_the_other_name_of_the_limit_gets_it() -> None:
    problem = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    with fault_server([refuse(400, problem), chat("one")]) as server:
        assert ask(server.url).text == "one"
    assert "max_tokens" not in server.requests[1].body
    assert server.requests[1].body["max_completion_tokens"] == 9
    assert "response_format" in server.requests[1].body


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_a_refusal_stops_everything_with_the_servers_words(status: int) -> None:
    with pytest.raises(TeacherRefusedError, match=f"HTTP {status}: no such thing") as caught:
        ask_once(refuse(status, "no such thing"))
    assert "127.0.0.1" in str(caught.value)


def test_an_exhausted_quota_stops_everything() -> None:
    with pytest.raises(TeacherRefusedError):
        ask_once(refuse(429, "You exceeded your current quota", code="insufficient_quota"))


@pytest.mark.parametrize(
    "behaviour",
    [
        refuse(400, "This model's maximum context length is 10 tokens", code="context_length_exceeded"),
        refuse(400, "The response was filtered", code="content_filter"),
        refuse(413, "too much"),
    ],
)
def test_a_refusal_of_one_text_concerns_that_request_only(behaviour: Behaviour) -> None:
    with pytest.raises(RequestRefusedError):
        ask_once(behaviour)


GARBAGE: dict[str, Behaviour] = {
    "html": answer(200, b"<html><body>Please log in</body></html>", content_type="text/html"),
    "empty": answer(200, b""),
    "blank": answer(200, b"   \n"),
    "not utf-8": answer(200, b"\xff\xfe\x00{"),
    "no choices": answer(200, b'{"choices": []}'),
    "null": answer(200, b"null"),
    "a number": answer(200, b"17"),
    "a list": answer(200, b"[1, 2]"),
    "no message": answer(200, b'{"choices": [{}]}'),
    "message is a string": answer(200, b'{"choices": [{"message": "hi"}]}'),
    "content is a number": answer(200, json.dumps(completion(12)).encode()),
    "not a number": answer(200, b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": NaN}}'),
    "deep": answer(200, b"[" * 100_000),
    "cut short": cut_short,
    "hung up": hang_up,
    "500": refuse(500, "oops"),
    "502 html": answer(502, b"<html>bad gateway</html>", content_type="text/html"),
    "529": refuse(529, "overloaded"),
    "408": refuse(408, "too slow"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_worth_another_try(name: str) -> None:
    with pytest.raises(TeacherBusyError) as caught:
        ask_once(GARBAGE[name])
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("cut", range(0, len(json.dumps(completion("hello"))), 7))
def test_json_cut_anywhere_is_worth_another_try(cut: int) -> None:
    with pytest.raises(TeacherBusyError):
        ask_once(answer(200, json.dumps(completion("hello")).encode()[:cut]))


def test_a_huge_reply_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.synthesis.teachers.transport.MAX_REPLY_BYTES", 10_000)
    with pytest.raises(TeacherBusyError, match="more than 10000 bytes"):
        ask_once(chat("x" * 200_000))


@pytest.mark.parametrize("behaviour", [hang, drip])
def test_silence_and_dripping_end_at_the_timeout(behaviour: Behaviour) -> None:
    started = time.monotonic()
    with pytest.raises(TeacherBusyError, match=r"no answer within 0.3 s") as caught:
        ask_once(behaviour, timeout_seconds=0.3)
    assert time.monotonic() - started < 60
    assert caught.value.fields["is_silent"] is True


def test_nobody_there_is_no_contact() -> None:
    with pytest.raises(TeacherBusyError, match="no connection") as caught:
        ask("http://127.0.0.1:9/v1")
    assert caught.value.fields["has_contact"] is False


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("0.25", 0.25), ("soon", 0.0), ("-3", 0.0), ("inf", 0.0), ("nan", 0.0)]
)
def test_retry_after_is_read(header: str, seconds: float) -> None:
    with pytest.raises(TeacherBusyError) as caught:
        ask_once(refuse(429, "slow down", retry_after=header))
    assert caught.value.fields["retry_after"] == seconds


def test_retry_after_as_a_date_is_read() -> None:
    import email.utils

    with pytest.raises(TeacherBusyError) as caught:
        ask_once(refuse(429, "slow down", retry_after=email.utils.formatdate(time.time() + 30, usegmt=True)))
    assert 25 < caught.value.fields["retry_after"] <= 31


@pytest.mark.parametrize(
    ("content", "more", "text", "finish"),
    [
        (None, {}, "", "stop"),
        (None, {"refusal": "I cannot"}, "", "content_filter"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], {}, "ab", "stop"),
        ("cut", {"finish_reason": "length"}, "cut", "length"),
    ],
)
def test_odd_but_valid_replies_are_replies(content: Any, more: dict[str, Any], text: str, finish: str) -> None:
    reply = ask_once(chat(content, **more))
    assert (reply.text, reply.finish_reason) == (text, finish)


def test_a_foreign_endpoint_needs_a_key_and_says_which_variable() -> None:
    with pytest.raises(TeacherKeyMissingError, match="MY_KEY is not set"):
        OpenAIChatModel(TeacherConfig(kind="openai", model="m", api_key_env="MY_KEY")).complete(REQUEST)


def test_a_key_with_odd_characters_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET}\nx")
    with pytest.raises(TeacherRefusedError, match="OPENAI_API_KEY is no key") as caught:
        OpenAIChatModel(TeacherConfig(kind="openai", model="m")).complete(REQUEST)
    assert SECRET not in str(caught.value)


def test_the_key_is_sent_but_reaches_neither_ledger_nor_log_nor_errors(
    monkeypatch: pytest.MonkeyPatch, ledger: RequestLedger, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    caplog.set_level(logging.DEBUG)
    with fault_server([refuse(500, f"bad key {SECRET}"), echo_key, refuse(401, f"Incorrect API key: {SECRET}")]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url))
        done = complete_all([REQUEST], teacher, ledger, concurrency=1, max_attempts=2, backoff_seconds=0.01)
        with pytest.raises(TeacherRefusedError) as caught:
            teacher.complete(REQUEST)
        teacher.close()
    assert all(seen.authorization == f"Bearer {SECRET}" for seen in server.requests)
    assert done[0].reply is not None
    assert "[key]" in done[0].reply.text
    assert "[key]" in str(caught.value)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"[key]" in stored
    for text in (str(caught.value), caplog.text, stored.decode("latin-1"), repr(vars(teacher))):
        assert SECRET not in text


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert ask_once(chat("one")).text == "one"


def test_threads_share_a_teacher() -> None:
    with fault_server([chat("one")]) as server:
        teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=server.url))
        texts: list[str] = []
        threads = [threading.Thread(target=lambda: texts.append(teacher.complete(REQUEST).text)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        teacher.close()
    assert texts == ["one"] * 8


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://[::1]:80/v1", True),
        ("http://localhost.example.com/v1", False),
        ("http://127.0.0.1.example.com/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_what_counts_as_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


RAW_REQUEST = ChatRequest(
    messages=(Message(role="user", content="for the record"),),
    parameters={"raw_prompt": "<|user|>", "stop": ["<|end|>"], "max_tokens": 9, "temperature": 1.0},
)


def complete_raw(url: str, **settings: Any) -> ChatReply:
    teacher = OpenAIChatModel(TeacherConfig(kind="openai", model="m", base_url=url, **settings))
    try:
        return teacher.complete(RAW_REQUEST)
    finally:
        teacher.close()


def test_a_raw_prompt_goes_to_completions() -> None:
    body = {"choices": [{"index": 0, "text": "How do boats float?", "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    with fault_server([answer(200, json.dumps(body).encode())]) as server:
        reply = complete_raw(server.url)
    assert (reply.text, reply.finish_reason, reply.prompt_tokens) == ("How do boats float?", "stop", 3)
    (seen,) = server.requests
    assert seen.path == "/v1/completions"
    assert seen.body == {"model": "m", "prompt": "<|user|>", "stop": ["<|end|>"], "max_tokens": 9, "temperature": 1.0}


def test_a_raw_prompt_is_streamed() -> None:
    chunks = [
        {"choices": [{"index": 0, "text": text, "finish_reason": end}]} for text, end in (("How ", None), ("so?", "stop"))
    ]
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    with fault_server([answer(200, lines.encode(), content_type="text/event-stream")]) as server:
        reply = complete_raw(server.url, stream=True)
    assert reply.text == "How so?"
    assert server.requests[0].body["stream"] is True


def test_an_endpoint_without_completions_says_what_to_do() -> None:
    with fault_server([refuse(404, "no such page")]) as server, pytest.raises(TeacherRefusedError, match="form: chat"):
        complete_raw(server.url)
