"""What verdicts do to rows."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.records import (
    Decision,
    Example,
    Message,
    PreferencePair,
    Provenance,
    ReviewerKind,
    Verdict,
    VerifiableTask,
)
from curation.review.config import ReviewConfig
from curation.review.items import Row, item_key
from curation.review.verdicts import apply_verdicts, kto_labels

ALL = ReviewConfig()


def verdict(
    row: Row,
    decision: Decision,
    *,
    edited_answer: str = "",
    kind: ReviewerKind = "human",
    sequence: int = 1,
) -> dict[str, Verdict]:
    key = item_key(row, ALL)
    return {
        key: Verdict(
            key=key,
            sequence=sequence,
            decision=decision,
            reviewer="Ada",
            reviewer_kind=kind,
            reason="wrong",
            edited_answer=edited_answer,
            created_at="2026-11-23T10:00:00+00:00",
        )
    }


def test_approve_keeps_and_reject_drops_with_reviewer_and_reason(make_example: Callable[..., Example]) -> None:
    good, bad = make_example(1), make_example(2)
    out = apply_verdicts([good, bad], [], verdicts=verdict(good, "approve") | verdict(bad, "reject"), config=ALL)
    assert out.examples == [good]
    (rejection,) = out.rejections
    assert (rejection.key, rejection.reason, rejection.stage) == (bad.key, "rejected_by_reviewer", "verified_examples")
    assert "Ada" in rejection.detail
    assert "wrong" in rejection.detail
    assert not out.open_items


def test_an_edit_gives_the_edited_row_and_a_pair_against_the_original(make_example: Callable[..., Example]) -> None:
    row = make_example()
    out = apply_verdicts([row], [], verdicts=verdict(row, "edit", edited_answer='{"part":"dates"}'), config=ALL)
    (edited,), (pair,) = out.examples, out.pairs
    assert edited.answer == '{"part":"dates"}'
    assert edited.prompt == row.prompt
    assert (edited.provenance.method, edited.provenance.origin) == ("edit", "human")
    assert edited.provenance.parents == (row.key,)
    assert edited.provenance.generation_depth == row.provenance.generation_depth
    assert (edited.group, edited.split) == (row.group, row.split)
    assert (pair.chosen, pair.rejected, pair.rejected_kind) == (edited.answer, row.answer, "edited_away")
    assert (pair.group, pair.split) == (row.group, row.split)
    assert out.num_added == 1


def test_preferences_keep_swap_or_drop_a_pair(
    make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    pairs = [make_pair(make_example(number)) for number in range(4)]
    decisions: list[Decision] = ["prefer_a", "prefer_b", "tie", "both_bad"]
    verdicts: dict[str, Verdict] = {}
    for pair, decision in zip(pairs, decisions, strict=True):
        verdicts |= verdict(pair, decision)
    out = apply_verdicts([], pairs, verdicts=verdicts, config=ALL)
    kept, swapped = out.pairs
    assert kept == pairs[0]
    assert (swapped.chosen, swapped.rejected) == (pairs[1].rejected, pairs[1].chosen)
    assert pairs[1].key in swapped.provenance.parents
    assert [rejection.key for rejection in out.rejections] == [pairs[2].key, pairs[3].key]


def test_a_pair_goes_with_the_example_that_a_reviewer_rejected_or_edited(
    make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    rejected, edited, approved = make_example(1), make_example(2), make_example(3)
    pairs = [make_pair(rejected), make_pair(edited), make_pair(approved)]
    verdicts = verdict(rejected, "reject") | verdict(edited, "edit", edited_answer="x") | verdict(approved, "approve")
    for pair in (pairs[0], pairs[2]):
        verdicts |= verdict(pair, "prefer_a")
    out = apply_verdicts([rejected, edited, approved], pairs, verdicts=verdicts, config=ALL)
    assert pairs[2] in out.pairs
    assert {row.key for row in out.rejections if row.reason == "parent_rejected"} == {pairs[0].key, pairs[1].key}
    assert not out.open_items


def test_a_row_without_verdict_waits_and_is_not_in_the_output(make_example: Callable[..., Example]) -> None:
    row = make_example()
    out = apply_verdicts([row], [], verdicts={}, config=ALL)
    assert (out.examples, out.open_items) == ([], {item_key(row, ALL): row.key})
    assert out.rejections[0].reason == "awaiting_review"


def test_a_decision_that_does_not_fit_the_row_counts_as_none(make_example: Callable[..., Example]) -> None:
    row = make_example()
    out = apply_verdicts([row], [], verdicts=verdict(row, "prefer_a"), config=ALL)
    assert not out.examples
    assert out.open_items


def test_under_none_everything_passes_and_no_verdict_is_read(make_example: Callable[..., Example]) -> None:
    row = make_example()
    out = apply_verdicts([row], [], verdicts=verdict(row, "reject"), config=ReviewConfig(policy="none"))
    assert out.examples == [row]


def test_outside_the_sample_rows_pass_but_a_verdict_that_exists_still_counts(make_example: Callable[..., Example]) -> None:
    config = ReviewConfig(policy="sample", share=1e-9)
    good, bad = make_example(1), make_example(2)
    out = apply_verdicts([good, bad], [], verdicts=verdict(bad, "reject"), config=config)
    assert out.examples == [good]
    assert [rejection.key for rejection in out.rejections] == [bad.key]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    decisions=st.lists(st.sampled_from(["approve", "edit", "reject", "open"]), max_size=8),
    choices=st.lists(st.sampled_from(["prefer_a", "prefer_b", "tie", "both_bad", "open"]), min_size=8, max_size=8),
    policy=st.sampled_from(["none", "sample", "all"]),
)
def test_rows_in_plus_added_equal_rows_out_plus_rejected(
    decisions: list[str],
    choices: list[str],
    policy: str,
    make_example: Callable[..., Example],
    make_pair: Callable[..., PreferencePair],
) -> None:
    config = ReviewConfig(policy=policy, share=0.5)  # type: ignore[arg-type]
    examples = [make_example(number) for number in range(len(decisions))]
    pairs = [make_pair(example) for example in examples]
    verdicts: dict[str, Verdict] = {}
    rows: list[Example | PreferencePair] = [*examples, *pairs]
    for row, decision in zip(rows, [*decisions, *choices[: len(pairs)]], strict=True):
        if decision != "open":
            verdicts |= verdict(row, decision, edited_answer="edited" if decision == "edit" else "")  # type: ignore[arg-type]
    out = apply_verdicts(examples, pairs, verdicts=verdicts, config=config)
    assert len(examples) + len(pairs) + out.num_added == len(out.examples) + len(out.pairs) + len(out.rejections)
    keys = [row.key for row in out.examples] + [row.key for row in out.pairs]
    assert len(set(keys)) == len(keys)


def make_task(number: int) -> VerifiableTask:
    return VerifiableTask(
        key=f"api/f{number}#sum/0",
        task="sum",
        prompt=(Message(role="user", content=f"{number} + 1 = ?"),),
        reference=str(number + 1),
        grader="number",
        group=f"f{number}",
        provenance=Provenance(origin="synthetic", method="sum", generation_depth=1),
    )


def test_the_references_of_tasks_are_approved_corrected_and_rejected() -> None:
    tasks = [make_task(number) for number in range(4)]
    said = verdict(tasks[0], "approve") | verdict(tasks[1], "edit", edited_answer="3") | verdict(tasks[2], "reject")
    verified = apply_verdicts([], [], verdicts=said, config=ALL, tasks=tasks)
    assert [(task.key, task.reference) for task in verified.tasks] == [("api/f0#sum/0", "1"), ("api/f1#sum/0/edit", "3")]
    assert [(row.key, row.reason) for row in verified.rejections] == [
        ("api/f2#sum/0", "rejected_by_reviewer"),
        ("api/f3#sum/0", "awaiting_review"),
    ]
    assert verified.open_items == {item_key(tasks[3], ALL): "api/f3#sum/0"}


def test_approved_and_rejected_examples_are_labels(make_example: Callable[..., Example]) -> None:
    examples = [make_example(number) for number in range(4)]
    said = verdict(examples[0], "approve") | verdict(examples[1], "reject") | verdict(examples[2], "edit", edited_answer="x")
    labels = kto_labels(examples, verdicts=said, config=ALL)
    assert [(label.key, label.is_desirable) for label in labels] == [
        (f"{examples[0].key}/desirable", True),
        (f"{examples[1].key}/undesirable", False),
    ]
