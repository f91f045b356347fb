"""Facts about a made-up model, hostile texts included, with every number at its place in a store."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.ids import canonical_json
from curation.records import Example
from curation.store import Snapshot, Store
from evaluation.papers.config import PapersConfig
from evaluation.papers.facts import (
    BaseFacts,
    CheckFacts,
    DataFacts,
    LineageFacts,
    ModelFacts,
    PaperFacts,
    PaperFile,
    RowCount,
    SourceFacts,
    StageFacts,
)
from evaluation.records import Score

HOSTILE = "</script><img src=x onerror=alert(1)> | `a` [b](javascript:c) \n## not a heading\ud800"
STATED = PapersConfig(
    intended_use="Sorts questions.",
    users=("help desk",),
    out_of_scope="Legal advice.",
    limits=("English only",),
    risks=("A wrong team answers late.",),
    domain="customer support",
    languages=("en",),
    license="Apache-2.0",
    contact="ada@example.org",
    watts_per_device=400.0,
    grid_grams_per_kwh=380.0,
    openlineage="file",
)


def _difference(opponent: str, verdict: str, decisive: bool) -> dict[str, Any]:
    return {
        "opponent": opponent,
        "metric": "exact_match",
        "candidate_mean": 0.75,
        "opponent_mean": 0.25,
        "difference": 0.5,
        "low": 0.4,
        "high": 0.6,
        "p_value": 0.00001,
        "required": 0.05,
        "verdict": verdict,
        "reason": f"{verdict} against {opponent}",
        "decisive": decisive,
    }


MEANS = {"base": 0.25, "majority": 0.3, "candidate": 0.75}
COSTS: dict[str, dict[str, float]] = {
    "base": {"latency_p50_s": 0.2},
    "majority": {},
    "candidate": {
        "latency_p50_s": 0.11,
        "latency_p95_s": 0.32,
        "prompt_tokens": 61.0,
        "completion_tokens": 9.5,
        "cost_per_1000_usd": 0.012,
    },
}
GUARD = {
    "metric": "exact_match",
    "task": "held_out",
    "slice": "topic=dates",
    "opponent": "base",
    "difference": -0.01,
    "low": -0.03,
    "high": 0.01,
    "required": -0.02,
    "decisive": False,
    "verdict": "undecided",
    "reason": "The candidate is 1.0 points behind the base.",
}
TASK = {"task": "held_out", "kind": "text", "area": "", "metric": "exact_match", "num_items": 40, "num_groups": 20}


def make_comparison() -> dict[str, Any]:
    """comparison.json of one task with 40 items, three comparators and a guard."""
    summaries = [
        {"comparator": name, "estimates": [{"metric": "exact_match", "mean": mean, "low": mean - 0.1, "high": mean + 0.1}]}
        for name, mean in MEANS.items()
    ]
    return {
        "metric": "exact_match",
        "task": "held_out",
        "confidence": 0.95,
        "alpha": 0.01,
        "num_items": 40,
        "num_groups": 20,
        "summaries": [{**item, "num_items": 40, **COSTS[str(item["comparator"])]} for item in summaries],
        "tasks": [{**TASK, "confusion": [], "summaries": summaries}],
        "differences": [_difference("base", "pass", True), _difference("majority", "undecided", False)],
        "requirements": [],
        "guards": [dict(GUARD)],
        "slices": [],
        "verdict": "pass",
        "reason": "The candidate is 50.0 points ahead of the base.",
    }


def _scores() -> list[Score]:
    return [
        Score(
            key=f"{name}/{number:02}#exact_match",
            comparator=name,
            task="held_out",
            item_key=f"{number:02}",
            group=str(number // 2),
            metric="exact_match",
            value=float(number < mean * 40),
        )
        for name, mean in MEANS.items()
        for number in range(40)
    ]


MANIFEST: dict[str, Any] = {
    "stage": "sft",
    "config": {"method": "sft", "learning_rate": 0.001, "epochs": 2.0, "lora": {"rank": 8}, "max_steps": None},
    "seed": 0,
    "versions": {"python": "3.11.9", "torch": "2.13.0", "peft": ""},
    "num_parameters": 948000,
    "num_rows": 100,
    "num_steps": 20,
    "trained_tokens": 4000,
    "loss_curve": [{"step": 1, "loss": 2.5}, {"step": 20, "loss": 0.5}],
}
COUNTED = {"contamination": {"contaminated_items": 3}}
VALUES = {"device": "NVIDIA H200", "num_devices": 2, "device_hours": 6.5, "training_cost_usd": 16.25}


LINEAGE = (
    LineageFacts(asset="toy/sft_dataset", partition="", version="1", fingerprint="f3", inputs={"toy/documents[api-0]": "9"}),
    LineageFacts(asset="toy/comparison", partition="", version="2", fingerprint="f4", inputs={"toy/sft_dataset": "1"}),
)


def _checks(text: str) -> tuple[CheckFacts, ...]:
    return (
        CheckFacts(asset="toy/sft_dataset", name="contamination", passed=True, blocks=True, detail=text),
        CheckFacts(asset="toy/comparison", name="promotion", passed=False, blocks=True, expected="pass", actual="fail"),
    )


def put_json(store: Store, folder: Path, name: str, value: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(value))
    return store.put_folder(folder)


@pytest.fixture
def make_facts(store: Store, tmp_path: Path, example: Callable[..., Example]) -> Callable[..., PaperFacts]:
    def make(*, stated: PapersConfig = STATED, text: str = "Plain words.", **changes: Any) -> PaperFacts:
        comparison = changes.get("comparison", make_comparison())
        model = put_json(store, tmp_path / "model", "manifest.json", MANIFEST)
        store.put_snapshot(Snapshot(asset="toy/sft_model", partition="", version="v", values=VALUES, fingerprint="f1"))
        store.put_snapshot(Snapshot(asset="toy/dataset_audit", partition="", version="v", values=COUNTED, fingerprint="f2"))
        rows = store.write_table(Example, [example(number) for number in range(7)])
        decision = {"promoted": True, "reason": "better", "model": model, "ledger_entry": "e" * 32}
        facts: dict[str, Any] = {
            "recipe": "toy",
            "description": text,
            "owner": "team:toys",
            "created_at": "2026-11-30T08:00:00+00:00",
            "stated": stated,
            "model": ModelFacts(
                hash=model,
                config={"architectures": ["LlamaForCausalLM"], "model_type": "llama"},
                files=(PaperFile(path="model.safetensors", sha256="a" * 64, num_bytes=10),),
            ),
            "base": BaseFacts(hash="b" * 32, hub_id="org/base-1b", revision="c0ffee"),
            "stages": (
                StageFacts(
                    name="sft_model",
                    method="sft",
                    folder=model,
                    build="toy/sft_model/f1",
                    manifest=MANIFEST,
                    values=VALUES,
                    data=("sft_dataset",),
                ),
            ),
            "data": (
                DataFacts(name="sft_dataset", role="training", root=rows.root, num_rows=7, manifest_sha256="d" * 64),
                DataFacts(name="evaluation_items", role="evaluation", root=rows.root, num_rows=7, manifest_sha256="d" * 64),
            ),
            "sources": (
                SourceFacts(name="notes", kind="files", license="MIT"),
                SourceFacts(name=text[:40], kind="huggingface", license=text, hub_id="org/rows"),
            ),
            "teachers": (text,),
            "comparison": comparison,
            "comparison_folder": put_json(store, tmp_path / "comparison", "comparison.json", comparison),
            "scores_root": store.write_table(Score, _scores()).root,
            "decision": decision,
            "decision_folder": put_json(store, tmp_path / "decision", "decision.json", decision),
            "rows": (
                RowCount(stage="sft_dataset", kept=14, rejected=7, kept_tables=(rows.root,) * 2, rejected_tables=(rows.root,)),
            ),
            "private_findings": {"EMAIL": 7},
            "findings_tables": (rows.root,),
            "contaminated_items": 3,
            "audit_build": "toy/dataset_audit/f2",
            "checks": _checks(text),
            "lineage": LINEAGE,
            "versions": {"dagster": "1.13.27"},
            "spdx": {"MIT": "MIT", "Apache-2.0": "Apache-2.0"},
        }
        return PaperFacts(**(facts | changes))

    return make


@pytest.fixture
def bare_facts(store: Store, tmp_path: Path) -> PaperFacts:
    """Facts with nothing but what is always there."""
    comparison = make_comparison()
    folder = put_json(store, tmp_path / "bare", "comparison.json", json.loads(canonical_json(comparison)))
    return PaperFacts(
        recipe="bare",
        model=ModelFacts(hash="a" * 32),
        base=BaseFacts(hash="b" * 32, is_built=True),
        comparison=comparison,
        comparison_folder=folder,
    )
