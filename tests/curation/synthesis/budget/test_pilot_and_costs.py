"""What a pilot and what rows cost is read from the ledger, call by call."""

import dataclasses
import itertools
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from curation.chat_model import ChatReply, ChatRequest
from curation.ids import stable_fraction
from curation.records import Example, Message, Provenance, Rejection
from curation.synthesis.asking import Ask, Session, SessionTeacher
from curation.synthesis.budget.costs import attribute_costs, cost_per_row
from curation.synthesis.budget.pilot import name_prices, plan_asks, read_spent, run_pilot
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import STAGE, Inputs, Made, Unit
from curation.synthesis.prompts.template import Template, render
from curation.synthesis.teachers.config import TeacherConfig

PLAIN = Template(template_id="plain-1", system="", text="Say {what}.", schema=None)
PRICES: dict[str, Any] = {"price_input_usd_per_million": 1, "price_output_usd_per_million": 10}
CONFIG = TeacherConfig(kind="openai", model="m", base_url="http://127.0.0.1:9/v1", **PRICES)


class Teacher:
    """A token a byte of the prompt, ten for the reply."""

    provider = endpoint = model = revision = "m"
    is_model = True

    def __init__(self) -> None:
        self.num_asked = 0

    def complete(self, request: ChatRequest) -> ChatReply:
        self.num_asked += 1
        size = len(request.messages[-1].content)
        cost = (size + 100) / 1e6
        return ChatReply(text="Yes.", prompt_tokens=size, completion_tokens=10, cost_usd=cost)


class Talk:
    """Asks twice about each unit and makes a row of it."""

    name = "talk"

    def plan(self, inputs: Inputs) -> list[Unit]:
        return [Unit(key=f"doc{number}#talk", payload="x" * (10 + number)) for number in range(40)]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        prompts = [(unit, part, render(PLAIN, what=f"{unit.payload} {part}")) for unit in units for part in (0, 1)]
        session.ask([Ask(key=f"{unit.key}/{part}", prompt=prompt) for unit, part, prompt in prompts])
        return Made()


def open_session(ledger: RequestLedger, model: Teacher, config: TeacherConfig = CONFIG) -> Session:
    return Session([SessionTeacher(config=config, model=model)], ledger)


def test_a_pilot_tells_what_all_costs_and_is_not_paid_for_again(ledger: RequestLedger) -> None:
    model, method = Teacher(), Talk()
    units = method.plan(Inputs())
    session = open_session(ledger, model)
    found = run_pilot([(method, units)], session, ledger, num_pilot=10, seed=0)
    assert found is not None
    assert model.num_asked == 20
    assert found.price_versions == ("recipe",)
    method.make(units, session)
    assert model.num_asked == 80
    true = ledger.totals()
    assert found.cost_usd.value == pytest.approx(float(true.cost_usd), rel=0.02)
    assert found.tokens.value == pytest.approx(true.prompt_tokens + true.completion_tokens, rel=0.02)
    assert run_pilot([(method, units)], session, ledger, num_pilot=0, seed=0) is None
    assert run_pilot([(method, [])], session, ledger, num_pilot=10, seed=0) is None


class Moody(Teacher):
    """Its replies differ by a factor of up to thirty, for no reason that can be seen beforehand."""

    def complete(self, request: ChatRequest) -> ChatReply:
        reply = super().complete(request)
        factor = 1 + 30 * stable_fraction(request.messages[-1].content, "mood") ** 4
        return dataclasses.replace(reply, completion_tokens=int(10 * factor), cost_usd=factor * 1e-4)


def test_a_pilot_that_leaves_too_much_open_is_enlarged(ledger: RequestLedger) -> None:
    model, method = Moody(), Talk()
    units = [Unit(key=f"doc{number}#talk", payload=f"{number}") for number in range(200)]
    found = run_pilot([(method, units)], open_session(ledger, model), ledger, num_pilot=10, seed=0)
    assert found is not None
    assert found.num_pilot == 40
    assert model.num_asked == 80
    assert not found.is_close


def test_a_teacher_without_a_price_is_named(ledger: RequestLedger) -> None:
    config = TeacherConfig(kind="openai", model="unheard-of", base_url="http://127.0.0.1:9/v1")
    session = open_session(ledger, Teacher(), config)
    assert "unheard-of" in name_prices(session)
    found = run_pilot([(Talk(), Talk().plan(Inputs()))], session, ledger, num_pilot=5, seed=0)
    assert found is not None
    assert found.unknown_prices == ("unheard-of",)


def test_samples_of_one_key_are_one_plan() -> None:
    prompt = render(PLAIN, what="this")
    (planned,) = plan_asks([Ask(key="a", prompt=prompt, sample_index=number) for number in range(3)])
    assert (planned.key, planned.stratum, planned.size) == ("a", "plain-1", 3 * len("Say this."))


def test_what_was_not_asked_cost_nothing(ledger: RequestLedger) -> None:
    assert read_spent(["a"], {}, ledger)["a"].cost_usd == 0


# -- costs of rows ----------------------------------------------------------------------------------------------------


def pay(ledger: RequestLedger, **costs: float) -> None:
    for name, cost in costs.items():
        ledger.put(name, Teacher(), ChatRequest(messages=()), ChatReply(text=name, prompt_tokens=10, cost_usd=cost))


def row(key: str, *request_ids: str) -> Example:
    return Example(
        key=key,
        task="t",
        messages=(Message(role="user", content="q"), Message(role="assistant", content="a")),
        group="g",
        provenance=Provenance(origin="synthetic", method="raft", request_ids=request_ids),
    )


def rejection(key: str, reason: str) -> Rejection:
    return Rejection(key=key, stage=STAGE, reason=reason, detail="d", record_hash="h", excerpt="")


def test_a_call_is_split_among_what_came_of_it(ledger: RequestLedger) -> None:
    pay(ledger, a=6.0, b=2.0, c=1.0, d=0.5)
    table = attribute_costs(
        rows=[row("doc#raft/0", "a"), row("doc#raft/1", "a", "b"), row("doc#raft/2", "b")],
        rejections=[
            rejection("doc#raft/3", "ungrounded"),
            rejection("doc#raft/2", "near_duplicate"),
            rejection("new#raft", "empty_reply"),
            rejection("gone#raft", "no_text"),
        ],
        asked={"doc#raft": ["a"], "new#raft/0": ["c"], "idle#raft": ["d"]},
        ledger=ledger,
        accepted={"doc#raft/0", "doc#raft/1"},
        approved={"doc#raft/1"},
        prices="recipe",
    )
    costs = {(line["outcome"], line["reason"]): (line["rows"], line["cost_usd"]) for line in table}
    assert costs == {
        ("approved", ""): (1, Decimal(3)),
        ("accepted", ""): (1, Decimal(2)),
        ("rejected", "near_duplicate"): (1, Decimal(1)),
        ("rejected", "ungrounded"): (1, Decimal(2)),
        ("rejected", "empty_reply"): (1, Decimal(1)),
        ("rejected", "no_text"): (1, Decimal(0)),
        ("unused", ""): (0, Decimal("0.5")),
    }
    assert {line["prices"] for line in table} == {"recipe"}
    summary, in_all = cost_per_row(table)
    assert (summary["method"], in_all["method"]) == ("raft", "all")
    assert (summary["usd_per_accepted"], summary["usd_per_approved"]) == (Decimal("4.75"), Decimal("9.5"))


def test_the_table_adds_up_to_what_was_paid(ledger: RequestLedger) -> None:
    names = [f"r{number}" for number in range(12)]
    pay(ledger, **{name: 0.1 * (at + 1) for at, name in enumerate(names)})
    rows = [row(f"doc#raft/{at}", *pair) for at, pair in enumerate(itertools.combinations(names, 2))]
    table = attribute_costs(rows=rows, rejections=[], asked={}, ledger=ledger, accepted={rows[3].key})
    assert sum(line["cost_usd"] for line in table) == pytest.approx(ledger.totals().cost_usd)
    assert sum(line["calls"] for line in table) == pytest.approx(12)
    assert [line["outcome"] for line in table] == ["accepted", "pending"]


def test_where_nothing_is_accepted_a_row_has_no_price(ledger: RequestLedger) -> None:
    pay(ledger, a=1.0)
    table = attribute_costs(rows=[row("doc#raft/0", "a")], rejections=[], asked={}, ledger=ledger, accepted=())
    assert cost_per_row(table)[-1]["usd_per_accepted"] is None
