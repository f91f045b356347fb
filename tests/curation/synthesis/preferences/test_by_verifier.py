"""Right answers are preferred to wrong ones of nearly their length; a task without both gives a rejection."""

import json
import os
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from curation.graders.registry import grade
from curation.records import Message, Provenance, VerifiableTask
from curation.synthesis.preferences.by_verifier import GradedSamples, Sample, length_ratio, pairs_by_verifier

MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def sampled(texts: list[str], key: str = "sums/1", reference: str = "4") -> GradedSamples:
    task = VerifiableTask(
        key=key,
        task="sums",
        prompt=(Message(role="user", content="2 + 2?"),),
        reference=reference,
        grader="number",
        group=key,
        provenance=Provenance(origin="human", method="demonstration", license="MIT", output_terms="as the source"),
    )
    made = Provenance(origin="synthetic", method="sample", teacher="m", output_terms="free; as the source", generation_depth=1)
    samples = tuple(Sample(text=text, provenance=made, key=f"{key}/{at}") for at, text in enumerate(texts))
    return GradedSamples(task=task, samples=samples)


def test_the_pair_closest_in_length_is_chosen() -> None:
    long, short = "Two and two are four, so: A: 4", "A: 4"
    (pair,) = pairs_by_verifier([sampled([long, short, "A: 5", "This one is also quite long. A: 6"])]).pairs
    assert (pair.chosen, pair.rejected, pair.rejected_kind) == (short, "A: 5", "wrong_answer")
    assert pair.key == "sums/1~right_over_wrong/0"
    assert pair.provenance.parents == ("sums/1", "sums/1/1", "sums/1/2")
    assert (pair.provenance.generation_depth, pair.provenance.license) == (2, "MIT")
    assert pair.provenance.output_terms == "as the source; free"


@pytest.mark.parametrize(
    ("texts", "reason"),
    [(["5", "6"], "no_right_answer"), (["4", "A: 4"], "no_wrong_answer"), ([], "no_right_answer")],
)
def test_a_task_without_both_is_rejected(texts: list[str], reason: str) -> None:
    made = pairs_by_verifier([sampled(texts)])
    assert made.pairs == ()
    assert [rejection.reason for rejection in made.rejections] == [reason]


def test_a_limit_on_lengths_is_kept() -> None:
    item = sampled(["4", "A long story without end that comes to 5"])
    assert pairs_by_verifier([item], max_length_ratio=2.0).rejections[0].reason == "lengths_differ"
    assert len(pairs_by_verifier([item]).pairs) == 1


def test_no_answer_stands_in_two_pairs() -> None:
    made = pairs_by_verifier([sampled(["4", "5", "A: 5", "A: 4", "so it is 5"])], per_task=3)
    assert {(pair.chosen, pair.rejected) for pair in made.pairs} == {("4", "5"), ("A: 4", "A: 5")}


@hypothesis.given(
    st.lists(st.sampled_from(["4", "A: 4", "so it is 4", "5", "A: 5", "it is 66", " "]), max_size=8), st.integers(1, 4)
)
def test_chosen_is_right_rejected_is_wrong_and_none_is_used_twice(texts: list[str], per_task: int) -> None:
    item = sampled(texts)
    made = pairs_by_verifier([item], per_task=per_task)
    assert len(made.pairs) <= per_task
    assert len(made.rejections) == (not made.pairs)
    for pair in made.pairs:
        assert grade(item.task, pair.chosen).is_right
        assert not grade(item.task, pair.rejected).is_right
    used = [text for pair in made.pairs for text in (pair.chosen, pair.rejected)]
    assert len(used) == len(set(used))


def test_another_task_changes_nothing() -> None:
    texts = ["A: 4", "B: 4", "A: 5", "B: 5"]
    alone = pairs_by_verifier([sampled(texts)]).pairs
    assert pairs_by_verifier([sampled(texts, "sums/0"), sampled(texts)]).pairs[1:] == alone


@pytest.mark.realdata
@pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set")
def test_731_prompts_of_gsm8k_give_a_pair() -> None:
    file = Path(os.environ["REALDATA_DIR"]) / "gsm8k/data/example_model_solutions.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    items = [
        sampled([row[model]["solution"] for model in MODELS], f"gsm8k/{number}", row["ground_truth"])
        for number, row in enumerate(rows)
    ]
    made = pairs_by_verifier(items)
    assert (len(made.pairs), len(made.rejections)) == (731, 1319 - 731)
    for row, item in zip(rows, items, strict=True):
        pair = next((pair for pair in made.pairs if pair.key.startswith(f"{item.task.key}~")), None)
        if pair is not None:
            recorded = {row[model]["solution"]: row[model]["is_correct"] for model in MODELS}
            assert recorded[pair.chosen]
            assert not recorded[pair.rejected]
            closest = min(
                length_ratio(right, wrong)
                for right, is_right in recorded.items()
                for wrong, is_wrong in recorded.items()
                if is_right and not is_wrong
            )
            assert length_ratio(pair.chosen, pair.rejected) == closest
