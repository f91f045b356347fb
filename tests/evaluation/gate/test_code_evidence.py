"""Answers of code at a promotion: a busy machine refuses nothing that is right, and nothing stored is believed for that."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.graders.code import Patience
from curation.graders.grade import Grade
from curation.records import Example, Message, record_hash
from curation.store import Store
from evaluation.config import EvaluationConfig
from evaluation.gate import evidence as evidence_module
from evaluation.gate.comparison import compare
from evaluation.gate.evidence import Evidence, comparators_of, hash_tasks
from evaluation.gate.promotion import PromotionDecision, decide_promotion
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.release.config import ReleaseConfig
from evaluation.scoring import score_all
from evaluation.tasks import measures
from evaluation.tasks.config import TaskConfig
from evaluation.tasks.measures import ALONE

CONFIG = EvaluationConfig(bootstrap_samples=200, tasks=(TaskConfig(name="write", kind="code"),))
RELEASE = ReleaseConfig(metric="tests_pass")


class Machine:
    """Grades code as a sandbox would; while it is busy some right answers meet the limit of time."""

    def __init__(self) -> None:
        self.busy: set[str] = set()
        self.helps_alone = True
        self.graded_alone: list[str] = []

    def grade(self, answer: str, reference: str, patience: Patience) -> Grade:
        if patience == ALONE:
            self.graded_alone.append(answer)
        met_the_limit = answer in self.busy and not (patience == ALONE and self.helps_alone)
        return Grade(answer == reference and not met_the_limit, answer, "timeout" if met_the_limit else "")


class Proof:
    """Answers of code with the evidence over them."""

    def __init__(self, folder: Path, training: list[Example]) -> None:
        self.store = Store(str(folder / "store"))
        (folder / "model").mkdir()
        (folder / "model" / "model.safetensors").write_text("weights")
        self.model = self.store.put_folder(folder / "model")
        prompt = (Message(role="user", content="Write it."),)
        self.items = [
            EvalItem(key=f"write/{n}", task="write", prompt=prompt, reference=f"program {n}", group=str(n)) for n in range(100)
        ]
        self.rows = [self._answer(name, item) for name in ("base", "candidate") for item in self.items]
        self.training = self.store.write_table(Example, training).root

    def _answer(self, comparator: str, item: EvalItem) -> EvalAnswer:
        is_candidate = comparator == "candidate"
        return EvalAnswer(
            key=f"{comparator}/{item.key}",
            comparator=comparator,
            model_hash=self.model if is_candidate else "b" * 32,
            item_key=item.key,
            item_hash=record_hash(item),
            group=item.group,
            prompt="",
            reference=item.reference,
            answer=item.reference if is_candidate else "?",
            num_tokens=2,
            task="write",
        )

    def evidence(self, scores: tuple[Score, ...]) -> Evidence:
        return Evidence(
            recipe="demo",
            model_hash=self.model,
            items_root=self.store.write_table(EvalItem, self.items).root,
            answers_root=self.store.write_table(EvalAnswer, self.rows).root,
            scores_root=self.store.write_table(Score, scores).root,
            comparison_hash=compare(scores, CONFIG, RELEASE, items=self.items, answers=self.rows).hash(),
            training_roots=(self.training,),
            data_roots={},
            config_hash="1" * 32,
            code_version="2" * 32,
            tasks_hash=hash_tasks(CONFIG),
            comparators=comparators_of(self.rows),
        )

    def decide(self, evidence: Evidence) -> PromotionDecision:
        return decide_promotion(evidence, self.store, CONFIG, RELEASE)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(measures, "grade_code", found.grade)
    return found


@pytest.fixture
def proof(tmp_path: Path, example: Callable[..., Example], machine: Machine) -> Proof:
    return Proof(tmp_path, [example(number, split="train") for number in range(3)])


def test_what_a_busy_machine_ended_is_run_alone_before_anything_is_refused(proof: Proof, machine: Machine) -> None:
    evidence = proof.evidence(score_all(proof.rows, proof.items, CONFIG).scores)
    machine.busy = {"program 3", "program 41"}
    decision = proof.decide(evidence)
    assert decision.verdict == "pass", decision.reason
    assert sorted(machine.graded_alone) == ["program 3", "program 41"]


def test_a_stored_grade_that_no_run_gives_is_refused_by_name(proof: Proof, machine: Machine) -> None:
    evidence = proof.evidence(score_all(proof.rows, proof.items, CONFIG).scores)
    machine.busy, machine.helps_alone = {"program 3"}, False
    decision = proof.decide(evidence)
    assert decision.verdict == "fail"
    assert "candidate/write/3#tests_pass is 0, and 1.0 is stored" in decision.reason


def test_a_forged_grade_is_run_again_and_refused(proof: Proof, machine: Machine) -> None:
    scores = score_all(proof.rows, proof.items, CONFIG).scores
    forged = tuple(replace(score, value=1.0) if score.key == "base/write/7#tests_pass" else score for score in scores)
    decision = proof.decide(proof.evidence(forged))
    assert (decision.verdict, machine.graded_alone) == ("fail", ["?"])
    assert "base/write/7#tests_pass is 0, and 1.0 is stored" in decision.reason


def test_when_many_differ_it_is_not_the_machine(proof: Proof, machine: Machine) -> None:
    evidence = proof.evidence(score_all(proof.rows, proof.items, CONFIG).scores)
    machine.busy = {f"program {number}" for number in range(evidence_module.MAX_GRADED_AGAIN + 1)}
    assert (proof.decide(evidence).verdict, machine.graded_alone) == ("fail", [])
