"""A model behind an endpoint that misbehaves: answers are kept, errors are counted, nothing is asked twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, EvaluationError
from curation.records import Message
from evaluation.answering.endpoint import EndpointConfig, EndpointRun, answer_by_endpoint, opened_answers
from tests.curation.synthesis.fault_server import (
    answer,
    chat,
    cut_short,
    fault_server,
    hang_up,
    refuse,
    whole,
)

Ask = Callable[..., EndpointRun]


def prompts(number: int) -> list[tuple[Message, ...]]:
    return [(Message(role="user", content=f"How many are {index}?"),) for index in range(number)]


def echo(body: dict[str, Any]) -> Any:
    return chat(f"  answer to {body['messages'][-1]['content']} ")


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def run(url: str, number: int = 6, **settings: Any) -> EndpointRun:
        settings = {"max_attempts": 3, "timeout_seconds": 60.0} | settings
        config = EndpointConfig(model="tiny", base_url=url, api_key_env="NO_KEY", **settings)
        with opened_answers(tmp_path / "answers") as ledger:
            return answer_by_endpoint(config, prompts(number), ledger=ledger, max_new_tokens=9, backoff_seconds=0.01)

    return run


def test_answers_come_in_order_with_what_they_took(ask: Ask) -> None:
    with fault_server(echo) as server:
        run = ask(server.url)
    assert [answer.text for answer in run.answers] == [f"answer to How many are {index}?" for index in range(6)]
    assert {(answer.num_tokens, answer.num_prompt_tokens) for answer in run.answers} == {(20, 100)}
    assert all(0 < answer.latency_s < 60 for answer in run.answers)
    assert (run.num_calls, run.num_reused, run.num_failed, run.errors) == (6, 0, 0, {})
    body = server.requests[0].body
    assert (body["temperature"], body["max_tokens"], body["model"]) == (0.0, 9, "tiny")
    assert "response_format" not in body


def test_nothing_is_asked_twice_and_latency_is_remembered(ask: Ask) -> None:
    with fault_server(echo) as server:
        first = ask(server.url, 4)
        again = ask(server.url, 6)
        assert len(server.requests) == 6
        assert (again.num_calls, again.num_reused) == (2, 4)
        assert [item.latency_s for item in again.answers[:4]] == [item.latency_s for item in first.answers]
        assert ask(server.url, 6, revision="second").num_calls == 6, "another revision is another model"


def test_a_half_dead_endpoint_loses_no_finished_answer(ask: Ask) -> None:
    def half(body: dict[str, Any]) -> Any:
        number = int(body["messages"][-1]["content"].split()[-1].rstrip("?"))
        return echo(body) if number % 2 == 0 else refuse(500, f"worker {number} is dead")

    with fault_server(half) as server:
        run = ask(server.url)
        assert [bool(item.error) for item in run.answers] == [False, True] * 3
        assert (run.num_calls, run.num_failed) == (3, 3)
        assert sum(run.errors.values()) == 3
        assert all("is dead" in reason for reason in run.errors)


def test_what_failed_is_asked_again_in_the_next_run(ask: Ask) -> None:
    dead = True

    def behave(body: dict[str, Any]) -> Any:
        return refuse(503, "overloaded") if dead and "3" in body["messages"][-1]["content"] else echo(body)

    with fault_server(behave) as server:
        assert ask(server.url).num_failed == 1
        dead = False
        run = ask(server.url)
    assert (run.num_calls, run.num_reused, run.num_failed) == (1, 5, 0)


def test_it_waits_as_long_as_the_endpoint_says(ask: Ask) -> None:
    with fault_server([refuse(429, "slow down", retry_after="0.4"), chat("ok")]) as server:
        began = time.monotonic()
        run = ask(server.url, 1)
    assert run.answers[0].text == "ok"
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (whole(choices=[]), "no chat completion"),
        (answer(200, b'{"choices": [{"message": {"content": NaN}}]}'), "no chat completion"),
        (answer(200, b""), "empty"),
        (answer(200, b"<html>"), "no chat completion"),
        (cut_short, ""),
    ],
)
def test_nonsense_is_an_error_that_is_counted(ask: Ask, behaviour: Any, reason: str) -> None:
    def behave(body: dict[str, Any]) -> Any:
        return behaviour if "How many are 0" in body["messages"][-1]["content"] else echo(body)

    with fault_server(behave) as server:
        run = ask(server.url, 3)
    assert (run.num_failed, run.num_calls) == (1, 2)
    assert reason in run.answers[0].error


def test_an_empty_answer_is_an_answer(ask: Ask) -> None:
    with fault_server([chat("")]) as server:
        run = ask(server.url, 2)
    assert (run.num_empty, run.num_failed) == (2, 0)


def test_no_contact_and_refusals_stop_with_one_sentence(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with fault_server([hang_up]) as server, pytest.raises(EvaluationError, match="answers so far are kept"):
        ask(server.url, 2)
    with fault_server([refuse(401, "wrong key")]) as server, pytest.raises(EvaluationError, match="wrong key"):
        ask(server.url, 2)
    monkeypatch.delenv("NO_KEY", raising=False)
    with pytest.raises(EvaluationError, match="NO_KEY is not set"):
        ask("http://192.0.2.1/v1", 1)


def test_the_key_is_read_from_the_environment_and_shown_nowhere(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_KEY", "very-secret-key")
    with fault_server([chat("very-secret-key")]) as server:
        run = ask(server.url, 1)
    assert server.requests[0].authorization == "Bearer very-secret-key"
    assert run.answers[0].text == "[key]"


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="base_url"):
        EndpointConfig(model="m", base_url="ftp://host/v1")
    with pytest.raises(ConfigError, match="never a key"):
        EndpointConfig(model="m", base_url="http://host/v1", api_key_env="sk-123")
    with pytest.raises(ConfigError, match="timeout_seconds"):
        EndpointConfig(model="m", base_url="http://host/v1", timeout_seconds=0)


CHILD = """
import sys
from pathlib import Path
from tests.evaluation.answering.test_endpoint import prompts
from evaluation.answering.endpoint import EndpointConfig, answer_by_endpoint, opened_answers
config = EndpointConfig(model="tiny", base_url=sys.argv[1], api_key_env="NO_KEY", concurrency=2)
with opened_answers(Path(sys.argv[2])) as ledger:
    answer_by_endpoint(config, prompts(40), ledger=ledger, max_new_tokens=9)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    is_killed = threading.Event()

    def silent_after_14(body: dict[str, Any]) -> Any:
        def behave(handler: Any) -> None:
            is_killed.wait(timeout=600)
            echo(body)(handler)

        return behave if len(server.requests) > 14 else echo(body)

    with fault_server(silent_after_14) as server:
        command = [sys.executable, "-c", CHILD, server.url, str(tmp_path / "answers")]
        root = Path(__file__).parents[3]
        process = subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
        deadline = time.monotonic() + 600
        while len(server.requests) < 15 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        num_asked = len(server.requests)
        is_killed.set()
        assert 15 <= num_asked <= 16
        config = EndpointConfig(model="tiny", base_url=server.url, api_key_env="NO_KEY", concurrency=2)
        lines: list[str] = []
        with opened_answers(tmp_path / "answers") as ledger:
            run = answer_by_endpoint(
                config, prompts(40), ledger=ledger, max_new_tokens=9, on_progress=lambda progress: lines.append(str(progress))
            )
    assert run.num_reused >= num_asked - 4, "at most what was under way is asked again"
    assert run.num_calls + run.num_reused == 40
    assert lines[-1].startswith("40/40 replies")
    assert json.dumps([item.text for item in run.answers]).count("answer to") == 40
