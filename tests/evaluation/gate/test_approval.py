"""People in the gate: approvals that count once, limits on price and speed, and thresholds that were lowered afterwards."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from curation.database import Database
from curation.errors import PromotionRefusedError
from curation.records import Example
from curation.store import Store
from evaluation.gate.comparison import Comparison, Summary, compare
from evaluation.gate.evidence import Evidence
from evaluation.gate.limits import find_excess
from evaluation.gate.promotion import PromotionOutcome, approve, decide_promotion, promote
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.release import champion as champion_module
from evaluation.release import rollback as rollback_module
from evaluation.release.champion import read_champion
from evaluation.release.config import ReleaseConfig
from evaluation.release.registry import MIGRATIONS, LedgerEntry, ReleaseLedger
from evaluation.release.rollback import rollback
from tests.evaluation.gate.test_promotion import CONFIG, Bench

ASKING = ReleaseConfig(approval="required")


@dataclass
class Desk:
    """A ledger, a store, and somebody who decides under some settings."""

    bench: Bench
    ledger: ReleaseLedger
    home: Path

    def evidence(self, name: str, release: ReleaseConfig, share: float = 0.9, **more: Any) -> Evidence:
        made = self.bench.evidence(name, share, **more)
        read, roots = self.bench.store.read_table, (made.scores_root, made.items_root, made.answers_root)
        scores, items, answers = (list(read(cls, root)) for cls, root in zip((Score, EvalItem, EvalAnswer), roots, strict=True))
        return replace(made, comparison_hash=compare(scores, CONFIG, release, items=items, answers=answers).hash())

    def decide(self, evidence: Evidence, release: ReleaseConfig, **more: Any) -> PromotionOutcome:
        decision = decide_promotion(evidence, self.bench.store, CONFIG, release)
        return promote(decision, evidence, ledger=self.ledger, store=self.bench.store, home=self.home, who="pipeline", **more)

    def approve(self, evidence: Evidence, release: ReleaseConfig, who: str = "Ada", reason: str = "read 50") -> LedgerEntry:
        decision = decide_promotion(evidence, self.bench.store, CONFIG, release)
        return approve(decision, evidence, ledger=self.ledger, store=self.bench.store, who=who, reason=reason)


@pytest.fixture
def desk(store: Store, example: Callable[..., Example], tmp_path: Path) -> Iterator[Desk]:
    database = Database.open(tmp_path / "release.db", concern="release", migrations=MIGRATIONS)
    ledger = ReleaseLedger(database, tmp_path / "release.head.json")
    yield Desk(Bench(store, example, tmp_path / "models"), ledger, tmp_path)
    ledger.close()


def test_a_candidate_that_passes_waits_for_a_person_and_is_then_promoted(desk: Desk) -> None:
    evidence = desk.evidence("good", ASKING)
    held = desk.decide(evidence, ASKING)
    assert (held.promoted, held.entry.action) == (False, "hold")
    assert f"`tunewright release approve demo --model {evidence.model_hash[:12]}`" in held.entry.reason
    assert desk.decide(evidence, ASKING) == held
    assert read_champion("demo", desk.home) is None
    desk.approve(evidence, ASKING)
    done = desk.decide(evidence, ASKING)
    assert done.promoted
    assert "Approved by Ada: read 50" in done.entry.reason
    assert [entry.action for entry in desk.ledger.history("demo")] == ["hold", "approve", "promote"]
    assert desk.ledger.verify() == 3


def test_approving_twice_adds_one_entry(desk: Desk) -> None:
    evidence = desk.evidence("good", ASKING)
    assert desk.approve(evidence, ASKING) == desk.approve(evidence, ASKING, who="Grace")
    assert len(desk.ledger.history("demo")) == 1


@pytest.mark.parametrize(
    ("who", "reason"), [("", "x"), (" ", "x"), ("pipeline", "x"), ("Sensor", "x"), ("Ada", ""), ("Ada", "\n")]
)
def test_an_approval_needs_a_person_and_a_reason(desk: Desk, who: str, reason: str) -> None:
    with pytest.raises(PromotionRefusedError, match="a person and a reason"):
        desk.approve(desk.evidence("good", ASKING), ASKING, who=who, reason=reason)
    assert desk.ledger.history("demo") == []


def test_nobody_can_approve_what_does_not_pass(desk: Desk) -> None:
    with pytest.raises(PromotionRefusedError, match="nothing to approve"):
        desk.approve(desk.evidence("bad", ASKING, share=0.1), ASKING)
    with pytest.raises(PromotionRefusedError, match="does not hold"):
        desk.approve(replace(desk.evidence("good", ASKING), comparison_hash="0" * 32), ASKING)


def test_the_approval_of_another_candidate_or_of_other_evidence_counts_for_nothing(desk: Desk) -> None:
    first, second = desk.evidence("first", ASKING), desk.evidence("second", ASKING)
    desk.approve(first, ASKING)
    assert desk.decide(second, ASKING).entry.action == "hold"
    changed = replace(first, config_hash="3" * 32)
    assert desk.decide(changed, ASKING).entry.action == "hold"
    assert desk.decide(replace(first, code_version="4" * 32), ASKING).entry.action == "hold"
    assert desk.decide(first, ASKING).promoted


def test_an_approval_is_no_way_around_a_rollback(desk: Desk) -> None:
    first = desk.evidence("first", ASKING, share=0.6)
    second = desk.evidence("second", ASKING, champion=(first.model_hash, 0.6))
    for evidence in (first, second):
        desk.approve(evidence, ASKING)
        assert desk.decide(evidence, ASKING).promoted
    rollback("demo", ledger=desk.ledger, store=desk.bench.store, home=desk.home, who="grace", reason="wrong on Mondays")
    again = desk.decide(second, ASKING)
    assert (again.promoted, again.entry.action) == (False, "refuse")
    assert "wrong on Mondays" in again.entry.reason


STRICT, LAX = ReleaseConfig(minimum_difference=0.6), ReleaseConfig(minimum_difference=0.1)


def test_a_threshold_lowered_after_the_fact_needs_a_person(desk: Desk) -> None:
    strict = desk.evidence("middling", STRICT, share=0.5)
    assert desk.decide(strict, STRICT).entry.action == "refuse"
    lax = replace(desk.evidence("middling", LAX, share=0.5), config_hash="3" * 32)
    held = desk.decide(lax, LAX)
    assert (held.promoted, held.entry.action) == (False, "hold")
    assert "were refused on" in held.entry.reason
    desk.approve(lax, LAX)
    assert desk.decide(lax, LAX).promoted


def test_the_refusal_is_remembered_when_its_evidence_is_gone_or_was_changed(desk: Desk) -> None:
    refused = desk.decide(desk.evidence("middling", STRICT, share=0.5), STRICT).entry
    lax = replace(desk.evidence("middling", LAX, share=0.5), config_hash="3" * 32)
    path = f"evidence/{refused.evidence_hash}.json"
    kept = json.loads(desk.bench.store.files.read_bytes(path))
    for data in (json.dumps({**kept, "answers_root": "f" * 32}).encode(), b"{torn", b"[]"):
        desk.bench.store.files.write_bytes(path, data)
        assert desk.decide(lax, LAX).entry.action == "hold"
    desk.bench.store.files.remove(path)
    assert not desk.decide(lax, LAX).promoted


def test_new_answers_of_a_model_that_was_refused_are_judged_afresh(desk: Desk) -> None:
    assert desk.decide(desk.evidence("middling", STRICT, share=0.5), STRICT).entry.action == "refuse"
    lax = desk.evidence("middling", LAX, share=0.55)
    assert desk.decide(lax, LAX).promoted


def test_evidence_that_did_not_hold_is_no_verdict_on_the_model(desk: Desk) -> None:
    release = ReleaseConfig()
    good = desk.evidence("good", release)
    assert not desk.decide(replace(good, comparison_hash="0" * 32), release).promoted
    assert desk.decide(good, release).promoted


def test_an_obstacle_holds_a_candidate_only_while_it_stands(desk: Desk) -> None:
    release = ReleaseConfig()
    good = desk.evidence("good", release)
    held = desk.decide(good, release, obstacle="It learnt from rows that were withdrawn.")
    assert (held.promoted, held.entry.action) == (False, "hold")
    assert desk.decide(good, release).promoted


def comparison_of(latency: float | None, cost: float | None) -> Comparison:
    summaries = (
        Summary(comparator="base", num_items=1, estimates=(), latency_p95_s=0.1, cost_per_1000_usd=0.1),
        Summary(comparator="candidate", num_items=1, estimates=(), latency_p95_s=latency, cost_per_1000_usd=cost),
    )
    return Comparison(
        metric="exact_match",
        confidence=0.95,
        alpha=0.05,
        num_items=1,
        num_groups=1,
        summaries=summaries,
        differences=(),
        verdict="pass",
        reason="",
    )


LIMITS = ReleaseConfig(max_p95_latency_s=0.5, max_cost_per_1000_usd=2.0)


@pytest.mark.parametrize(
    ("latency", "cost", "said"),
    [
        (0.5, 2.0, ""),
        (0.51, 2.0, "0.51 s"),
        (None, 2.0, "latency (p95) was not measured"),
        (float("nan"), 2.0, "latency"),
        (0.5, 2.01, "2.01 USD"),
        (0.5, None, "is not known (set `evaluation.gpu_usd_per_hour`)"),
    ],
)
def test_a_limit_is_kept_or_the_candidate_is_not_promoted(latency: float | None, cost: float | None, said: str) -> None:
    excess = find_excess(comparison_of(latency, cost), LIMITS)
    assert said in excess
    assert bool(excess) is bool(said)
    assert find_excess(comparison_of(latency, cost), ReleaseConfig()) == ""


def test_a_candidate_whose_speed_nobody_measured_is_refused_where_a_limit_is_set(desk: Desk) -> None:
    limited = ReleaseConfig(max_p95_latency_s=0.5)
    refused = desk.decide(desk.evidence("good", limited), limited)
    assert (refused.promoted, refused.entry.action) == (False, "refuse")
    assert "was not measured" in refused.entry.reason
    unlimited = replace(desk.evidence("good", ReleaseConfig()), config_hash="3" * 32)
    assert desk.decide(unlimited, ReleaseConfig()).entry.action == "hold"  # a limit taken away is a threshold lowered


def test_the_champion_is_a_link_to_a_whole_model(desk: Desk) -> None:
    release = ReleaseConfig()
    first = desk.evidence("first", release, share=0.6)
    assert desk.decide(first, release).promoted
    link = desk.home / "champions" / "demo"
    assert (link / "model.safetensors").read_text() == "first"
    opened = link.resolve()
    second = desk.evidence("second", release, champion=(first.model_hash, 0.6))
    assert desk.decide(second, release).promoted
    assert (link / "model.safetensors").read_text() == "second"
    assert (opened / "model.safetensors").read_text() == "first"  # who reads the old one keeps it
    link.unlink()
    assert desk.decide(second, release).promoted
    assert (link / "model.safetensors").read_text() == "second"


def test_a_rollback_reads_the_files_of_the_earlier_champion_first(desk: Desk) -> None:
    release = ReleaseConfig()
    first = desk.evidence("first", release, share=0.6)
    assert desk.decide(first, release).promoted
    assert desk.decide(desk.evidence("second", release, champion=(first.model_hash, 0.6)), release).promoted
    (desk.bench.store.get_folder(first.model_hash) / "model.safetensors").write_text("swapped")
    facts: dict[str, Any] = {"ledger": desk.ledger, "store": desk.bench.store, "home": desk.home, "who": "g", "reason": "r"}
    with pytest.raises(PromotionRefusedError, match="were changed"):
        rollback("demo", **facts)
    assert rollback("demo", **facts, is_verified=False).model_hash == first.model_hash


@pytest.mark.parametrize(("module", "step"), [(rollback_module, "sync_champion"), (champion_module, "_link")])
def test_a_rollback_killed_before_the_file_or_the_link_was_written_is_ended_and_not_done_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    release = ReleaseConfig(champion_margin=0.5)
    before = ""
    hashes = []
    for name in ("first", "second", "third"):
        evidence = desk.evidence(name, release, champion=(before, 0.9)) if before else desk.evidence(name, release)
        assert desk.decide(evidence, release).promoted
        before = evidence.model_hash
        hashes.append(before)
    facts: dict[str, Any] = {"ledger": desk.ledger, "store": desk.bench.store, "home": desk.home, "who": "g", "reason": "r"}
    with monkeypatch.context() as patch:
        patch.setattr(module, step, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rollback("demo", **facts)
    link = desk.home / "champions" / "demo"
    assert link.resolve().name == hashes[2]
    assert rollback("demo", **facts).model_hash == hashes[1]
    assert read_champion("demo", desk.home)["model_hash"] == link.resolve().name == hashes[1]  # type: ignore[index]
    assert rollback("demo", **facts).model_hash == hashes[0]  # and the next one goes on
