"""A file of paid replies: whole, verified row by row, harmless, and without secrets."""

import dataclasses
import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.database import Database
from curation.errors import LedgerFileError
from curation.ids import DIGEST_BYTES
from curation.ingest.readers.limits import Limits
from curation.records import Message, ToolCall
from curation.synthesis.ledger.exchange import IMPORTED, export_ledger, find_secrets, import_ledger
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger

MODEL = ReplayChatModel([], provider="p", endpoint="http://127.0.0.1:9/v1", model="m", revision="r")


def request(text: str, **more: Any) -> ChatRequest:
    return ChatRequest(messages=(Message(role="system", content="s"), Message(role="user", content=text)), **more)


def put(ledger: RequestLedger, asked: ChatRequest, reply: ChatReply) -> str:
    key = request_id(MODEL, asked)
    ledger.put(key, MODEL, asked, reply)
    return key


@pytest.fixture
def other(tmp_path: Path) -> Iterator[RequestLedger]:
    with RequestLedger(Database.open(tmp_path / "other.db", concern="ledger", migrations=MIGRATIONS)) as opened:
        yield opened


def fill(ledger: RequestLedger, number: int = 30) -> None:
    call = ToolCall(id="1", name="look", arguments='{"a": 1}')
    asked = [request(f"question {at}\x00\ud800", sample_index=at, schema={"type": "object"}) for at in range(number - 1)]
    turns = (Message(role="assistant", content="", tool_calls=(call,)), Message(role="tool", content="4", tool_call_id="1"))
    asked.append(dataclasses.replace(request("tools", parameters={"temperature": 0.7}), messages=turns))
    for at, item in enumerate(asked):
        put(
            ledger,
            item,
            ChatReply(text=f"\U0001f600 {at}\x00", prompt_tokens=at, cost_usd=0.1, raw='{"x":"\ud800"}', tool_calls=(call,)),
        )


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_a_ledger_goes_through_a_file_and_back(
    ledger: RequestLedger, other: RequestLedger, tmp_path: Path, suffix: str
) -> None:
    fill(ledger)
    report = export_ledger(ledger, tmp_path / f"out{suffix}", secrets={})
    assert (report.num_calls, report.num_withheld) == (30, 0)
    assert report.num_bytes == (tmp_path / f"out{suffix}").stat().st_size
    added = import_ledger(other, tmp_path / f"out{suffix}", recipe="shared")
    assert (added.num_rows, added.num_added, added.num_present, added.num_refused) == (30, 30, 0, 0)
    assert list(other.iter_calls()) == list(ledger.iter_calls())
    assert other.totals(recipe="shared", run_id=IMPORTED) == ledger.totals()
    again = import_ledger(other, tmp_path / f"out{suffix}")
    assert (again.num_added, again.num_present) == (0, 30)


@pytest.mark.parametrize("name", ["out", "out.foo", "out.jsonl.bz2"])
def test_a_name_that_says_no_format_is_refused(ledger: RequestLedger, tmp_path: Path, name: str) -> None:
    with pytest.raises(LedgerFileError, match=r"must end in one of \.gz, \.zst, \.jsonl"):
        export_ledger(ledger, tmp_path / name, secrets={})
    assert not (tmp_path / name).exists()


def test_the_same_ledger_gives_the_same_file(ledger: RequestLedger, tmp_path: Path) -> None:
    fill(ledger)
    files = [tmp_path / name for name in ("a.zst", "b.zst", "a.gz", "b.gz")]
    for file in files:
        export_ledger(ledger, file, secrets={})
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[2].read_bytes() == files[3].read_bytes()


def test_one_recipe_is_exported(ledger: RequestLedger, tmp_path: Path) -> None:
    with RequestLedger(ledger._database, recipe="demo") as booked:
        put(booked, request("a"), ChatReply(text="a"))
        put(ledger, request("b"), ChatReply(text="b"))
        assert export_ledger(ledger, tmp_path / "out.zst", recipe="demo").num_calls == 1
        assert export_ledger(ledger, tmp_path / "out.zst", recipe="none").num_calls == 0
        assert import_ledger(ledger, tmp_path / "out.zst").num_rows == 0


def test_a_stored_reply_is_never_replaced(ledger: RequestLedger, other: RequestLedger, tmp_path: Path) -> None:
    key = put(ledger, request("a"), ChatReply(text="theirs"))
    put(other, request("a"), ChatReply(text="ours"))
    export_ledger(ledger, tmp_path / "out.zst", secrets={})
    assert import_ledger(other, tmp_path / "out.zst").num_present == 1
    assert other.get_reply(key) == ChatReply(text="ours")


def test_secrets_stay_here(ledger: RequestLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "sk-0123456789abcdef")
    put(ledger, request("my key is sk-0123456789abcdef"), ChatReply(text="x"))
    put(ledger, request("b"), ChatReply(text="it is sk-0123456789abcdef!"))
    put(ledger, request("c"), ChatReply(text="c"))
    report = export_ledger(ledger, tmp_path / "out.jsonl")
    assert (report.num_calls, report.num_withheld) == (1, 2)
    assert "sk-0123456789abcdef" not in (tmp_path / "out.jsonl").read_text()


def test_what_a_secret_is() -> None:
    environment = {
        "A_TOKEN": "x" * 16,
        "a_password": "y" * 20,
        "SHORT_KEY": "none",
        "HOME": "/home/somebody/long",
        "KEYS": "z" * 40,
    }
    assert find_secrets(environment) == {"A_TOKEN": "x" * 16, "a_password": "y" * 20}


def test_a_failed_export_leaves_the_old_file(ledger: RequestLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ledger)
    export_ledger(ledger, tmp_path / "out.zst", secrets={})
    before = (tmp_path / "out.zst").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    put(ledger, request("new"), ChatReply(text="new"))
    with monkeypatch.context() as patch:
        patch.setattr("curation.synthesis.ledger.exchange_file.os.fsync", fail)
        with pytest.raises(LedgerFileError, match="No space left"):
            export_ledger(ledger, tmp_path / "out.zst", secrets={})
    assert (tmp_path / "out.zst").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == ["out.zst"]


@pytest.mark.parametrize("suffix", [".jsonl", ".gz", ".zst"])
def test_a_damaged_file_stores_nothing(ledger: RequestLedger, other: RequestLedger, tmp_path: Path, suffix: str) -> None:
    fill(ledger)
    whole = tmp_path / f"whole{suffix}"
    export_ledger(ledger, whole, secrets={})
    data = whole.read_bytes()
    places = range(0, len(data), max(1, len(data) // 20))
    num_refused = 0
    for at in places:
        cut, flipped = tmp_path / f"cut{suffix}", tmp_path / f"flipped{suffix}"
        cut.write_bytes(data[:at])
        flipped.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(LedgerFileError):
            import_ledger(other, cut)
        try:
            import_ledger(other, flipped)
        except LedgerFileError:
            num_refused += 1
        else:  # a bit that does not count, such as the name of the operating system in a gzip file
            assert list(other.iter_calls()) == list(ledger.iter_calls())
    assert num_refused >= len(places) - 2
    assert num_refused < len(places) or other.totals().num_calls == 0


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null\n", "[[[[", '{"format":"tunewright-ledger"}', "\x00\xff", "[" * 100_000]
)
def test_what_is_no_ledger_is_refused(ledger: RequestLedger, tmp_path: Path, text: str) -> None:
    (tmp_path / "in.jsonl").write_text(text)
    with pytest.raises(LedgerFileError, match="no ledger file"):
        import_ledger(ledger, tmp_path / "in.jsonl")
    with pytest.raises(LedgerFileError, match="No such file"):
        import_ledger(ledger, tmp_path / "missing.jsonl")


def test_another_version_says_so(ledger: RequestLedger, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [], version=2)
    with pytest.raises(LedgerFileError, match="format version 2"):
        import_ledger(ledger, tmp_path / "in.jsonl")


def test_a_bomb_is_refused(ledger: RequestLedger, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [b"0" * 3_000_000])
    (tmp_path / "in.gz").write_bytes(gzip.compress((tmp_path / "in.jsonl").read_bytes()))
    with pytest.raises(LedgerFileError, match="unpacks to more"):
        import_ledger(ledger, tmp_path / "in.gz", limits=Limits(ratio_free_bytes=100_000))


def write(path: Path, lines: list[bytes], version: int = 1) -> None:
    """Write a file whose header is right, whatever its rows are."""
    data = b"".join(line + b"\n" for line in lines)
    rows_hash = hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()
    header = {"format": "tunewright-ledger", "version": version, "num_calls": len(lines), "num_bytes": len(data)}
    path.write_bytes(json.dumps(header | {"rows_hash": rows_hash}).encode() + b"\n" + data)


@pytest.fixture
def good_row(ledger: RequestLedger, tmp_path: Path) -> dict[str, Any]:
    call = ToolCall(id="1", name="look", arguments="{}")
    put(ledger, request("a", parameters={"seed": 1}), ChatReply(text="t", cost_usd=0.5, tool_calls=(call,)))
    export_ledger(ledger, tmp_path / "row.jsonl", secrets={})
    row: dict[str, Any] = json.loads((tmp_path / "row.jsonl").read_text().splitlines()[1])
    return row


CHANGES: list[tuple[str, Any, str]] = [
    ("provider", "q", "request id"),
    ("endpoint", "http://127.0.0.1:10/v1", "request id"),
    ("endpoint", "http://me:secret@127.0.0.1/v1", "user name"),
    ("endpoint", "http://[", "cannot be read"),
    ("model", "m2", "request id"),
    ("model", 5, "model is no text"),
    ("model", "m\x00", "characters"),
    ("model", "m\ud800", "characters"),
    ("model", "m" * 3000, "too long"),
    ("revision", "r2", "request id"),
    ("key", "0" * 32, "request id"),
    ("key", "'; DROP TABLE teacher_calls; --", "request id"),
    ("created_at", "yesterday", "cannot be read"),
    ("created_at", "2026-01-01T00:00:00", "cannot be read"),
    ("request", None, "no request"),
    ("request", [], "no request"),
    ("request", {"messages": "x", "parameters": {}}, "no request"),
    ("request.sample_index", 1, "request id"),
    ("request.sample_index", True, "no request"),
    ("request.sample_index", 1e999, "no request"),
    ("request.schema", {"type": "object"}, "request id"),
    ("request.schema", "x", "no request"),
    ("request.parameters", {"seed": 2}, "request id"),
    ("request.messages", [{"role": "root", "content": "x"}], "no request"),
    ("request.messages", [{"role": "user", "content": None}], "no request"),
    ("request.messages", [{"role": "user", "content": "x", "tool_calls": [1]}], "no request"),
    ("reply", None, "no reply"),
    ("reply", {}, "no reply"),
    ("reply.text", 1, "no reply"),
    ("reply.raw", None, "no reply"),
    ("reply.prompt_tokens", -1, "no reply"),
    ("reply.prompt_tokens", True, "no reply"),
    ("reply.completion_tokens", 2**62, "no reply"),
    ("reply.cost_usd", -0.5, "no reply"),
    ("reply.cost_usd", 1e17, "no reply"),
    ("reply.cost_usd", "0", "no reply"),
    ("reply.tool_calls", [{"id": 1, "name": "x", "arguments": "y"}], "no reply"),
    ("reply.tool_calls", [{"id": "1"}], "no reply"),
    ("reply.tool_calls", 5, "no reply"),
    ("more", 1, "other fields"),
]


@pytest.mark.parametrize(("path", "value", "reason"), CHANGES)
def test_a_row_that_does_not_fit_is_refused_and_the_others_go_in(
    good_row: dict[str, Any], other: RequestLedger, tmp_path: Path, path: str, value: Any, reason: str
) -> None:
    bad = json.loads(json.dumps(good_row))
    *folders, name = path.split(".")
    (bad[folders[0]] if folders else bad)[name] = value
    text = json.dumps(bad).replace("Infinity", "1e999")
    write(tmp_path / "in.jsonl", [text.encode(), json.dumps(good_row).encode()])
    report = import_ledger(other, tmp_path / "in.jsonl")
    assert (report.num_rows, report.num_added, report.num_refused) == (2, 1, 1)
    assert reason in report.first_refused[0]
    assert report.first_refused[0].startswith("row 1: ")
    assert other.totals().num_calls == 1


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b'{"key": NaN}', "no JSON"),
        (b"9" * 5000, "no JSON"),
        (b"[1]", "other fields"),
        (b"[" * 200_000, "no JSON"),
        (b" " * 2_000_000, "too long"),
    ],
)
def test_a_line_that_is_no_row_is_refused(
    good_row: dict[str, Any], other: RequestLedger, tmp_path: Path, line: bytes, reason: str
) -> None:
    write(tmp_path / "in.jsonl", [line, json.dumps(good_row).encode()])
    report = import_ledger(other, tmp_path / "in.jsonl", limits=Limits(row_bytes=1_000_000))
    assert (report.num_rows, report.num_added) == (2, 1)
    assert reason in next(iter(report.refused))


def test_a_deep_row_is_refused(good_row: dict[str, Any], other: RequestLedger, tmp_path: Path) -> None:
    text = json.dumps(good_row).replace('{"seed": 1}', '{"seed": ' + deep(200) + "}")
    write(tmp_path / "in.jsonl", [text.encode()])
    assert "nested deeper" in next(iter(import_ledger(other, tmp_path / "in.jsonl").refused))


def test_many_refusals_are_counted_and_few_are_shown(other: RequestLedger, tmp_path: Path) -> None:
    write(tmp_path / "in.jsonl", [b"{}"] * 500)
    report = import_ledger(other, tmp_path / "in.jsonl")
    assert report.num_refused == 500
    assert len(report.first_refused) < 50


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), lambda x: st.lists(x, max_size=3)
)


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@hypothesis.given(data=st.data())
def test_no_row_can_stop_an_import(good_row: dict[str, Any], other: RequestLedger, tmp_path: Path, data: st.DataObject) -> None:
    bad = json.loads(json.dumps(good_row))
    where = data.draw(st.sampled_from([bad, bad["request"], bad["reply"], bad["request"]["messages"][0]]))
    where[data.draw(st.sampled_from(sorted(where)))] = data.draw(JSON)
    write(tmp_path / "in.jsonl", [json.dumps(bad).encode()])
    report = import_ledger(other, tmp_path / "in.jsonl")
    assert report.num_added + report.num_present + report.num_refused == 1
    for call in other.iter_calls():
        assert other.get_reply(call.key) is not None
