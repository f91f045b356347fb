"""What a row looks like after its verdict, and what a rejection says, word for word: people read it in reports."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from curation.records import (
    Decision,
    Document,
    Example,
    Message,
    PreferencePair,
    Provenance,
    Rejection,
    ToolCall,
    UnpairedPreference,
    Verdict,
    VerifiableTask,
)
from curation.review.config import ReviewConfig
from curation.review.documents import DocumentReview, document_item_key
from curation.review.items import Row, item_key
from curation.review.lots.config import LotConfig
from curation.review.lots.inspection import inspect_rows
from curation.review.verdicts import Verified, apply_verdicts, kto_labels

ALL = ReviewConfig()
NONE = ReviewConfig(policy="none")

Make = Callable[..., Example]
MakePair = Callable[..., PreferencePair]


def verdict(row: Row, decision: Decision, **values: Any) -> dict[str, Verdict]:
    key = item_key(row, ALL)
    given: dict[str, Any] = {
        "reviewer": "Ada",
        "reviewer_kind": "human",
        "reason": "",
        "edited_answer": "",
        "created_at": "",
        "sequence": 7,
    }
    return {key: Verdict(key=key, decision=decision, **(given | values))}


def apply(rows: list[Example], verdicts: dict[str, Verdict], **values: Any) -> Verified:
    return apply_verdicts(rows, values.pop("pairs", []), verdicts=verdicts, **({"config": ALL} | values))


def detail(verified: Verified) -> tuple[str, str]:
    (rejection,) = verified.rejections
    assert isinstance(rejection, Rejection)
    assert rejection.stage == "verified_examples"
    return rejection.reason, rejection.detail


def test_a_rejection_says_who_and_why(make_example: Make) -> None:
    row = make_example()
    out = apply([row], verdict(row, "reject", reason="wrong: no such part"))
    assert detail(out) == ("rejected_by_reviewer", "Ada (verdict 7) rejected it: wrong: no such part.")
    out = apply([row], verdict(row, "reject"))
    assert detail(out) == ("rejected_by_reviewer", "Ada (verdict 7) rejected it: no reason given.")


def test_a_row_that_waits_says_for_what(make_example: Make) -> None:
    assert detail(apply([make_example()], {})) == ("awaiting_review", "No human verdict yet; policy is `all`.")


@pytest.mark.parametrize(("decision", "words"), [("tie", "tie"), ("both_bad", "both bad")])
def test_a_pair_without_a_better_answer_says_so(
    make_example: Make, make_pair: MakePair, decision: Decision, words: str
) -> None:
    pair = make_pair(make_example())
    out = apply([], verdict(pair, decision), pairs=[pair])
    assert detail(out) == ("rejected_by_reviewer", f"Ada (verdict 7) called it {words}.")
    assert out.pairs == []


@pytest.mark.parametrize("decision", ["reject", "edit"])
def test_a_pair_whose_example_was_overruled_names_it(make_example: Make, make_pair: MakePair, decision: Decision) -> None:
    row = make_example()
    out = apply([row], verdict(row, decision, edited_answer="better"), pairs=[make_pair(row)])
    (rejection,) = [found for found in out.rejections if found.reason == "parent_rejected"]
    assert rejection.detail == f"Ada (verdict 7) chose {decision} for its example {row.key}."
    assert out.open_items == {}


def test_a_pair_waits_passes_or_is_kept_like_any_row(make_example: Make, make_pair: MakePair) -> None:
    pair = make_pair(make_example())
    out = apply([], {}, pairs=[pair])
    assert (out.pairs, out.open_items) == ([], {item_key(pair, ALL): pair.key})
    assert apply([], {}, pairs=[pair], config=NONE).pairs == [pair]
    assert apply([], verdict(pair, "approve"), pairs=[pair]).open_items


def test_an_edited_row_is_a_row_of_its_own_that_calls_no_tools(make_example: Make) -> None:
    plain = make_example()
    call = ToolCall(id="1", name="find", arguments="{}")
    row = dataclasses.replace(plain, messages=(*plain.prompt, dataclasses.replace(plain.messages[-1], tool_calls=(call,))))
    out = apply([row], verdict(row, "edit", edited_answer="better"))
    (edited,), (pair,) = out.examples, out.pairs
    assert edited == dataclasses.replace(
        row,
        key=f"{row.key}/edit",
        messages=(*row.prompt, Message(role="assistant", content="better")),
        provenance=dataclasses.replace(row.provenance, method="edit", origin="human", parents=(row.key,)),
    )
    assert pair == PreferencePair(
        key=f"{row.key}/edit/pair",
        task=row.task,
        prompt=row.prompt,
        chosen="better",
        rejected=row.answer,
        rejected_kind="edited_away",
        group=row.group,
        split=row.split,
        provenance=dataclasses.replace(edited.provenance, parents=(row.key, edited.key)),
    )
    assert (out.num_added, out.rejections) == (1, [])


def test_two_edits_add_two_pairs(make_example: Make) -> None:
    rows = [make_example(1), make_example(2)]
    said = verdict(rows[0], "edit", edited_answer="a") | verdict(rows[1], "edit", edited_answer="b")
    assert (apply(rows, said).num_added, apply(rows[:1], {}).num_added) == (2, 0)


def test_a_pair_that_was_preferred_the_other_way_round_is_turned(make_example: Make, make_pair: MakePair) -> None:
    pair = make_pair(make_example())
    (turned,) = apply([], verdict(pair, "prefer_b"), pairs=[pair]).pairs
    assert turned == dataclasses.replace(
        pair,
        key=f"{pair.key}/swap",
        chosen=pair.rejected,
        rejected=pair.chosen,
        rejected_kind="not_preferred",
        provenance=dataclasses.replace(pair.provenance, method="preference", parents=(pair.key, *pair.provenance.parents)),
    )


def make_task() -> VerifiableTask:
    return VerifiableTask(
        key="sum/0",
        task="sum",
        prompt=(Message(role="user", content="1 + 1 = ?"),),
        reference="3",
        grader="number",
        group="g",
        provenance=Provenance(origin="synthetic", method="sum", generation_depth=1),
    )


def test_a_corrected_reference_is_a_persons() -> None:
    task = make_task()
    (corrected,) = apply([], verdict(task, "edit", edited_answer="2"), tasks=[task]).tasks
    provenance = dataclasses.replace(task.provenance, method="edit", origin="human", parents=("sum/0",))
    assert corrected == dataclasses.replace(task, key="sum/0/edit", reference="2", provenance=provenance)
    out = apply([], verdict(task, "reject", reason="off"), tasks=[task])
    assert detail(out) == ("rejected_by_reviewer", "Ada (verdict 7) rejected it: off.")
    assert out.tasks == []


def test_without_a_policy_tasks_and_pairs_pass_unread(make_example: Make, make_pair: MakePair) -> None:
    task, pair = make_task(), make_pair(make_example())
    said = verdict(task, "reject") | verdict(pair, "prefer_b")
    out = apply([], said, pairs=[pair], tasks=[task], config=NONE)
    assert (out.tasks, out.pairs, out.decided_by) == ([task], [pair], {})
    assert apply([], verdict(task, "approve"), tasks=[task]).tasks == [task]


def test_without_a_policy_only_required_rows_are_read(make_example: Make) -> None:
    rows = [make_example(number) for number in range(3)]
    said = verdict(rows[0], "reject") | verdict(rows[1], "reject")
    out = apply(rows, said, config=NONE, required={rows[0].key, rows[2].key})
    assert out.examples == [rows[1]]
    assert out.open_items == {item_key(rows[2], NONE): rows[2].key}
    assert out.decided_by == {item_key(rows[0], NONE): "human"}
    assert out.rejections[1].detail == "No human verdict yet; policy is `none`."


def test_who_decided_is_told_for_rows_in_scope_only(make_example: Make) -> None:
    rows = [make_example(number) for number in range(2)]
    said = verdict(rows[0], "approve") | verdict(rows[1], "approve", reviewer_kind="automatic")
    out = apply(rows, said)
    assert out.decided_by == {item_key(rows[0], ALL): "human", item_key(rows[1], ALL): "automatic"}
    outside = ReviewConfig(policy="sample", share=1e-9)
    assert apply(rows, said, config=outside).decided_by == {}
    assert apply(rows, said, config=outside, required={rows[1].key}).decided_by == {item_key(rows[1], ALL): "automatic"}
    assert apply(rows[:1], {}, config=outside, required={rows[0].key}).examples == []


def test_rows_that_share_a_text_wait_as_one_item(make_example: Make) -> None:
    rows = [make_example(1, question="same?"), make_example(2, question="same?")]
    out = apply(rows, {})
    assert out.open_items == {item_key(rows[0], ALL): rows[0].key}
    assert [rejection.key for rejection in out.rejections] == [row.key for row in rows]


def test_a_label_keeps_what_the_example_was(make_example: Make) -> None:
    rows = [make_example(number) for number in range(5)]
    said = verdict(rows[0], "approve") | verdict(rows[1], "reject") | verdict(rows[2], "edit", edited_answer="x")
    said |= verdict(rows[3], "tie")
    good, bad = kto_labels(rows, verdicts=said, config=ALL)
    assert good == UnpairedPreference(
        key=f"{rows[0].key}/desirable",
        task=rows[0].task,
        prompt=rows[0].prompt,
        answer=rows[0].answer,
        is_desirable=True,
        group=rows[0].group,
        split=rows[0].split,
        provenance=dataclasses.replace(rows[0].provenance, parents=(rows[0].key,)),
    )
    assert (bad.key, bad.is_desirable, bad.answer) == (f"{rows[1].key}/undesirable", False, rows[1].answer)


LOTS = ReviewConfig(lots=LotConfig(n=2, c=0, quality_level=0.7))


def test_rows_outside_the_sample_of_an_undecided_lot_say_how_far_it_is(make_example: Make) -> None:
    rows = [make_example(number) for number in range(6)]
    (report,) = inspect_rows(rows, {}, LOTS).reports
    sampled = [row for row in rows if item_key(row, LOTS) in report.sample]
    rest = [row for row in rows if row not in sampled]
    out = apply(rows, verdict(sampled[0], "approve"), config=LOTS)
    assert out.examples == sampled[:1]
    assert out.open_items == {item_key(sampled[1], LOTS): sampled[1].key}
    said = {rejection.key: (rejection.reason, rejection.detail) for rejection in out.rejections}
    held = "Its lot example/routing is undecided: 1 of 2 items of its sample were inspected."
    assert said.pop(sampled[1].key) == ("awaiting_review", "No human verdict yet; policy is `all`.")
    assert said == {row.key: ("awaiting_review", held) for row in rest}
    wanted = apply(rows, verdict(sampled[0], "approve"), config=LOTS, required={rest[0].key})
    assert rest[0].key in wanted.open_items.values()


def test_an_accepted_lot_passes_but_for_rows_that_have_to_be_reviewed(make_example: Make) -> None:
    rows = [make_example(number) for number in range(6)]
    (report,) = inspect_rows(rows, {}, LOTS).reports
    sampled = [row for row in rows if item_key(row, LOTS) in report.sample]
    rest = [row for row in rows if row not in sampled]
    said = verdict(sampled[0], "approve") | verdict(sampled[1], "approve")
    assert apply(rows, said, config=LOTS).examples == rows
    out = apply(rows, said, config=LOTS, required={rest[0].key})
    assert out.open_items == {item_key(rest[0], LOTS): rest[0].key}
    assert out.examples == [row for row in rows if row is not rest[0]]


def test_a_drawn_pair_is_still_inspected_though_its_example_was_rejected(make_example: Make, make_pair: MakePair) -> None:
    rows = [make_example(number) for number in range(4)]
    pairs = [make_pair(row) for row in rows]
    drawn = {key for report in inspect_rows([*rows, *pairs], {}, LOTS).reports for key in report.sample}
    pair = next(pair for pair in pairs if item_key(pair, LOTS) in drawn)
    parent = rows[pairs.index(pair)]
    out = apply(rows, verdict(parent, "reject"), pairs=pairs, config=LOTS, required={parent.key})
    assert out.open_items[item_key(pair, LOTS)] == pair.key
    assert "parent_rejected" in {rejection.reason for rejection in out.rejections if rejection.key == pair.key}


def test_what_rests_on_a_rejected_document_is_rejected_whatever_was_said_of_it(make_example: Make, make_pair: MakePair) -> None:
    config = ReviewConfig(documents="all")
    document = Document(
        key="api/f0", source="s", title="t", kind="text", text="text", sections=(), group="g", license="", output_terms=""
    )
    example = make_example(0)
    pair = make_pair(example)
    task = dataclasses.replace(make_task(), provenance=example.provenance)
    said = verdict(example, "approve") | verdict(pair, "prefer_a") | verdict(task, "approve")
    key = document_item_key(document, config)
    said[key] = dataclasses.replace(verdict(example, "reject")[item_key(example, ALL)], key=key)
    out = apply([example], said, pairs=[pair], tasks=[task], config=config, documents=DocumentReview(documents=[document]))
    assert (out.examples, out.pairs, out.tasks, out.documents) == ([], [], [], [])
    reasons = {rejection.key: rejection.reason for rejection in out.rejections}
    assert {reasons[row.key] for row in (example, pair, task)} == {"document_rejected"}
    assert out.open_items == {}
