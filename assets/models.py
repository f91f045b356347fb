"""Stage train: the base model and the stages that the recipe asks for, each in a child process of its own.

`base_model -> dapt_model -> sft_model -> preference_model`; what is not in the recipe is left out of the chain. Before a
stage learns from examples or pairs, the review gate is recomputed from the review database and the rows' own hashes, and the
audit of the data sets has to be one of exactly these.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from assets.audit import pass_audit_gate
from assets.child import run_child
from assets.declare import as_result, declared, describe
from assets.presentation import displayable, loss_plot
from assets.recipe import Recipe
from assets.review import pass_review_gate
from assets.stage import Outputs, StageRun, run_stage
from assets.withdrawals import pass_withdrawal_gate
from curation.home import Home
from curation.store import Snapshot
from training.config import Stage
from training.launch import build_command, child_environment
from training.spec import TABLE_OF, RunSpec

GATES = ("verified_examples", "dataset_audit")
"""Upstream of every stage that learns from rows; what they say opens the gate, and is no input of the training."""


@dataclass(frozen=True, kw_only=True)
class _Model:
    asset: str
    dataset: str
    description: str
    is_gated: bool


MODELS: dict[Stage, _Model] = {
    "base": _Model(
        asset="base_model",
        dataset="dapt_corpus",
        is_gated=False,
        description="What training starts from: a named model, or a small Llama with a byte-level BPE built on the corpus.",
    ),
    "dapt": _Model(
        asset="dapt_model", dataset="dapt_corpus", is_gated=False, description="Continued pre-training on the documents (DAPT)."
    ),
    "sft": _Model(
        asset="sft_model",
        dataset="sft_dataset",
        is_gated=True,
        description="Supervised fine-tuning; only the answers are learnt.",
    ),
    "preference": _Model(
        asset="preference_model",
        dataset="preference_dataset",
        is_gated=True,
        description="Direct preference optimisation on the pairs.",
    ),
}


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    stages = recipe.training_stages
    return [_asset(recipe, stage, stages[index - 1] if index else None) for index, stage in enumerate(stages)]


def candidate_asset(recipe: Recipe) -> str:
    """Return the name of the asset whose model is proposed for release: the last stage."""
    return MODELS[recipe.training_stages[-1]].asset


def _asset(recipe: Recipe, stage: Stage, parent: Stage | None) -> dg.AssetsDefinition:
    model = MODELS[stage]
    config = recipe.training.base if stage == "base" else getattr(recipe.training, stage)
    deps = [model.dataset, *([MODELS[parent].asset] if parent else []), *(GATES if model.is_gated else [])]
    arguments = describe(
        recipe,
        model.asset,
        group="train",
        kinds={"pytorch", "huggingface"},
        modules=("training.run",),
        settings=[config, recipe.training.seed],
        deps=deps,
        description=model.description,
        pool="gpu",
        check_specs=[
            dg.AssetCheckSpec(
                name="training_health",
                asset=[recipe.name, model.asset],
                description="The loss is finite and fell.",
                blocking=True,
            )
        ],
    )

    @declared(arguments)
    def trained(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], pipes: dg.ResourceParam[dg.PipesSubprocessClient]
    ) -> dg.MaterializeResult:
        gate = _pass_gates(recipe, home, stage) if model.is_gated else {}
        inputs = [home.store().snapshot(recipe.asset(name)) for name in deps if name not in GATES]
        pass_withdrawal_gate(
            recipe,
            home,
            roots=[inputs[0].tables[TABLE_OF[stage]].root],
            parents=[item.folders["model"] for item in inputs[1:]],
            what=f"Training '{stage}'",
        )
        run = run_stage(
            home,
            asset=recipe.asset(model.asset),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda fingerprint: _train(context, pipes, home, recipe, stage, inputs, fingerprint),
        )
        shutil.rmtree(_work_folder(home, recipe, stage, run.snapshot.fingerprint), ignore_errors=True)
        return as_result(home, run, [_health(run)], **gate, **loss_plot(run.snapshot.values))

    return trained


def _pass_gates(recipe: Recipe, home: Home, stage: Stage) -> dict[str, Any]:
    evidence = pass_review_gate(recipe, home, stage)
    pass_audit_gate(recipe, home)
    return evidence


def _work_folder(home: Home, recipe: Recipe, stage: Stage, fingerprint: str) -> Path:
    return home.path / "work" / recipe.name / f"{MODELS[stage].asset}-{fingerprint[:16]}"


def _train(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    home: Home,
    recipe: Recipe,
    stage: Stage,
    inputs: list[Snapshot],
    fingerprint: str,
) -> Outputs:
    work, store = _work_folder(home, recipe, stage, fingerprint), home.store()
    spec = RunSpec(
        stage=stage,
        config=recipe.training.base if stage == "base" else getattr(recipe.training, stage),
        store_url=store.url,
        tables={TABLE_OF[stage]: inputs[0].tables[TABLE_OF[stage]].root},
        parent_model=str(store.get_folder(inputs[1].folders["model"])) if len(inputs) > 1 else "",
        work_folder=str(work),
        seed=recipe.training.seed,
    )
    work.mkdir(parents=True, exist_ok=True)
    command = build_command(spec.write(work / "spec.json"), recipe.training.processes)
    run_child(context, pipes, command=command, environment=child_environment(), work_folder=work)
    return Outputs(folders={"model": work / "output"}, values=_facts(work))


def _facts(work: Path) -> dict[str, Any]:
    manifest = json.loads((work / "output" / "manifest.json").read_text())
    timings = json.loads((work / "timings.json").read_text())
    curve = [[point["step"], point["loss"]] for point in manifest["loss_curve"]]
    facts = {name: timings[name] for name in ("seconds", "tokens_per_s") if name in timings}
    facts |= {name: manifest[name] for name in ("trained_tokens", "num_rows") if name in manifest}
    return facts | {"loss_curve": curve} | ({"final_loss": curve[-1][1]} if curve else {})


def _health(run: StageRun) -> dg.AssetCheckResult:
    losses = [point[1] for point in run.snapshot.values.get("loss_curve", [])]
    num_ends = max(1, len(losses) // 5)
    first, last = (sum(part) / len(part) if part else 0.0 for part in (losses[:num_ends], losses[-num_ends:]))
    is_finite = all(loss == loss and abs(loss) < float("inf") for loss in losses)
    fell = len(losses) < 2 or last < first
    severity = dg.AssetCheckSeverity.WARN if is_finite else dg.AssetCheckSeverity.ERROR
    metadata = {"first_loss": displayable(first), "last_loss": displayable(last), "num_points": len(losses)}
    return dg.AssetCheckResult(check_name="training_health", passed=is_finite and fell, severity=severity, metadata=metadata)
