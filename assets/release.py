"""Stage release: the verdict recomputed from the evidence, the champion in the ledger, model card and exported model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg

from assets.code_version import code_version
from assets.data_card import shown_card
from assets.declare import as_result, declared, describe
from assets.models import candidate_asset
from assets.recipe import Recipe
from assets.scores import read_comparison, report_inputs
from assets.stage import Outputs, run_stage
from assets.withdrawals import release_obstacle
from curation.config import as_plain
from curation.files import write_atomically
from curation.home import Home
from curation.ids import canonical_json, content_hash
from curation.store import Snapshot
from evaluation.cards import model_card
from evaluation.exports import export_model
from evaluation.promotion import Evidence, PromotionOutcome, decide_promotion, promote
from evaluation.registry import open_release_ledger

WHO = "pipeline"


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_champion(recipe), _model_card(recipe), _exports(recipe)]


def evidence_of(recipe: Recipe, home: Home) -> Evidence:
    """Collect the hashes that a promotion rests on from the newest snapshots."""
    store = home.store()
    newest = {
        name: store.snapshot(recipe.asset(name)) for name in ("answers", "scores", "comparison", "sft_dataset", "dapt_corpus")
    }
    preference = store.find_snapshot(recipe.asset("preference_dataset"))
    data = {"dapt_corpus": newest["dapt_corpus"].version} | ({"preference_dataset": preference.version} if preference else {})
    return Evidence(
        recipe=recipe.name,
        model_hash=store.snapshot(recipe.asset(candidate_asset(recipe))).folders["model"],
        items_root=newest["answers"].tables["items"].root,
        answers_root=newest["answers"].tables["answers"].root,
        scores_root=newest["scores"].tables["scores"].root,
        comparison_hash=read_comparison(store, newest["comparison"]).hash(),
        training_roots=(newest["sft_dataset"].tables["examples"].root,),
        data_roots=data,
        config_hash=content_hash(as_plain(recipe)),
        code_version=code_version("training.run", "evaluation.promotion"),
    )


def _champion(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "champion",
        group="release",
        kinds={"python"},
        modules=("evaluation.promotion",),
        settings=recipe.release,
        deps=["comparison", candidate_asset(recipe)],
        description="The live model: promoted only if the verdict, recomputed from the stored answers, is a pass.",
    )

    @declared(arguments)
    def champion(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = [home.store().snapshot(recipe.asset(name)) for name in ("comparison", candidate_asset(recipe))]
        outcome = _promote(recipe, home)
        run = run_stage(
            home,
            asset=recipe.asset("champion"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: _decision(recipe, home, outcome),
            is_lasting=False,
        )
        return as_result(home, run, ledger_entry=outcome.entry.sequence, model=outcome.entry.model_hash)

    return champion


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
        obstacle = release_obstacle(recipe, home, evidence.model_hash)
        decision = replace(decision, verdict="fail", reason=obstacle) if obstacle else decision
        return promote(decision, evidence, ledger=ledger, store=store, home=home.path, who=WHO)
    finally:
        ledger.close()


def _inputs(recipe: Recipe, home: Home) -> dict[str, Snapshot]:
    names = ["comparison", "answers", "scores", "rejections", "champion", "sft_dataset", "dataset_audit"]
    from_models = [asset for asset in ("base_model", "dapt_model", "sft_model", "preference_model")]
    store = home.store()
    found = {name: store.find_snapshot(recipe.asset(name)) for name in names + from_models}
    return {name: snapshot for name, snapshot in found.items() if snapshot is not None}


def _licenses(recipe: Recipe) -> str:
    return ", ".join(sorted({source.license for source in recipe.sources if source.license}))


def _model_card(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "model_card",
        group="release",
        kinds={"markdown"},
        modules=("evaluation.cards",),
        deps=["evaluation_report", "champion"],
        description="What the model is, what it was made from, and how it was measured.",
    )

    @declared(arguments)
    def card(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = _inputs(recipe, home)
        run = run_stage(
            home,
            asset=recipe.asset("model_card"),
            inputs=inputs.values(),
            code=arguments["code_version"],
            make=lambda _: _card(
                home,
                recipe,
                "model_card",
                model_card(
                    report_inputs(recipe, home, inputs),
                    base_model=recipe.training.base.model or "",
                    license=_licenses(recipe),
                    promoted=bool(inputs["champion"].values["promoted"]),
                ),
            ),
        )
        return as_result(home, run, card=shown_card(home.store().get_folder(run.snapshot.folders["card"])))

    return card


def _card(home: Home, recipe: Recipe, name: str, text: str) -> Outputs:
    folder = home.path / "work" / recipe.name / name
    write_atomically(folder / "README.md", text.encode())
    return Outputs(folders={"card": folder})


def _exports(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "exports",
        group="release",
        kinds={"huggingface"},
        modules=("evaluation.exports",),
        deps=["champion", "model_card"],
        description="The champion as a folder for Transformers, vLLM and Ollama; empty while nothing was promoted.",
    )

    @declared(arguments)
    def exports(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = [store.snapshot(recipe.asset(name)) for name in ("champion", "model_card", candidate_asset(recipe))]
        run = run_stage(
            home,
            asset=recipe.asset("exports"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: _export(recipe, home, inputs),
        )
        return as_result(home, run)

    return exports


def _export(recipe: Recipe, home: Home, inputs: list[Snapshot]) -> Outputs:
    champion, card, candidate = inputs
    if not champion.values["promoted"]:
        return Outputs(values={"exported": False})
    store = home.store()
    readme = (store.get_folder(card.folders["card"]) / "README.md").read_text()
    out: Path = home.path / "work" / recipe.name / "export"
    export_model(store.get_folder(candidate.folders["model"]), out, readme=readme, name=recipe.name)
    return Outputs(folders={"export": out}, values={"exported": True})
