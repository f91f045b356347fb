"""What is handed on: the champion in the forms that the recipe asks for, proved, and asked the gate's questions again.

Who is champion says the release ledger, and no snapshot: a model that was trained since, or rolled back, is not handed on.

`exports` runs two processes. The first writes, proves and signs the forms (`training.export`); the second is the one that
answered for the gate, and asks each form anew (`evaluation.release.handover`). Only what passes both is stored.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import dagster as dg

from assets.child import run_child
from assets.declare import as_result, describe
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from curation.errors import ExportRefusedError
from curation.home import Home
from curation.store import Snapshot
from evaluation.answering import launch as answering
from evaluation.answering.child import write_spec
from evaluation.answering.spec import AnswerSpec, read_result
from evaluation.papers.write import lay_beside
from evaluation.release.handover import HandoverSpec, hand_over, summarise, worst_difference
from evaluation.release.registry import open_release_ledger
from training.config.training import BASE_MODEL
from training.export.command import build_command
from training.export.spec import ExportSpec
from training.launch import child_environment

HANDOVER = "handover"


def build(recipe: Recipe) -> dg.AssetsDefinition:
    """Return the asset `exports`."""
    candidate = recipe.training.answering_models[-1]
    arguments = describe(
        recipe,
        "exports",
        group="release",
        kinds={"huggingface"},
        modules=("training.export.command", "evaluation.release.handover", "evaluation.papers.write"),
        settings=[recipe.release.exports, recipe.release.handover],
        deps=["champion", "model_card", candidate, "eval_set", "sft_dataset", "answers"],
        pool="gpu",
        description="The champion as a folder for Transformers, vLLM, Ollama and llama.cpp, compared with the model that was "
        "trained and asked the gate's questions again; empty while nothing was promoted.",
        check_specs=[
            dg.AssetCheckSpec(
                name=HANDOVER,
                asset=[recipe.name, "exports"],
                description="Each exported form answers the gate's questions and scores as the candidate did.",
            )
        ],
    )

    def exports(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], pipes: dg.ResourceParam[dg.PipesSubprocessClient]
    ) -> Iterator[Any]:
        names = ("champion", "model_card", candidate, "eval_set", "sft_dataset", "answers")
        inputs = {name: home.store().snapshot(recipe.asset(name)) for name in names}
        try:
            run = run_stage(
                home,
                asset=recipe.asset("exports"),
                inputs=[*inputs.values(), live_model(recipe, home)],
                code=arguments["code_version"],
                make=lambda _: _export(context, pipes, home, recipe, inputs),
            )
        except ExportRefusedError as refusal:
            yield dg.AssetCheckResult(check_name=HANDOVER, passed=False, description=str(refusal))
            raise
        yield _told(home, run)

    decorate = cast(Callable[..., dg.AssetsDefinition], dg.asset(**arguments))
    return decorate(exports)


def live_model(recipe: Recipe, home: Home) -> Snapshot:
    """Return the model that is live, as an input: its hash is its version, empty while there is none.

    Raises:
        LedgerTamperedError: if the ledger is not intact.
    """
    ledger = open_release_ledger(home)
    try:
        ledger.verify()
        live = ledger.champion(recipe.name)
    finally:
        ledger.close()
    return Snapshot(asset=recipe.asset("live_model"), partition="", version=live.model_hash if live else "")


def _told(home: Home, run: StageRun) -> dg.MaterializeResult:
    report = run.snapshot.values.get(HANDOVER)
    if not report:
        said = run.snapshot.values["reason"]
        return as_result(home, run, [dg.AssetCheckResult(check_name=HANDOVER, passed=True, description=said)])
    said, difference = summarise(report), worst_difference(report)
    check = dg.AssetCheckResult(check_name=HANDOVER, passed=True, description=said, metadata={"score_difference": difference})
    return as_result(home, run, [check], score_difference=difference, handed_over=dg.MetadataValue.md(said))


def _export(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    home: Home,
    recipe: Recipe,
    inputs: dict[str, Snapshot],
) -> Outputs:
    live, newest = live_model(recipe, home).version, inputs[recipe.training.answering_models[-1]].folders["model"]
    if not live:
        return Outputs(values={"exported": False, "reason": "Nothing was promoted, so nothing was exported."})
    if live != newest:
        reason = f"The newest model {newest[:12]} is not the champion, which is {live[:12]}, so nothing was exported."
        return Outputs(values={"exported": False, "reason": reason})
    spec = _export_spec(home, recipe, inputs)
    work = Path(spec.work_folder)
    work.mkdir(parents=True, exist_ok=True)
    command = build_command(spec.write(work / "spec.json"))
    run_child(context, pipes, command=command, environment=child_environment(), work_folder=work)

    def ask(asked: AnswerSpec) -> str:
        command, folder = answering.build_command(write_spec(asked)), Path(asked.work_folder)
        run_child(context, pipes, command=command, environment=answering.child_environment(), work_folder=folder)
        return read_result(folder).table

    handed = _handover_spec(recipe, home, spec, inputs)
    report = hand_over(handed, recipe.evaluation, recipe.release.handover, ask, context.log.info)
    lay_beside(home.store().get_folder(inputs["model_card"].folders["card"]), handed.out)
    proof = json.loads((handed.out / "proof.json").read_bytes())
    divergences = {f"kl_{form}": found["kl"] for form, found in proof["formats"].items()}
    values = {"exported": True, "forms": sorted(proof["formats"]), "notes": proof["notes"], HANDOVER: report, **divergences}
    return Outputs(folders={"export": handed.out}, values=values)


def _handover_spec(recipe: Recipe, home: Home, spec: ExportSpec, inputs: dict[str, Snapshot]) -> HandoverSpec:
    answers = inputs["answers"].tables
    return HandoverSpec(
        name=recipe.name,
        model_hash=inputs[recipe.training.answering_models[-1]].folders["model"],
        store_url=home.store().url,
        items=answers["items"].root,
        answers=answers["answers"].root,
        training_examples=inputs["sft_dataset"].tables["examples"].root,
        export=Path(spec.out),
        parent_folder=spec.parent_folder,
        out=home.path / "work" / recipe.name / "export",
        work_folder=Path(spec.work_folder) / HANDOVER,
    )


def _export_spec(home: Home, recipe: Recipe, inputs: dict[str, Snapshot]) -> ExportSpec:
    """Return what the exporting process has to know. An adapter belongs to the very parent that its model was trained from."""
    store, candidate = home.store(), inputs[recipe.training.answering_models[-1]]
    model = store.get_folder(candidate.folders["model"])
    parent = json.loads((model / "manifest.json").read_bytes())["parent"]
    base = store.find_snapshot(recipe.asset(BASE_MODEL))
    named = recipe.training.base if base is not None and base.folders["model"] == parent else None
    work = home.path / "work" / recipe.name / "exporting"
    return ExportSpec(
        name=recipe.name,
        store_url=store.url,
        conversations=inputs["eval_set"].tables["examples"].root,
        model_folder=str(model),
        parent_folder=str(store.get_folder(parent)),
        base=(named.model if named else None) or f"{recipe.name}@{parent}",
        revision=named.revision if named else None,
        readme=(store.get_folder(inputs["model_card"].folders["card"]) / "README.md").read_text(),
        out=str(work / "unproven"),
        work_folder=str(work),
        **asdict(recipe.release.exports),
    )
