"""What calls cost is looked up without touching the ledger; what cannot be read is unknown, not nothing."""

from decimal import Decimal
from pathlib import Path

import pytest

from curation.chat_model import ChatReply, ChatRequest, ReplayChatModel, request_id
from curation.home import Home
from curation.records import Message
from curation.synthesis.ledger.call_costs import CostOfCalls, LedgerCosts
from curation.synthesis.ledger.request_ledger import open_ledger

MODEL = ReplayChatModel([], provider="p", endpoint="e", model="m", revision="r")


def make_home(path: Path, url: str = "") -> Home:
    return Home(path=path, store_url=str(path / "store"), database_url=url, review_url="http://127.0.0.1:3001")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    return make_home(tmp_path, "" if request.param == "sqlite" else request.getfixturevalue("postgres_url"))


def pay(home: Home, text: str, cost: float) -> str:
    asked = ChatRequest(messages=(Message(role="user", content=text),))
    key = request_id(MODEL, asked)
    with open_ledger(home, recipe="demo") as ledger:
        ledger.put(key, MODEL, asked, ChatReply(text="t", prompt_tokens=100, completion_tokens=20, cost_usd=cost))
    return key


def test_costs_are_added_up_exactly_and_each_call_counts_once(home: Home) -> None:
    keys = [pay(home, "a", 0.1), pay(home, "b", 0.2), pay(home, "c", 9.0)][:2]
    found = LedgerCosts(home).read([*keys, keys[0], "0" * 32, "no id \ud800\0"])
    assert found == CostOfCalls(num_calls=4, num_known=2, num_tokens=240, cost_usd=Decimal("0.3"))


def test_a_ledger_that_is_not_there_is_unknown_and_is_not_made(tmp_path: Path) -> None:
    home = make_home(tmp_path / "none")
    assert LedgerCosts(home).read(["0" * 32]) is None
    assert not (tmp_path / "none").exists()
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 100)
    assert LedgerCosts(make_home(tmp_path)).read(["0" * 32]) is None
    unreachable = make_home(tmp_path, "postgresql+psycopg://nobody@127.0.0.1:9/none")
    assert LedgerCosts(unreachable).read(["0" * 32]) is None


def test_a_ledger_that_appears_later_is_read(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    costs = LedgerCosts(home)
    assert costs.read(["0" * 32]) is None
    key = pay(home, "a", 0.5)
    found = costs.read([key])
    assert found is not None
    assert (found.num_known, found.cost_usd) == (1, Decimal("0.5"))
