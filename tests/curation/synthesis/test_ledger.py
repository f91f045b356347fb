"""The request ledger: what is acknowledged is there, whatever happens."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.database import Database
from curation.errors import DatabaseError
from curation.home import Home
from curation.records import Message
from curation.synthesis.engine import complete_all, report_calls
from curation.synthesis.ledger import MIGRATIONS, RequestLedger, open_ledger

MODEL = ReplayChatModel([], provider="p", endpoint="e", model="m", revision="r")


def request(text: str) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=text),))


def put(ledger: RequestLedger, text: str, reply: ChatReply | None = None) -> str:
    key = request_id(MODEL, request(text))
    ledger.put(key, MODEL, request(text), reply or ChatReply(text=f"reply to {text}"))
    return key


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RequestLedger]:
    location = tmp_path / "ledger.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    with RequestLedger(
        Database.open(location, concern="ledger", migrations=MIGRATIONS), recipe="demo", run_id="run-1"
    ) as opened:
        yield opened


def test_a_reply_comes_back_as_it_was(any_ledger: RequestLedger) -> None:
    reply = ChatReply(text="t", finish_reason="length", prompt_tokens=3, completion_tokens=2, cost_usd=0.25, raw='{"x":1}')
    key = put(any_ledger, "a", reply)
    assert any_ledger.get_reply(key) == reply
    call = any_ledger.get(key)
    assert call is not None
    assert (call.provider, call.endpoint, call.model, call.revision) == ("p", "e", "m", "r")
    assert (call.prompt_tokens, call.completion_tokens, call.cost_usd) == (3, 2, 0.25)
    assert '"content":"a"' in call.request


@pytest.mark.parametrize("text", ["\x00", "\ud800 lone", "\U0001f600", "\u202e", "a\r\nb", "'; DROP TABLE teacher_calls; --"])
def test_hostile_text_comes_back_as_it_was(any_ledger: RequestLedger, text: str) -> None:
    key = put(any_ledger, text, ChatReply(text=text, raw=text))
    assert any_ledger.get_many([key]) == {key: ChatReply(text=text, raw=text)}


def test_what_is_not_there_is_none(any_ledger: RequestLedger) -> None:
    assert any_ledger.get("0" * 32) is None
    assert any_ledger.get_reply("0" * 32) is None
    assert any_ledger.get_many([]) == {}


def test_the_first_reply_stays_and_is_what_a_second_writer_gets(any_ledger: RequestLedger) -> None:
    key = put(any_ledger, "a", ChatReply(text="first"))
    assert any_ledger.put(key, MODEL, request("a"), ChatReply(text="second")).text == "first"
    assert any_ledger.totals().num_calls == 1


def test_totals_by_recipe_and_run(any_ledger: RequestLedger) -> None:
    put(any_ledger, "a", ChatReply(text="", prompt_tokens=10, completion_tokens=1, cost_usd=0.5))
    put(any_ledger, "b", ChatReply(text="", prompt_tokens=20, completion_tokens=2, cost_usd=0.25))
    totals = any_ledger.totals(recipe="demo", run_id="run-1")
    assert (totals.num_calls, totals.prompt_tokens, totals.completion_tokens, totals.cost_usd) == (2, 30, 3, 0.75)
    assert any_ledger.totals() == totals
    assert any_ledger.totals(recipe="other").num_calls == 0
    assert any_ledger.totals(run_id="run-2").cost_usd == 0.0


def test_calls_are_listed_by_id_and_found_by_prefix(any_ledger: RequestLedger) -> None:
    keys = sorted(put(any_ledger, str(number)) for number in range(30))
    assert [call.key for call in any_ledger.iter_calls()] == keys
    assert [call.key for call in any_ledger.iter_calls(prefix=keys[7][:10])] == [keys[7]]
    assert list(any_ledger.iter_calls(prefix="%")) == []


def test_many_threads_put_at_once(any_ledger: RequestLedger) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            put(any_ledger, f"{thread} {number % 15}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any_ledger.totals().num_calls == 8 * 15


def test_more_ids_than_one_query_takes(ledger: RequestLedger) -> None:
    keys = [put(ledger, "a"), *(f"{number:032x}" for number in range(2_000)), put(ledger, "b")]
    assert set(ledger.get_many(keys)) == {keys[0], keys[-1]}


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=30)
@hypothesis.given(st.text(), st.integers(0, 2**40))
def test_any_reply_survives(ledger: RequestLedger, text: str, tokens: int) -> None:
    reply = ChatReply(text=text, prompt_tokens=tokens)
    key = put(ledger, f"{text} {tokens}", reply)
    assert ledger.get_reply(key) == reply


def test_open_ledger_of_a_home(tmp_path: Path) -> None:
    home = Home(path=tmp_path, store_url="", database_url="", review_url="")
    with open_ledger(home, recipe="demo") as ledger:
        key = put(ledger, "a")
    with open_ledger(home) as ledger:
        assert ledger.get_reply(key) is not None
        assert ledger.totals(recipe="demo").num_calls == 1


def test_a_reply_that_cannot_be_stored_is_not_acknowledged(ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DatabaseError(concern="ledger", url="x", reason="disk full")

    with monkeypatch.context() as patch:
        patch.setattr(ledger._database, "write", fail)
        with pytest.raises(DatabaseError, match="disk full"):
            put(ledger, "a")
    key = put(ledger, "b")
    assert [call.key for call in ledger.iter_calls()] == [key]


WRITER = """
import os, sys, threading
from pathlib import Path
from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.database import Database
from curation.records import Message
from curation.synthesis.ledger import MIGRATIONS, RequestLedger

model = ReplayChatModel([], provider="p", endpoint="e", model="m", revision="r")
ledger = RequestLedger(Database.open(Path(sys.argv[1]), concern="ledger", migrations=MIGRATIONS))

def work(thread):
    for number in range(10_000):
        request = ChatRequest(messages=(Message(role="user", content=f"{thread} {number}"),))
        key = request_id(model, request)
        ledger.put(key, model, request, ChatReply(text=f"reply to {thread} {number}"))
        os.write(1, (key + "\\n").encode())

threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.parametrize("round_number", range(2))
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, round_number: int) -> None:
    path = tmp_path / "ledger.db"
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    first = child.stdout.readline()
    time.sleep(random.Random(round_number).uniform(0.05, 0.4))
    os.kill(child.pid, signal.SIGKILL)
    acknowledged = [line.decode() for line in (first + child.communicate()[0]).split() if len(line) == 32]
    with RequestLedger(Database.open(path, concern="ledger", migrations=MIGRATIONS)) as ledger:
        stored = {call.key: call for call in ledger.iter_calls()}
        assert len(acknowledged) > 20
        assert set(acknowledged) <= set(stored)
        assert len(stored) <= len(acknowledged) + 8
        assert all(call.reply.startswith("{") and call.reply.endswith("}") for call in stored.values())
        requests = [request(f"{thread} {number}") for thread in range(8) for number in range(20)]
        missing = sum(request_id(MODEL, item) not in stored for item in requests)
        teacher = ReplayChatModel(["paid again"] * 200, provider="p", endpoint="e", model="m", revision="r")
        done = complete_all(requests, teacher, ledger, concurrency=4, max_attempts=1)
        assert report_calls(done).num_calls == len(teacher.requests) == missing


def test_fields_of_a_stored_reply_are_those_of_a_reply() -> None:
    assert [field.name for field in dataclasses.fields(ChatReply)] == [
        "text",
        "finish_reason",
        "prompt_tokens",
        "completion_tokens",
        "cost_usd",
        "raw",
    ]
