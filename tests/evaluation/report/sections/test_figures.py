"""The figures of the sections, against values worked out by hand."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.records import AnswerConfidence
from evaluation.report.inputs import ReportInputs
from evaluation.report.sections import (
    answers,
    calibration,
    costs,
    forgetting,
    guards,
    labels,
    lengths,
    memorisation,
    scores,
    slices,
)
from evaluation.report.sections.calibration import Sure, calibrate, chosen_answers, written_answers
from evaluation.report.sections.labels import confusions, label_rows
from evaluation.report.sections.lengths import bin_edges


def sure(*pairs: tuple[float, bool]) -> list[Sure]:
    return [Sure(confidence, is_right, str(number)) for number, (confidence, is_right) in enumerate(pairs)]


def test_calibration_error_and_brier_score() -> None:
    found = calibrate(sure((0.95, True), (0.95, True), (0.95, False), (0.25, False)))
    assert found.ece == pytest.approx(3 / 4 * abs(2 / 3 - 0.95) + 1 / 4 * 0.25)
    assert found.brier == pytest.approx((2 * 0.05**2 + 0.95**2 + 0.25**2) / 4)
    assert [(item.num_answers, item.accuracy) for item in found.bins] == [(1, 0.0), (3, pytest.approx(2 / 3))]
    certain = calibrate(sure(*[(1.0, True)] * 5))
    assert (certain.ece, certain.low, certain.high, certain.by_chance) == (0, 0, 0, 0)


def test_the_interval_of_a_calibration_error_is_that_of_its_groups() -> None:
    alone = sure(*[(0.9, number % 3 > 0) for number in range(120)])
    by_ten = [each._replace(group=str(number // 10)) for number, each in enumerate(alone)]
    alike = [each._replace(group=str(number // 10), is_right=number // 10 % 3 > 0) for number, each in enumerate(alone)]
    found, grouped, bunched = calibrate(alone), calibrate(by_ten), calibrate(alike)
    assert found.ece == pytest.approx(0.9 - 2 / 3)
    assert found.low < found.ece < found.high
    assert bunched.high - bunched.low > 2 * (grouped.high - grouped.low)
    assert calibrate(alone) == found


def test_an_honest_model_shows_no_more_than_chance() -> None:
    draw = random.Random(5)
    pairs = [(share, draw.random() < share) for share in (draw.random() for _ in range(400))]
    found = calibrate(sure(*pairs))
    assert found.by_chance == pytest.approx(found.ece, abs=0.025)
    assert 0.02 < found.by_chance < 0.08
    assert calibrate(sure(*[(0.95, number % 2 == 0) for number in range(400)])).ece > 0.4


def test_confidence_is_a_share_of_likelihood(full: ReportInputs) -> None:
    row = next(answer for answer in full.answers if answer.task == "sums" and answer.comparator == "candidate")

    def chosen(likelihoods: tuple[float, ...]) -> list[Sure | None]:
        weighed = replace(full, answers=(replace(row, log_likelihoods=likelihoods),), scores=scored)
        return chosen_answers(weighed).get("candidate", [])

    scored = tuple(replace(score, value=1.0) for score in full.scores if score.key == f"{row.key}#accuracy")
    assert chosen((math.log(0.6), math.log(0.3), math.log(0.1))) == [(pytest.approx(0.6), True, row.group)]
    assert chosen((-3.0,)) == [], "one text is no choice"
    assert chosen((-math.inf, -math.inf)) == [None]
    assert chosen((-2.0, -math.inf)) == [(1.0, True, row.group)]


def test_confidence_of_a_written_answer_is_the_mean_probability_of_its_tokens(full: ReportInputs) -> None:
    answer = next(answer for answer in full.answers if answer.task == "routing" and answer.comparator == "candidate")
    told = (AnswerConfidence(key=answer.key, mean_log_probability=math.log(0.7)),)
    mine = replace(full, answers=(answer,), confidences=told)
    right = next(score.value for score in full.scores if score.key == f"{answer.key}#exact_match")
    assert written_answers(mine) == {"candidate": [(pytest.approx(0.7), right == 1, answer.group)]}
    assert written_answers(replace(mine, confidences=())) == {"candidate": [None]}
    assert written_answers(replace(mine, answers=(replace(answer, error="endpoint down"),))) == {}
    assert written_answers(replace(mine, answers=(replace(answer, num_tokens=0),))) == {}, "no model was asked"
    by_words = replace(full.comparison, metric="token_f1")
    assert written_answers(replace(mine, comparison=by_words)) == {}, "a share of words is not right or wrong"


def test_answers_of_one_group_leave_the_calibration_error_open() -> None:
    found = calibrate([Sure(0.9, number % 2 == 0, "one") for number in range(40)])
    assert found.ece == pytest.approx(0.4)
    assert (found.low, found.high) == (0.0, 1.0)


def test_calibration_is_shown_where_models_said_how_sure_they_were(full: ReportInputs, plain: ReportInputs) -> None:
    found = calibration.section(full)
    assert found is not None
    told = [(text.partition(":")[0], [row.comparator for row in rows]) for text, rows in found.values["parts"]]
    everybody = ["base", "champion", "candidate"]
    assert told == [("Choices", everybody), ("Written answers", everybody)]
    assert calibration.section(plain) is None
    some = [row for row in full.confidences if not row.key.startswith("candidate/") or row.key.endswith("/0")]
    (_, _), (_, rows) = calibration.section(replace(full, confidences=tuple(some))).values["parts"]  # type: ignore[union-attr]
    row = rows[-1]
    assert (row.comparator, row.num_answers, row.num_unknown) == ("candidate", 20, 40)


@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=40))
def test_bins_hold_every_length(values: list[int]) -> None:
    edges = bin_edges(values)
    if edges is None:
        assert len(set(values)) == 1
    else:
        assert edges[0] <= min(values)
        assert edges[-1] > max(values)
        assert edges == sorted(edges)


def test_lengths_of_all_are_counted_and_chosen_answers_left_out(full: ReportInputs) -> None:
    found = lengths.section(full)
    assert found is not None
    assert [row.label for row in found.values["rows"]] == ["base", "champion", "candidate", "reference"]
    references = [
        len(answer.reference) for answer in full.answers if answer.comparator == "candidate" and answer.task == "routing"
    ]
    assert found.values["rows"][-1].longest == max(references)
    alike = replace(full, answers=tuple(replace(row, answer="a", reference="b") for row in full.answers))
    assert lengths.section(alike) is None


def test_labels_and_mistakes_are_counted(full: ReportInputs) -> None:
    rows = {row.label: row for row in label_rows(full)}
    assert sum(row.num_items for row in rows.values()) == 60, "those of the main task only"
    wrong = sum(round(row.num_items * (1 - row.candidate)) for row in rows.values())
    assert sum(item.num_items for item in confusions(full, limit=1000)) == wrong
    assert labels.section(full) is not None


def test_guards_that_do_not_hold_come_first(full: ReportInputs) -> None:
    first, *others = full.comparison.guards
    failed, unsure = replace(first, verdict="fail", decisive=True), replace(first, verdict="undecided", decisive=False)
    mixed = replace(full.comparison, guards=(*others, failed, unsure))
    found = guards.section(replace(full, comparison=mixed))
    assert found is not None
    states = [(row.item.verdict, row.item.decisive) for row in found.values["rows"]]
    assert states[0] == ("fail", True)
    assert [decisive for _, decisive in states] == sorted((decisive for _, decisive in states), reverse=True)


def test_slices_behind_beyond_chance_are_named(full: ReportInputs) -> None:
    first = replace(full.comparison.slices[0], difference=-0.3, low=-0.5, high=-0.1)
    found = slices.section(replace(full, comparison=replace(full.comparison, slices=(first, *full.comparison.slices[1:]))))
    assert found is not None
    assert found.values["behind"] == [(first.task, first.slice)]


def test_costs_are_plotted_over_price_or_else_latency(full: ReportInputs) -> None:
    found = costs.section(full)
    assert found is not None
    assert found.values["over"] == "USD for 1,000 requests"
    free = tuple(replace(item, cost_per_1000_usd=None) for item in full.comparison.summaries)
    timed = costs.section(replace(full, comparison=replace(full.comparison, summaries=free)))
    assert timed is not None
    assert timed.values["over"] == "median latency, ms"
    rows = {row.comparator: row for row in found.values["rows"]}
    assert rows["majority"].p50 == "not measured"
    assert rows["candidate"].price.startswith("$")


def test_scores_have_a_table_for_each_task_and_links_to_the_items(full: ReportInputs) -> None:
    found = scores.section(full).values
    assert [table.task for table in found["tasks"]] == ["routing", "sums"]
    base = found["paired"][0]
    assert base.better + base.worse + base.equal == full.comparison.num_items
    assert base.link("worse") == {"data-against": "base", "data-outcome": "worse"}


def test_forgetting_and_memorisation_are_told(full: ReportInputs) -> None:
    lost = forgetting.section(full)
    assert lost is not None
    verdicts = {row.area: row.verdict for row in lost.values["rows"]}
    assert verdicts["instruction_following"] == "forgotten"
    assert verdicts["code"] == "nothing to forget"
    assert len(lost.values["plots"]) == 2
    known = memorisation.section(full)
    assert known is not None
    assert known.values["rows"][0].counted == "12 of 200"


def test_without_scripts_the_most_telling_answers_come_first(full: ReportInputs) -> None:
    rows = answers.plain_rows(full)
    order = [("lost", "wrong", "gained", "right").index(row.state) for row in rows]
    assert order == sorted(order)
    assert len(answers.section(full).values["rows"]) == answers.SHOWN_WITHOUT_SCRIPTS
