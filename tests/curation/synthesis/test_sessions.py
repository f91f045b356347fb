"""A session of several teachers, with their weights and under a budget."""

from pathlib import Path

import pytest

from curation.errors import BudgetExhaustedError, ConfigError, UnknownPriceError
from curation.home import Home
from curation.synthesis.asking import Ask
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.budget.guard import opened_budget
from curation.synthesis.ledger.request_ledger import RequestLedger, open_ledger
from curation.synthesis.prompts.template import STRING, Template, object_schema, render
from curation.synthesis.sessions import opened_session
from curation.synthesis.teachers.config import TeacherConfig
from tests.curation.synthesis.fault_server import chat, fault_server, refuse

TITLE = Template(template_id="title-1", system="Name it.", text="Name {what}.", schema=object_schema({"title": STRING}))
FREE = {"price_input_usd_per_million": 0, "price_output_usd_per_million": 0}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(path=tmp_path, store_url=str(tmp_path / "store"), database_url="", review_url="")


def asks(*whats: str) -> list[Ask]:
    return [Ask(key=what, prompt=render(TITLE, what=what)) for what in whats]


def openai(url: str, name: str, weight: float = 1.0) -> TeacherConfig:
    return TeacherConfig(kind="openai", model=name, base_url=url, weight=weight, max_attempts=1, concurrency=2)


def test_the_teacher_of_weight_0_steps_in(ledger: RequestLedger) -> None:
    with fault_server([refuse(401, "no")]) as gone, fault_server([chat('{"title": "T"}')]) as second:
        configs = [openai(second.url, "second", 0.0), openai(gone.url, "first")]
        with opened_session(configs, ledger) as session:
            answers = session.ask(asks("a", "b"))
    assert [answer.teacher for answer in answers] == ["second"] * 2
    assert [teacher.weight for teacher in session.teachers] == [0.0, 1.0]


def test_the_calls_of_each_key_are_kept(ledger: RequestLedger) -> None:
    with (
        fault_server([chat("prose"), chat('{"title": "T"}')]) as server,
        opened_session([openai(server.url, "m")], ledger) as session,
    ):
        (answer,) = session.ask(asks("a"))
        session.ask(asks("a", "b"))
    assert session.asked["a"] == answer.request_ids
    assert len(session.asked["a"]) == 2
    assert set(session.asked) == {"a", "b"}


def test_teachers_that_do_not_fit_together_are_refused(ledger: RequestLedger) -> None:
    with pytest.raises(ConfigError), opened_session([TeacherConfig(), TeacherConfig()], ledger):
        pass


def test_money_is_limited_only_where_prices_are_known(home: Home) -> None:
    config = TeacherConfig(kind="openai", model="unheard-of")
    with (
        open_ledger(home, recipe="r") as ledger,
        opened_budget(home, BudgetConfig(max_usd=1), recipe="r", ledger=ledger) as budget,
        pytest.raises(UnknownPriceError),
        opened_session([config], ledger, budget=budget),
    ):
        pass


def test_a_session_stops_at_its_budget_and_keeps_what_was_paid_for(home: Home) -> None:
    with fault_server([chat('{"title": "T"}')]) as server, open_ledger(home, recipe="r") as ledger:
        config = openai(server.url, "m")
        for limit, num_paid in ((2500, 7), (2500, 7), (10**6, 40)):
            with (
                opened_budget(home, BudgetConfig(max_tokens=limit), recipe="r", ledger=ledger) as budget,
                opened_session([config], ledger, budget=budget) as session,
            ):
                wanted = asks(*(f"thing {number}" for number in range(40)))
                if limit < 10**6:
                    with pytest.raises(BudgetExhaustedError):
                        session.ask(wanted)
                else:
                    assert len(session.ask(wanted)) == 40
            assert ledger.totals().num_calls == len(server.requests)
            assert ledger.totals().num_calls <= (20 if limit < 10**6 else 40)
            assert ledger.totals().num_calls >= num_paid
    assert len(server.requests) == 40
