"""Exactly as many rows as asked for, whatever share is accepted, with at most a tenth of the calls in vain."""

import collections
from collections.abc import Sequence
from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest

from curation.chat_model import ChatReply, ChatRequest
from curation.ids import stable_bucket, stable_fraction
from curation.records import Example, Message, Provenance, Rejection, reject
from curation.synthesis.asking import Ask, Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import STAGE, Inputs, Made, Unit
from curation.synthesis.prompts.template import Template, render
from curation.synthesis.quota import SURPLUS_SHARE, Filled, fill_quotas, mean_figures, wilson_upper
from curation.synthesis.teachers.config import TeacherConfig

PLAIN = Template(template_id="plain-1", system="", text="Say {what}.", schema=None)


def example(key: str) -> Example:
    messages = (Message(role="user", content=key), Message(role="assistant", content="a"))
    provenance = Provenance(origin="synthetic", method="sim", generation_depth=1)
    return Example(key=key, task="sim", messages=messages, group=key, provenance=provenance)


class Simulated:
    """Units of slices in turn; each gives 1 to `most_rows` rows, a share of which is no row but a rejection."""

    name = "sim"

    def __init__(
        self, *, slices: Sequence[str] = ("",), num_units: int = 300, most_rows: int = 1, share_bad: float = 0.0
    ) -> None:
        self.slices, self.num_units, self.most_rows, self.share_bad = slices, num_units, most_rows, share_bad
        self.asked: list[list[str]] = []

    def plan(self, inputs: Inputs) -> list[Unit]:
        return [Unit(key=f"d{number}@{name}#sim", slice=name) for number in range(self.num_units) for name in self.slices]

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        self.asked.append([unit.key for unit in units])
        keys = [f"{unit.key}/{at}" for unit in units for at in range(1 + stable_bucket(unit.key, self.most_rows))]
        bad = {key for key in keys if stable_fraction(key, "bad") < self.share_bad}
        rejections = [reject(example(key), stage=STAGE, reason="bad", detail="d") for key in keys if key in bad]
        return Made(examples=tuple(example(key) for key in keys if key not in bad), rejections=tuple(rejections))


def accept_share(share: float, salt: str = "") -> Any:
    def accept(row: Any) -> Rejection | None:
        if stable_fraction(row.key, f"accept {salt}") < share:
            return None
        return reject(row, stage=STAGE, reason="refused", detail="d")

    return accept


def fill(method: Any, quotas: Any, share: float, max_candidates: int = 10**6, salt: str = "", session: Any = None) -> Filled:
    return fill_quotas(
        method, Inputs(), session, quotas=quotas, max_candidates=max_candidates, accept=accept_share(share, salt)
    )


def check_books(filled: Filled) -> None:
    """Everything that was proposed is a row or a rejection, once."""
    keys = [row.key for row in (*filled.made.examples, *filled.made.rejections)]
    assert len(keys) == len(set(keys)) == sum(filled.num_candidates.values())
    assert len(filled.made.examples) == sum(filled.num_accepted.values())


@hypothesis.settings(max_examples=15)
@hypothesis.given(
    share=st.sampled_from([0.0, 1.0]) | st.floats(0.02, 1.0),
    share_bad=st.sampled_from([0.0, 0.3]),
    most_rows=st.integers(1, 5),
    wanted=st.integers(1, 40),
    slices=st.integers(1, 3),
    salt=st.integers(0, 1000).map(str),
)
def test_exactly_n_or_a_reason(share: float, share_bad: float, most_rows: int, wanted: int, slices: int, salt: str) -> None:
    names = [f"s{number}" for number in range(slices)]
    method = Simulated(slices=names, most_rows=most_rows, share_bad=share_bad)
    filled = fill(method, wanted, share, salt=salt)
    check_books(filled)
    for name in names:
        shortfall = filled.shortfalls.get(name)
        if shortfall is None:
            assert filled.num_accepted[name] == wanted
        else:
            assert shortfall.missing == wanted - filled.num_accepted[name] > 0
            assert shortfall.reason in ("hopeless", "no_units")
            possible = sum(
                stable_fraction(row.key, f"accept {salt}") < share
                for row in Simulated(slices=[name], most_rows=most_rows, share_bad=share_bad)
                .make(Simulated(slices=[name]).plan(Inputs()), session=None)  # type: ignore[arg-type]
                .examples
            )
            assert possible < wanted
    assert filled.num_surplus_units <= SURPLUS_SHARE * (filled.num_units - filled.num_surplus_units)
    again = fill(Simulated(slices=names, most_rows=most_rows, share_bad=share_bad), wanted, share, salt=salt)
    assert again == filled


def test_what_is_accepted_beyond_the_quota_is_rejected_and_says_so() -> None:
    filled = fill(Simulated(most_rows=5), 101, 1.0)
    check_books(filled)
    assert len(filled.made.examples) == 101
    reasons = collections.Counter(rejection.reason for rejection in filled.made.rejections)
    assert set(reasons) <= {"over_quota"}
    assert filled.num_surplus_units <= 3


def test_slices_have_quotas_of_their_own_and_others_are_not_asked() -> None:
    method = Simulated(slices=["en", "de", "fr"])
    filled = fill(method, {"en": 40, "de": 7, "xx": 3}, 0.5)
    assert filled.num_accepted == {"en": 40, "de": 7, "xx": 0}
    assert filled.shortfalls["xx"].reason == "no_units"
    assert not any("@fr" in key for wave in method.asked for key in wave)


def test_a_quota_of_nothing_asks_nothing() -> None:
    method = Simulated()
    assert fill(method, 0, 1.0).num_units == 0
    assert method.asked == []


def test_the_cap_of_candidates_holds() -> None:
    for salt in "abcd":
        filled = fill(Simulated(num_units=400, most_rows=3), 100, 0.4, max_candidates=240, salt=salt)
        assert filled.num_candidates[""] <= 240
        assert not filled.shortfalls or filled.shortfalls[""].reason in ("candidate_cap", "hopeless")
    filled = fill(Simulated(), 20, 1.0, max_candidates=15)
    assert (filled.num_accepted[""], filled.shortfalls[""].reason) == (15, "candidate_cap")


def test_a_hopeless_slice_is_given_up_early() -> None:
    filled = fill(Simulated(num_units=5000), 1000, 0.0)
    assert filled.shortfalls[""].reason == "hopeless"
    assert filled.num_units < 300
    filled = fill(Simulated(num_units=2000), 1000, 0.25)
    assert filled.shortfalls[""].reason == "hopeless"
    assert filled.num_units < 600


def test_a_large_quota_takes_few_waves() -> None:
    assert fill(Simulated(num_units=4000), 1500, 0.5).num_waves <= 15
    assert fill(Simulated(num_units=4000), 1500, 1.0).num_waves <= 15


class Asking(Simulated):
    """Asks a teacher once about each unit."""

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        session.ask([Ask(key=unit.key, prompt=render(PLAIN, what=unit.key)) for unit in units])
        return super().make(units, session)


class Counting:
    provider = endpoint = model = revision = "c"
    is_model = True

    def complete(self, request: ChatRequest) -> ChatReply:
        return ChatReply(text="Yes.")


def test_a_rerun_asks_nothing(ledger: RequestLedger) -> None:
    def run() -> tuple[Filled, int]:
        session = Session([SessionTeacher(config=TeacherConfig(), model=Counting())], ledger)
        return fill(Asking(), 30, 0.6, session=session), session.report.num_calls

    (first, num_first), (second, num_second) = run(), run()
    assert num_first == first.num_units
    assert (second, num_second) == (first, 0)


@pytest.mark.parametrize(("share", "number", "expected"), [(0.0, 20, 0.161), (0.5, 100, 0.596), (1.0, 10, 1.0)])
def test_wilson_bound(share: float, number: int, expected: float) -> None:
    assert wilson_upper(share, number, 1.96) == pytest.approx(expected, abs=0.001)


def test_figures_of_waves_are_those_of_all_units() -> None:
    waves = [(30, {"novelty": 1.0, "rare": 0.5}), (10, {"novelty": 0.2})]
    assert mean_figures(waves) == {"novelty": pytest.approx(0.8), "rare": 0.5}
    assert mean_figures([]) == {}
