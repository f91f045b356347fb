"""The evidence over tasks: other settings, other comparators, another kind of grading are all noticed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import EvaluationError
from curation.records import Example, Message, record_hash
from curation.store import Store, version_of
from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import compare
from evaluation.gate.evidence import Evidence, comparators_of, hash_tasks, read_evidence
from evaluation.gate.promotion import decide_promotion
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem, Score
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import GuardConfig
from evaluation.scoring import score_all
from evaluation.tasks.config import TaskConfig

TASKS = (
    TaskConfig(name="route", kind="classification", slices=("topic",)),
    TaskConfig(name="sums", kind="number", data="sums.jsonl"),
)
CONFIG = EvaluationConfig(bootstrap_samples=200, tasks=TASKS)
RELEASE = ReleaseConfig(metric="accuracy", guards=(GuardConfig(metric="accuracy", slice="topic", margin=0.3),))
Spoil = Callable[["Proof"], tuple[Evidence, EvaluationConfig]]


class Proof:
    """Items and answers of two tasks, and the evidence over them."""

    def __init__(self, folder: Path, training: list[Example]) -> None:
        self.store = Store(str(folder / "store"))
        (folder / "model").mkdir()
        (folder / "model" / "model.safetensors").write_text("weights")
        self.model = self.store.put_folder(folder / "model")
        self.items = [self._item("route", number, "ab"[number % 2]) for number in range(80)]
        self.items += [self._item("sums", number, str(number)) for number in range(40)]
        self.rows = [self._answer(name, item) for name in ("base", "candidate") for item in self.items]
        self.training = self.store.write_table(Example, training).root

    def _item(self, task: str, number: int, reference: str) -> EvalItem:
        key = f"{task}/{number}"
        prompt = (Message(role="user", content=f"{task} {number}?"),)
        slices = (f"topic={number % 4}",) if task == "route" else ()
        return EvalItem(key=key, task=task, prompt=prompt, reference=reference, group=key, slices=slices)

    def _answer(self, comparator: str, item: EvalItem) -> EvalAnswer:
        return EvalAnswer(
            key=f"{comparator}/{item.key}",
            comparator=comparator,
            model_hash=self.model if comparator == "candidate" else "b" * 32,
            item_key=item.key,
            item_hash=record_hash(item),
            group=item.group,
            prompt="",
            reference=item.reference,
            answer=item.reference if comparator == "candidate" else "?",
            num_tokens=2,
            task=item.task,
            num_prompt_tokens=9,
        )

    def timings(self, latency_s: float = 0.25) -> list[AnswerTiming]:
        return [AnswerTiming(key=row.key, latency_s=latency_s, machine_s=0.1) for row in self.rows]

    def evidence(self, rows: list[EvalAnswer] | None = None) -> Evidence:
        rows = self.rows if rows is None else rows
        timings = self.timings()
        scores = score_all(rows, self.items, CONFIG).scores
        return Evidence(
            recipe="demo",
            model_hash=self.model,
            items_root=self.store.write_table(EvalItem, self.items).root,
            answers_root=self.store.write_table(EvalAnswer, rows).root,
            scores_root=self.store.write_table(Score, scores).root,
            comparison_hash=compare(scores, CONFIG, RELEASE, items=self.items, answers=rows, timings=timings).hash(),
            training_roots=(self.training,),
            data_roots={},
            config_hash="1" * 32,
            code_version="2" * 32,
            tasks_hash=hash_tasks(CONFIG),
            comparators=comparators_of(rows),
            timings_root=self.store.write_table(AnswerTiming, timings).root,
        )


@pytest.fixture
def proof(tmp_path: Path, example: Callable[..., Example]) -> Proof:
    return Proof(tmp_path, [example(number, split="train") for number in range(3)])


def test_what_holds_is_read_with_slices_and_costs(proof: Proof) -> None:
    decision = decide_promotion(proof.evidence(), proof.store, CONFIG, RELEASE)
    assert decision.verdict == "pass", decision.reason
    assert decision.comparison is not None
    assert len(decision.comparison.guards) == 4
    assert decision.comparison.summaries[0].latency_p95_s == pytest.approx(0.25)


def _other_tasks(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return proof.evidence(), replace(CONFIG, tasks=(TASKS[0], replace(TASKS[1], kind="text", metrics=("exact_match",))))


def _other_confidence(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return proof.evidence(), replace(CONFIG, confidence=0.5)


def _no_tasks_hash(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), tasks_hash=""), CONFIG


def _other_base(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    rows = [replace(row, model_hash="c" * 32) if row.comparator == "base" else row for row in proof.rows]
    return replace(proof.evidence(rows), comparators=comparators_of(proof.rows)), CONFIG


def _comparator_more(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    evidence = proof.evidence()
    return replace(evidence, comparators={**evidence.comparators, "champion": "d" * 32}), CONFIG


def _comparator_unnamed(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), comparators={"candidate": proof.model}), CONFIG


def _harder_items_left_out(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    evidence = proof.evidence()
    fewer = [row for row in proof.rows if row.task == "route"]
    return replace(evidence, answers_root=proof.store.write_table(EvalAnswer, fewer).root), CONFIG


def _answer_moved_to_an_easier_task(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    evidence = proof.evidence()
    moved = [replace(row, task="route") for row in proof.rows]
    return replace(evidence, answers_root=proof.store.write_table(EvalAnswer, moved).root), CONFIG


def _faster_than_it_was(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), timings_root=proof.store.write_table(AnswerTiming, proof.timings(0.001)).root), CONFIG


def _not_timed(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), timings_root=""), CONFIG


def _slow_ones_left_out(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), timings_root=proof.store.write_table(AnswerTiming, proof.timings()[1:]).root), CONFIG


def _no_time(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), timings_root=proof.store.write_table(AnswerTiming, proof.timings(-1.0)).root), CONFIG


def _timings_gone(proof: Proof) -> tuple[Evidence, EvaluationConfig]:
    return replace(proof.evidence(), timings_root="f" * 32), CONFIG


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_other_tasks, "the evaluation section of the recipe was changed"),
        (_other_confidence, "the evaluation section of the recipe was changed"),
        (_no_tasks_hash, "the evaluation section of the recipe was changed"),
        (_other_base, "the answers of 'base' are not those of the model that the evidence names"),
        (_comparator_more, "a comparator that the evidence names did not answer"),
        (_comparator_unnamed, "the answers of 'base' are not those of the model"),
        (_harder_items_left_out, "did not answer every item exactly once"),
        (_answer_moved_to_an_easier_task, "belongs to no item of the evaluation set"),
        (_faster_than_it_was, "the comparison differs"),
        (_not_timed, "the comparison differs"),
        (_slow_ones_left_out, "the timings are not one for each answer"),
        (_no_time, "a timing is no time"),
        (_timings_gone, "f" * 32),
    ],
)
def test_what_does_not_hold_is_refused_by_name(proof: Proof, spoil: Spoil, reason: str) -> None:
    evidence, config = spoil(proof)
    decision = decide_promotion(evidence, proof.store, config, RELEASE)
    assert decision.verdict == "fail"
    assert reason in decision.reason


def test_an_item_of_a_task_that_the_recipe_has_not_is_refused(proof: Proof) -> None:
    config = replace(CONFIG, tasks=TASKS[:1])
    with pytest.raises(EvaluationError, match="belongs to a task that the recipe has not"):
        read_evidence(replace(proof.evidence(), tasks_hash=hash_tasks(config)), proof.store, config)


def test_the_version_of_answers_is_what_was_said_and_not_how_long_it_took(proof: Proof) -> None:
    def version_after(latency_s: float) -> str:
        stored = {"answers": proof.store.write_table(EvalAnswer, proof.rows)}
        return version_of(stored | {"timings": proof.store.write_table(AnswerTiming, proof.timings(latency_s))}, {})

    assert version_after(0.25) == version_after(9.0)
    compared = [compare(score_all(proof.rows, proof.items, CONFIG).scores, CONFIG, RELEASE, items=proof.items,
                        answers=proof.rows, timings=proof.timings(seconds)) for seconds in (0.25, 9.0)]  # fmt: skip
    assert [found.summaries[0].latency_p95_s for found in compared] == [0.25, 9.0]
    assert compared[0].verdict == compared[1].verdict


def test_a_lower_guard_after_the_fact_is_another_comparison(proof: Proof) -> None:
    decision = decide_promotion(proof.evidence(), proof.store, CONFIG, replace(RELEASE, guards=()))
    assert "the comparison differs" in decision.reason
