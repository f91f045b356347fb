from dataclasses import replace

import pytest

from evaluation.report.inputs import ReportInputs
from evaluation.report.sections.verdict import BADGES, BEYOND, FORGOTTEN, HEADLINES, UNHEARD, overall, section
from tests.evaluation.report.made_report import FORGETTING, JUDGES


def passing(inputs: ReportInputs, **changes: object) -> ReportInputs:
    return replace(inputs, comparison=replace(inputs.comparison, verdict="pass"), **changes)  # type: ignore[arg-type]


def test_the_verdict_is_that_of_the_comparison(full: ReportInputs) -> None:
    for verdict in ("pass", "fail", "undecided"):
        inputs = replace(full, comparison=replace(full.comparison, verdict=verdict), judges={})  # type: ignore[arg-type]
        found = section(inputs)
        assert found.title == HEADLINES[verdict]
        assert found.values["badge"] == BADGES[verdict]
        assert found.values["next"]


def test_a_better_model_that_forgot_too_much_is_not_called_ready(full: ReportInputs) -> None:
    assert overall(passing(full, forgetting_blocks=True)) == ("fail", FORGOTTEN)
    assert overall(passing(full, forgetting_blocks=False))[0] == "pass", "where the recipe lets it pass"
    kept = replace(FORGETTING, areas=FORGETTING.areas[:1])
    assert overall(passing(full, forgetting_blocks=True, forgetting=kept))[0] == "pass"
    unsure = replace(FORGETTING, areas=FORGETTING.areas[:2])
    assert overall(passing(full, forgetting_blocks=True, forgetting=unsure))[0] == "undecided"
    assert "Train gentler" in section(passing(full, forgetting_blocks=True)).values["next"]


def test_judges_that_a_release_needs_are_heard(full: ReportInputs) -> None:
    judges = {**JUDGES, "gates": True, "verdict": "undecided"}
    assert overall(passing(full, judges=judges)) == ("undecided", UNHEARD)
    assert overall(passing(full, judges={**judges, "gates": False}))[0] == "pass"


def test_a_model_beyond_a_limit_of_the_release_is_not_called_ready(full: ReportInputs) -> None:
    told = "The candidate's latency (p95) is 0.8 s; at most 0.5 s is allowed."
    inputs = passing(full, judges={}, obstacles=(told,))
    assert overall(inputs) == ("fail", BEYOND)
    found = section(inputs).values
    assert told in found["reason"]
    assert found["next"] == f"Keep what is live. {told}"


def test_three_numbers_decide(full: ReportInputs, plain: ReportInputs) -> None:
    titles = [fact.title for fact in section(full).values["facts"]]
    assert titles == ["Ahead of its base", "Against the champion", "Forgotten"]
    without = [fact.title for fact in section(replace(full, forgetting=None)).values["facts"]]
    assert without[2] == "Worst of what is guarded"
    assert [fact.title for fact in section(plain).values["facts"]] == ["Ahead of its base", "Candidate", "p-value"]


def test_a_hurt_guard_is_shown_rather_than_what_was_forgotten(full: ReportInputs) -> None:
    hurt = replace(full.comparison.guards[0], low=-0.3, difference=-0.2, verdict="fail")
    fact = section(replace(full, comparison=replace(full.comparison, guards=(hurt,)))).values["facts"][2]
    assert (fact.title, fact.value, fact.state) == ("Worst of what is guarded", "-20.0", "fail")


@pytest.mark.parametrize(("worse", "told"), [(0, "no answer got worse"), (1, "the 1 answer that"), (3, "the 3 answers that")])
def test_what_to_do_counts_what_got_worse(plain: ReportInputs, worse: int, told: str) -> None:
    base = replace(plain.comparison.differences[0], num_worse=worse)
    inputs = replace(plain, comparison=replace(plain.comparison, verdict="pass", differences=(base,)))
    assert told in section(inputs).values["next"]
