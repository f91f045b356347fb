"""Automatic reviewers vote by rules, say that they are automatic, and say nothing twice."""

from collections.abc import Callable

from curation.records import Example, PreferencePair, VerifiableTask
from curation.review.automatic import run_automatic_reviewers
from curation.review.config import ReviewConfig
from curation.review.items import build_items
from curation.review.queue import ReviewQueue

CONFIG = ReviewConfig(accept="automatic", automatic=("source_span", "answer_format", "length"))


def vote(queue: ReviewQueue, examples: list[Example], pairs: list[PreferencePair], evidence: str) -> dict[str, tuple[str, str]]:
    items = build_items(examples, pairs, lambda _: evidence, CONFIG)
    queue.sync_items(items, CONFIG)
    run_automatic_reviewers(queue, items, CONFIG)
    found = queue.current_verdicts("automatic")
    return {item.record_key: (found[item.key].decision, found[item.key].reason) for item in items}


def test_a_teachers_answer_without_evidence_is_rejected_and_a_persons_is_not(
    queue: ReviewQueue, make_example: Callable[..., Example], make_pair: Callable[..., PreferencePair]
) -> None:
    made, written = make_example(1), make_example(2, depth=0)
    said = vote(queue, [made, written], [make_pair(made), make_pair(written)], evidence="")
    assert said[made.key] == ("reject", "source_span: no source passage is cited")
    assert said[written.key][0] == "approve"
    assert said[f"{made.key}/wrong_route/0"][0] == "both_bad"
    assert said[f"{written.key}/wrong_route/0"][0] == "prefer_a"


def test_the_words_of_a_grounded_answer_have_to_stand_in_its_source(
    queue: ReviewQueue, make_example: Callable[..., Example]
) -> None:
    grounded = make_example(1, "Removes the leading whitespace.", method="grounded_qa")
    invented = make_example(2, "Deletes your hard disk slowly.", method="grounded_qa")
    said = vote(queue, [grounded, invented], [], evidence="It removes leading and trailing whitespace.")
    assert said[grounded.key][0] == "approve"
    assert said[invented.key][0] == "reject"


def test_where_most_answers_are_json_the_others_are_rejected(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    rows = [
        make_example(1),
        make_example(2),
        make_example(3, "strings"),
        make_example(4, "Prose is fine.", method="grounded_qa"),
    ]
    said = vote(queue, rows, [], evidence="prose is fine")
    assert [said[row.key][0] for row in rows] == ["approve", "approve", "reject", "approve"]
    assert said[rows[2].key][1].startswith("answer_format: ")


def test_deeply_nested_json_is_no_json_and_no_crash(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    rows = [make_example(1), make_example(2), make_example(3, "[" * 15_000)]
    assert vote(queue, rows, [], evidence="x")[rows[2].key][0] == "reject"


def test_empty_and_endless_answers_are_rejected_by_length(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    rows = [make_example(1, "  "), make_example(2, "x" * 20_001), make_example(3, "x")]
    said = vote(queue, rows, [], evidence="x")
    assert [said[row.key][0] for row in rows] == ["reject", "reject", "approve"]


def test_running_again_records_nothing_and_new_evidence_is_judged_anew(
    queue: ReviewQueue, make_example: Callable[..., Example]
) -> None:
    row = make_example()
    vote(queue, [row], [], evidence="")
    vote(queue, [row], [], evidence="")
    assert len(queue.verdicts_after(0)) == 1
    assert vote(queue, [row], [], evidence="a passage")[row.key][0] == "approve"
    assert vote(queue, [row], [], evidence="")[row.key][0] == "reject"
    verdicts = queue.verdicts_after(0)
    assert len(verdicts) == 3
    assert all(verdict.reviewer_kind == "automatic" and verdict.reviewer.startswith("automatic:") for verdict in verdicts)


def test_a_task_is_approved_or_rejected_by_the_same_rules(queue: ReviewQueue, make_example: Callable[..., Example]) -> None:
    made, written = make_example(1), make_example(2, depth=0)
    tasks = [
        VerifiableTask(
            key=row.key,
            task="arithmetic",
            prompt=row.prompt,
            reference="42",
            grader="number",
            group=row.group,
            provenance=row.provenance,
        )
        for row in (made, written)
    ]
    items = build_items([], [], lambda _: "", CONFIG, tasks=tasks)
    queue.sync_items(items, CONFIG)
    run_automatic_reviewers(queue, items, CONFIG)
    said = {item.record_key: queue.current_verdicts("automatic")[item.key].decision for item in items}
    assert said == {made.key: "reject", written.key: "approve"}
