"""The request ledger: what is acknowledged is there, whatever happens."""

import dataclasses
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.database import Database
from curation.errors import DatabaseError
from curation.home import Home
from curation.records import Message, ToolCall
from curation.synthesis.engine.complete import complete_all, report_calls
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger, as_call, open_ledger

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
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger

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
    first = b"".join(child.stdout.readline() for _ in range(25))
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


def test_every_field_of_a_reply_survives(ledger: RequestLedger) -> None:
    call = ToolCall(id="c1", name="look_up", arguments='{"word": "tea"}')
    reply = ChatReply(
        text="",
        finish_reason="tool_calls",
        tool_calls=(call,),
        reasoning="hm",
        fingerprint="fp",
        cached_prompt_tokens=3,
        reasoning_tokens=2,
    )
    assert ledger.get_reply(put(ledger, "a", reply)) == reply
    assert all(getattr(reply, field.name) != field.default for field in dataclasses.fields(ChatReply)[6:])


def test_many_replies_share_a_commit_and_come_back_in_order(ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [str(number) for number in range(50)]
    put(ledger, "7", ChatReply(text="first"))
    writes: list[int] = []
    write = ledger._database.write
    monkeypatch.setattr(ledger._database, "write", lambda work: (writes.append(1), write(work))[1])
    calls = [(request_id(MODEL, request(text)), MODEL, request(text), ChatReply(text=text)) for text in texts]
    assert [reply.text for reply in ledger.put_many(calls)] == [*texts[:7], "first", *texts[8:]]
    assert len(writes) == 1


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ('{"text":"t"}', ChatReply(text="t")),
        ('{"cost_usd":0.5,"mood":"glad","raw":"{}","text":"t","tools":[1]}', ChatReply(text="t", cost_usd=0.5)),
        ('{"finish_reason":"tool_calls"}', ChatReply(text="", finish_reason="tool_calls")),
    ],
)
def test_replies_of_older_and_newer_versions_are_read(ledger: RequestLedger, stored: str, read: ChatReply) -> None:
    key = put(ledger, "a")
    change = sa.text("UPDATE teacher_calls SET reply = :reply")
    ledger._database.write(lambda connection: connection.execute(change, {"reply": stored}))
    assert ledger.get_reply(key) == read


def test_money_adds_up_to_the_last_digit(any_ledger: RequestLedger) -> None:
    asked = [request(str(number)) for number in range(300)]
    replies = [ChatReply(text="", cost_usd=0.1 + number * 1e-9) for number in range(300)]
    any_ledger.put_many([(request_id(MODEL, ask), MODEL, ask, reply) for ask, reply in zip(asked, replies, strict=True)])
    assert any_ledger.totals().cost_usd == Decimal("30.00004485")


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@hypothesis.given(st.lists(st.decimals(0, 900, places=9), min_size=1, max_size=20))
def test_any_costs_add_up_exactly(ledger: RequestLedger, costs: list[Decimal]) -> None:
    before = ledger.totals().cost_usd
    calls = []
    for cost in costs:
        asked = request(str(uuid.uuid4()))
        calls.append((request_id(MODEL, asked), MODEL, asked, ChatReply(text="", cost_usd=float(cost))))
    ledger.put_many(calls)
    assert ledger.totals().cost_usd - before == sum(costs)


def test_calls_of_a_recipe_and_all_payers(tmp_path: Path) -> None:
    home = Home(path=tmp_path, store_url="", database_url="", review_url="")
    keys = []
    for recipe, run in (("b", "2"), ("a", "1"), ("a", "3")):
        with open_ledger(home, recipe=recipe, run_id=run) as opened:
            keys.append(put(opened, f"{recipe} {run}"))
    with open_ledger(home) as opened:
        assert opened.list_payers() == [("a", "1"), ("a", "3"), ("b", "2")]
        assert sorted(call.key for call in opened.iter_calls(recipe="a")) == sorted(keys[1:])


def test_calls_are_read_in_pages(ledger: RequestLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.synthesis.ledger.request_ledger.CALLS_PER_PAGE", 7)
    keys = sorted(put(ledger, str(number)) for number in range(30))
    assert [call.key for call in ledger.iter_calls()] == keys
    calls = ledger.iter_calls()
    assert next(calls).key == keys[0]
    put(ledger, "written while somebody reads")


def test_calls_paid_for_elsewhere_change_nothing_that_is_there(any_ledger: RequestLedger) -> None:
    old = put(any_ledger, "old", ChatReply(text="first", cost_usd=1.0))
    calls = [as_call(request_id(MODEL, request(text)), MODEL, request(text), ChatReply(text="x")) for text in ("old", "new")]
    new = calls[1].key
    assert any_ledger.add_calls([*calls, calls[1]], recipe="r", run_id="imported") == {new}
    assert any_ledger.add_calls([]) == frozenset()
    assert any_ledger.get_many([old, new]) == {old: ChatReply(text="first", cost_usd=1.0), new: ChatReply(text="x")}
    assert any_ledger.totals(run_id="imported").num_calls == 1


def test_a_ledger_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    first = tmp_path / "migrations"
    first.mkdir()
    shutil.copy(MIGRATIONS / "0001_ledger.py", first)
    with RequestLedger(Database.open(tmp_path / "ledger.db", concern="ledger", migrations=first)) as opened:
        key = put(opened, "a", ChatReply(text="t", cost_usd=0.5))
    with RequestLedger(Database.open(tmp_path / "ledger.db", concern="ledger", migrations=MIGRATIONS)) as opened:
        assert opened.get_reply(key) == ChatReply(text="t", cost_usd=0.5)
        assert opened.totals().cost_usd == Decimal("0.5")
        plan = sa.text("EXPLAIN QUERY PLAN SELECT sum(cost_usd) FROM teacher_calls WHERE recipe = 'a'")
        with opened._database.read() as connection:
            assert "COVERING INDEX" in str(connection.execute(plan).all())
