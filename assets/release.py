"""Stage release: the verdict recomputed from the evidence, the champion in the ledger, model card and exported model."""

from typing import Any

import dagster as dg

from assets import exports, papers
from assets.answer_tables import timings_snapshot
from assets.asked_items import items_obstacle
from assets.code_version import code_version
from assets.declare import as_result, declared, describe
from assets.evaluation_judge import gating_judges, judge_evidence_hash, judge_obstacle
from assets.forgetting import NAME as FORGETTING
from assets.forgetting import forgetting_blocks, forgetting_roots
from assets.recipe import Recipe
from assets.scores import read_comparison
from assets.stage import Outputs, run_stage
from assets.withdrawals import release_obstacle
from curation.config import as_plain
from curation.files import write_atomically
from curation.home import Home
from curation.ids import canonical_json, content_hash
from curation.store import Snapshot
from evaluation.gate.evidence import comparators_of, hash_tasks
from evaluation.gate.promotion import Evidence, PromotionOutcome, decide_promotion, promote
from evaluation.records import EvalAnswer
from evaluation.release.mirrors.sync import make_mirrors, sync_mirrors
from evaluation.release.registry import open_release_ledger

WHO = "pipeline"


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_champion(recipe), *papers.build(recipe), exports.build(recipe)]


def evidence_of(recipe: Recipe, home: Home) -> Evidence:
    """Collect the hashes that a promotion rests on from the newest snapshots."""
    store = home.store()
    newest = {
        name: store.snapshot(recipe.asset(name)) for name in ("answers", "scores", "comparison", "sft_dataset", "dapt_corpus")
    }
    others = {data.dataset: store.find_snapshot(recipe.asset(data.dataset)) for data in recipe.training.data}
    data = {name: found.version for name, found in others.items() if found is not None and name != "sft_dataset"}
    answers_root = newest["answers"].tables["answers"].root
    return Evidence(
        recipe=recipe.name,
        model_hash=store.snapshot(recipe.asset(recipe.training.answering_models[-1])).folders["model"],
        items_root=newest["answers"].tables["items"].root,
        answers_root=answers_root,
        scores_root=newest["scores"].tables["scores"].root,
        comparison_hash=read_comparison(store, newest["comparison"]).hash(),
        training_roots=(newest["sft_dataset"].tables["examples"].root,),
        data_roots={"dapt_corpus": newest["dapt_corpus"].version, **data, **forgetting_roots(recipe, home)},
        config_hash=content_hash(as_plain(recipe)),
        code_version=code_version("training.run", "evaluation.gate.promotion"),
        tasks_hash=hash_tasks(recipe.evaluation),
        comparators=comparators_of(store.read_table(EvalAnswer, answers_root)),
        timings_root=newest["comparison"].inputs.get(timings_snapshot(recipe, newest["answers"]).asset, ""),
        judge_evidence_hash=judge_evidence_hash(recipe, home),
    )


def _champion(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "champion",
        group="release",
        kinds={"python"},
        modules=("evaluation.gate.promotion",),
        settings=recipe.release,
        deps=[
            "comparison",
            recipe.training.answering_models[-1],
            *gating_judges(recipe),
            *([FORGETTING] if recipe.forgetting else []),
        ],
        description="The live model: promoted only if the verdict, recomputed from the stored answers, is a pass.",
    )

    @declared(arguments)
    def champion(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = [home.store().snapshot(recipe.asset(name)) for name in ("comparison", recipe.training.answering_models[-1])]
        inputs.append(approvals(recipe, home))
        outcome = _promote(recipe, home)
        run = run_stage(
            home,
            asset=recipe.asset("champion"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: _decision(recipe, home, outcome),
            is_lasting=False,
        )
        mirrored = _tell_mirrors(recipe, home)
        return as_result(home, run, ledger_entry=outcome.entry.sequence, model=outcome.entry.model_hash, **mirrored)

    return champion


def approvals(recipe: Recipe, home: Home) -> Snapshot:
    """Return the approvals of a recipe as an input, so that a new one makes `champion` run again."""
    ledger = open_release_ledger(home)
    try:
        given = [entry.hash for entry in ledger.history(recipe.name) if entry.action == "approve"]
    finally:
        ledger.close()
    return Snapshot(asset=recipe.asset("approvals"), partition="", version=given[-1] if given else "")


def _tell_mirrors(recipe: Recipe, home: Home) -> dict[str, Any]:
    """Return what came of it, mirror by mirror; a failure is told and changes no release."""
    mirrors = make_mirrors(recipe.release.mirrors)
    if not mirrors:
        return {}
    ledger = open_release_ledger(home)
    try:
        reports = sync_mirrors(recipe.name, mirrors, ledger=ledger, store=home.store(), home=home.path)
    finally:
        ledger.close()
    return {f"mirror_{report.mirror}": report.place or f"failed: {report.error}" for report in reports}


def _decision(recipe: Recipe, home: Home, outcome: PromotionOutcome) -> Outputs:
    values = {"promoted": outcome.promoted, "action": outcome.entry.action, "reason": outcome.entry.reason}
    folder = home.path / "work" / recipe.name / "champion"
    facts = {**values, "model": outcome.entry.model_hash, "ledger_entry": outcome.entry.hash}
    write_atomically(folder / "decision.json", canonical_json(facts).encode())
    return Outputs(folders={"decision": folder}, values=values)


def _promote(recipe: Recipe, home: Home) -> PromotionOutcome:
    store, evidence, ledger = home.store(), evidence_of(recipe, home), open_release_ledger(home)
    try:
        decision = decide_promotion(evidence, store, recipe.evaluation, recipe.release)
        obstacle = release_obstacle(recipe, home, evidence.model_hash) or judge_obstacle(recipe, home)
        obstacle = obstacle or forgetting_blocks(recipe, home, evidence.model_hash) or items_obstacle(recipe, home)
        if evidence_of(recipe, home).hash() != evidence.hash():  # obstacles were looked for in what is newest
            obstacle = obstacle or "What the release rests on was made anew meanwhile. Materialize `champion` again."
        return promote(decision, evidence, ledger=ledger, store=store, home=home.path, who=WHO, obstacle=obstacle)
    finally:
        ledger.close()
