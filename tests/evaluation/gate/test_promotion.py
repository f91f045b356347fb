import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from curation.database import Database
from curation.errors import LedgerTamperedError, PromotionRefusedError
from curation.records import Example, record_hash
from curation.store import Store
from evaluation.config import EvaluationConfig
from evaluation.gate import promotion
from evaluation.gate.comparison import compare
from evaluation.gate.evidence import Evidence, comparators_of, hash_tasks
from evaluation.gate.promotion import PromotionOutcome, decide_promotion, promote, rollback
from evaluation.records import DEFAULT_TASK, EvalAnswer, EvalItem, Score
from evaluation.release.champion import champion_path, read_champion, sync_champion
from evaluation.release.config import ReleaseConfig
from evaluation.release.registry import MIGRATIONS, ReleaseLedger
from evaluation.scoring import score_answers

Make = Callable[..., Example]
CONFIG, RELEASE = EvaluationConfig(bootstrap_samples=300), ReleaseConfig()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[ReleaseLedger]:
    opened = ReleaseLedger(Database.open(tmp_path / "release.db", concern="release", migrations=MIGRATIONS))
    yield opened
    opened.close()


class Bench:
    """Stores items, models and answers of chosen quality, and the evidence over them."""

    def __init__(self, store: Store, example: Make, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.items = [
            EvalItem(key=row.key, task=DEFAULT_TASK, prompt=row.prompt, reference=row.answer, group=row.group)
            for row in map(example, range(80))
        ]
        self.leak = replace(example(5), key="api/train/copy", split="train")
        self.items_root = store.write_table(EvalItem, self.items).root
        self.training_root = store.write_table(Example, [example(number, split="train") for number in range(9)]).root

    def model(self, name: str) -> str:
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "model.safetensors").write_text(name)
        return self.store.put_folder(path)

    def answers(self, models: dict[str, tuple[str, float]]) -> list[EvalAnswer]:
        rows = []
        for comparator, (model_hash, share) in models.items():
            right = set(random.Random(model_hash).sample(range(80), round(80 * share)))
            for number, item in enumerate(self.items):
                rows.append(
                    EvalAnswer(
                        key=f"{comparator}/{item.key}",
                        comparator=comparator,
                        model_hash=model_hash,
                        item_key=item.key,
                        item_hash=record_hash(item),
                        group=item.group,
                        prompt="",
                        reference=item.reference,
                        answer=item.reference if number in right else "no idea",
                        num_tokens=3,
                    )
                )
        return rows

    def evidence(self, name: str, share: float = 0.9, champion: tuple[str, float] | None = None) -> Evidence:
        models = {"base": (self.model("base"), 0.1), "candidate": (self.model(name), share)}
        models |= {"champion": champion} if champion else {}
        return self.evidence_of(self.answers(models), models["candidate"][0])

    def evidence_of(self, answers: list[EvalAnswer], model_hash: str) -> Evidence:
        scores = score_answers(answers)
        return Evidence(
            recipe="demo",
            model_hash=model_hash,
            items_root=self.items_root,
            answers_root=self.store.write_table(EvalAnswer, answers).root,
            scores_root=self.store.write_table(Score, scores).root,
            comparison_hash=compare(scores, CONFIG, RELEASE).hash(),
            training_roots=(self.training_root,),
            data_roots={"dapt_corpus": "0" * 32},
            config_hash="1" * 32,
            code_version="2" * 32,
            tasks_hash=hash_tasks(CONFIG),
            comparators=comparators_of(answers),
        )


@pytest.fixture
def bench(store: Store, example: Make, tmp_path: Path) -> Bench:
    return Bench(store, example, tmp_path / "models")


@pytest.fixture
def release(store: Store, ledger: ReleaseLedger, tmp_path: Path) -> Callable[[Evidence], PromotionOutcome]:
    def run(evidence: Evidence) -> PromotionOutcome:
        decision = decide_promotion(evidence, store, CONFIG, RELEASE)
        return promote(decision, evidence, ledger=ledger, store=store, home=tmp_path, who="ada")

    return run


Release = Callable[[Evidence], PromotionOutcome]


def test_a_better_candidate_becomes_the_champion_and_the_file_says_so(
    bench: Bench, release: Release, ledger: ReleaseLedger, tmp_path: Path
) -> None:
    evidence = bench.evidence("good")
    outcome = release(evidence)
    assert outcome.promoted
    assert ledger.champion("demo") == outcome.entry
    pointed = read_champion("demo", tmp_path)
    assert pointed is not None
    assert (pointed["model_hash"], pointed["entry"]) == (evidence.model_hash, outcome.entry.hash)
    assert (
        json.loads(bench.store.files.read_bytes(f"evidence/{outcome.entry.evidence_hash}.json"))["items_root"]
        == bench.items_root
    )


def test_deciding_again_adds_no_entry(bench: Bench, release: Release, ledger: ReleaseLedger) -> None:
    good, bad = bench.evidence("good"), bench.evidence("bad", share=0.1)
    assert release(good) == release(good)
    assert release(bad) == release(bad)
    assert [entry.action for entry in ledger.history("demo")] == ["promote", "refuse"]


def test_a_candidate_that_is_not_better_is_refused_with_the_reason(
    bench: Bench, release: Release, ledger: ReleaseLedger, tmp_path: Path
) -> None:
    outcome = release(bench.evidence("bad", share=0.1))
    assert not outcome.promoted
    assert outcome.entry.action == "refuse"
    assert ledger.champion("demo") is None
    assert not champion_path("demo", tmp_path).exists()


def _forged_score(bench: Bench, evidence: Evidence) -> Evidence:
    scores = list(bench.store.read_table(Score, evidence.scores_root))
    better = [replace(row, value=1.0) if row.comparator == "candidate" else row for row in scores]
    root = bench.store.write_table(Score, better).root
    return replace(evidence, scores_root=root, comparison_hash=compare(better, CONFIG, RELEASE).hash())


def _forged_comparison(bench: Bench, evidence: Evidence) -> Evidence:
    return replace(evidence, comparison_hash="f" * 32)


def _other_model(bench: Bench, evidence: Evidence) -> Evidence:
    return replace(evidence, model_hash=bench.model("never evaluated"))


def _missing_answers(bench: Bench, evidence: Evidence) -> Evidence:
    return replace(evidence, answers_root="f" * 32)


def _fewer_answers(bench: Bench, evidence: Evidence) -> Evidence:
    rows = list(bench.store.read_table(EvalAnswer, evidence.answers_root))
    easy = [row for row in rows if row.answer != "no idea" or row.comparator == "base"]
    return replace(evidence, answers_root=bench.store.write_table(EvalAnswer, easy).root)


def _answers_to_other_items(bench: Bench, evidence: Evidence) -> Evidence:
    edited = [replace(item, group=f"{item.group}x") for item in bench.items]
    return replace(evidence, items_root=bench.store.write_table(EvalItem, edited).root)


def _trained_on_the_items(bench: Bench, evidence: Evidence) -> Evidence:
    leaked = bench.store.write_table(Example, [bench.leak])
    return replace(evidence, training_roots=(leaked.root,))


def _no_training_data(bench: Bench, evidence: Evidence) -> Evidence:
    return replace(evidence, training_roots=())


def _changed_model_files(bench: Bench, evidence: Evidence) -> Evidence:
    (bench.store.get_folder(evidence.model_hash) / "model.safetensors").write_text("swapped")
    return evidence


def _model_not_in_the_store(bench: Bench, evidence: Evidence) -> Evidence:
    bench.store.files.remove(f"folders/{evidence.model_hash}")
    return evidence


def _damaged_shard(bench: Bench, evidence: Evidence) -> Evidence:
    manifest = json.loads(bench.store.files.read_bytes(f"tables/{evidence.answers_root}.json"))
    shard = manifest["shards"][0]["hash"]
    bench.store.files.write_bytes(f"shards/{shard[:2]}/{shard}.parquet", b"PAR1 torn")
    return evidence


def _mixed_candidates(bench: Bench, evidence: Evidence) -> Evidence:
    rows = list(bench.store.read_table(EvalAnswer, evidence.answers_root))
    rows[-1] = replace(rows[-1], model_hash="e" * 32)
    return replace(bench.evidence_of(rows, evidence.model_hash), model_hash=evidence.model_hash)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_forged_score, "the stored scores differ"),
        (_forged_comparison, "the comparison differs"),
        (_other_model, "not those of this candidate"),
        (_missing_answers, "is not in the store"),
        (_fewer_answers, "'candidate' did not answer every item exactly once"),
        (_answers_to_other_items, "belongs to no item"),
        (_trained_on_the_items, "was trained on"),
        (_no_training_data, "names no training data"),
        (_changed_model_files, "the model's files were changed"),
        (_model_not_in_the_store, "is not in the store"),
        (_damaged_shard, "is damaged"),
        (_mixed_candidates, "not those of this candidate"),
    ],
)
def test_evidence_that_does_not_hold_promotes_nothing(
    bench: Bench,
    release: Release,
    ledger: ReleaseLedger,
    spoil: Callable[[Bench, Evidence], Evidence],
    reason: str,
) -> None:
    outcome = release(spoil(bench, bench.evidence("good")))
    assert not outcome.promoted
    assert outcome.entry.reason.startswith("The evidence does not hold: ")
    assert reason in outcome.entry.reason
    assert ledger.champion("demo") is None


def test_a_decision_on_other_evidence_is_refused(bench: Bench, ledger: ReleaseLedger, tmp_path: Path) -> None:
    good, bad = bench.evidence("good"), bench.evidence("bad", share=0.1)
    decision = decide_promotion(good, bench.store, CONFIG, RELEASE)
    with pytest.raises(PromotionRefusedError, match="other evidence"):
        promote(decision, bad, ledger=ledger, store=bench.store, home=tmp_path, who="ada")


def test_the_present_champion_has_to_be_among_those_compared(bench: Bench, release: Release) -> None:
    first = bench.evidence("first", share=0.6)
    assert release(first).promoted
    assert "not compared with the present champion" in release(bench.evidence("second")).entry.reason
    assert release(bench.evidence("second", champion=(first.model_hash, 0.6))).promoted
    worse = release(bench.evidence("third", share=0.3, champion=(bench.model("second"), 0.9)))
    assert not worse.promoted
    assert "behind the champion" in worse.entry.reason


def test_a_rollback_restores_the_champion_before_and_keeps_the_bad_one_out(
    bench: Bench, release: Release, ledger: ReleaseLedger, tmp_path: Path
) -> None:
    first = bench.evidence("first", share=0.6)
    second = bench.evidence("second", champion=(first.model_hash, 0.6))
    assert release(first).promoted
    assert release(second).promoted
    entry = rollback("demo", ledger=ledger, store=bench.store, home=tmp_path, who="grace", reason="wrong on Mondays")
    assert entry.model_hash == first.model_hash
    assert read_champion("demo", tmp_path)["model_hash"] == first.model_hash  # type: ignore[index]
    again = release(second)
    assert not again.promoted
    assert "rolled back by grace" in again.entry.reason
    assert "wrong on Mondays" in again.entry.reason
    with pytest.raises(PromotionRefusedError, match="no earlier champion"):
        rollback("demo", ledger=ledger, store=bench.store, home=tmp_path, who="grace", reason="again")
    assert ledger.verify() == 4


def test_killed_between_ledger_and_file_the_next_sync_puts_it_right(
    bench: Bench, release: Release, ledger: ReleaseLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = bench.evidence("good")
    with monkeypatch.context() as patch:
        patch.setattr(promotion, "sync_champion", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            release(evidence)
    assert not champion_path("demo", tmp_path).exists()
    assert release(evidence).promoted
    assert read_champion("demo", tmp_path)["model_hash"] == evidence.model_hash  # type: ignore[index]
    champion_path("demo", tmp_path).write_text("{torn")
    sync_champion("demo", ledger=ledger, home=tmp_path)
    assert read_champion("demo", tmp_path)["model_hash"] == evidence.model_hash  # type: ignore[index]


def test_a_ledger_that_lost_its_end_is_noticed(bench: Bench, release: Release, ledger: ReleaseLedger, tmp_path: Path) -> None:
    release(bench.evidence("good"))
    empty = ReleaseLedger(Database.open(tmp_path / "fresh.db", concern="release", migrations=MIGRATIONS))
    with pytest.raises(LedgerTamperedError):
        sync_champion("demo", ledger=empty, home=tmp_path)
    empty.close()


@pytest.mark.parametrize("name", ["../demo", "a/b", "", "/etc/x"])
def test_a_recipe_name_never_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(PromotionRefusedError, match="file name"):
        champion_path(name, tmp_path)
