"""Stage train: the base model and the stages that the recipe asks for, each in a child process of its own.

`base_model`, then one model for each entry of `training.stages`, in their order. Before a stage learns from reviewed
rows, the review gate is recomputed from the review database and the rows' own hashes, and the audit of the data sets has to be
one of exactly these.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from assets.audit import pass_audit_gate
from assets.curve_checks import curve_checks, curve_results
from assets.declare import as_result, declared, describe
from assets.health import health_check, health_result
from assets.launchers.start import start_training
from assets.preflight import log_stopped, preflight_check, preflight_result
from assets.quality_gate import pass_quality_gate
from assets.recipe import Recipe
from assets.review import pass_review_gate
from assets.stage import Outputs, run_stage
from assets.training_page import curve_plots, training_facts
from assets.withdrawals import pass_withdrawal_gate
from curation.errors import PreflightFailedError
from curation.home import Home
from curation.store import Snapshot
from training.config import BaseModelConfig, StageConfig, TrainingData
from training.config.methods import DESCRIPTIONS, DOCUMENTS
from training.config.training import BASE_MODEL
from training.preflight.findings import FOLDER as PREFLIGHT
from training.spec import RunSpec
from training.trainers import BUILDERS

GATES = ("verified_examples", "dataset_audit")
"""Upstream of every stage that learns from rows; what they say opens the gate, and is no input of the training."""


@dataclass(frozen=True, kw_only=True)
class _Model:
    """One model asset, and what it is made of."""

    asset: str
    config: BaseModelConfig | StageConfig
    data: TrainingData
    parents: tuple[str, ...] = ()
    """Assets of the models that it is made from: the one that it starts from, then those that judge or teach it."""

    @property
    def is_trained(self) -> bool:
        """Whether it learns from rows, and is not just built or loaded."""
        return isinstance(self.config, StageConfig)

    @property
    def settings(self) -> BaseModelConfig | StageConfig:
        """What of the configuration determines the model."""
        return self.config.as_trained() if isinstance(self.config, StageConfig) else self.config

    @property
    def description(self) -> str:
        if isinstance(self.config, BaseModelConfig):
            return "What training starts from: a named model, or a small Llama with a byte-level BPE built on the corpus."
        return DESCRIPTIONS[self.config.method]


def code_behind(config: BaseModelConfig | StageConfig) -> dict[str, tuple[str, ...]]:
    """Return what code makes a model, as `describe` takes it: of the methods its own alone.

    A change to one method then leaves the models of the others fresh. `training.trainers` knows all methods, and
    `training.config.rl` all graders, to check their names, and the preflight shapes rows as each method does, to look at
    them: these are read, but not followed.
    """
    if isinstance(config, BaseModelConfig):
        return {"modules": ("training.base_model", "training.output"), "leaves": ("training.run", "training.config.rl")}
    method = BUILDERS[config.method].__module__
    return {
        "modules": ("training.run", method),
        "leaves": ("training.trainers", "training.config.rl", "training.preflight.stage"),
    }


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_asset(recipe, model) for model in _models(recipe)]


def _models(recipe: Recipe) -> list[_Model]:
    training = recipe.training
    base = _Model(asset=BASE_MODEL, config=training.base, data=DOCUMENTS)
    staged = zip(training.stages, training.parents, strict=True)
    return [
        base,
        *(
            _Model(asset=stage.model_name, config=stage, data=stage.data, parents=(parent, *training.models_used(stage)))
            for stage, parent in staged
        ),
    ]


def _asset(recipe: Recipe, model: _Model) -> dg.AssetsDefinition:
    deps = [model.data.dataset, *model.parents, *(GATES if model.data.is_reviewed else [])]
    arguments = describe(
        recipe,
        model.asset,
        group="train",
        kinds={"pytorch", "huggingface"},
        **code_behind(model.config),
        settings=[model.settings, recipe.training.seed],
        deps=deps,
        description=model.description,
        pool="gpu",
        check_specs=[
            health_check([recipe.name, model.asset]),
            *([preflight_check([recipe.name, model.asset])] if model.is_trained else []),
            *curve_checks([recipe.name, model.asset], model.config),
        ],
    )

    @declared(arguments)
    def trained(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], pipes: dg.ResourceParam[dg.PipesSubprocessClient]
    ) -> dg.MaterializeResult:
        gate = _pass_gates(recipe, home, model.data)
        inputs = [home.store().snapshot(recipe.asset(name)) for name in (model.data.dataset, *model.parents)]
        pass_withdrawal_gate(
            recipe,
            home,
            roots=[inputs[0].tables[model.data.table].root],
            parents=[item.folders["model"] for item in inputs[1:]],
            what=f"Training '{model.asset}'",
        )
        run = run_stage(
            home,
            asset=recipe.asset(model.asset),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda fingerprint: _train(context, pipes, home, recipe, model, inputs, fingerprint),
        )
        shutil.rmtree(_work_folder(home, recipe, model, run.snapshot.fingerprint), ignore_errors=True)
        checks = [health_result(run.snapshot), *curve_results(run.snapshot, model.config)]
        checks += [preflight_result(home.store(), run.snapshot)] if model.is_trained else []
        return as_result(home, run, checks, **gate, **curve_plots(run.snapshot.values))

    return trained


def _pass_gates(recipe: Recipe, home: Home, data: TrainingData) -> dict[str, Any]:
    if not data.is_reviewed and recipe.review.documents == "none":
        return {}
    evidence = pass_review_gate(recipe, home, data)
    if data.is_reviewed:
        pass_audit_gate(recipe, home)
    return evidence


def _work_folder(home: Home, recipe: Recipe, model: _Model, fingerprint: str) -> Path:
    return home.path / "work" / recipe.name / f"{model.asset}-{fingerprint[:16]}"


def _train(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    home: Home,
    recipe: Recipe,
    model: _Model,
    inputs: list[Snapshot],
    fingerprint: str,
) -> Outputs:
    if model.is_trained:
        pass_quality_gate(recipe, home, model.data)
    work = _work_folder(home, recipe, model, fingerprint)
    spec = _make_spec(home, recipe, model, inputs, work)
    try:
        start_training(context, pipes, recipe.training.layout, spec=spec, home=home.path)
    except PreflightFailedError:
        log_stopped(context, work / PREFLIGHT)
        raise
    reports = {PREFLIGHT: work / PREFLIGHT} if model.is_trained else {}
    values = training_facts(work, model.config, price_per_gpu_hour=recipe.training.price_per_gpu_hour)
    return Outputs(folders={"model": work / "output", **reports}, values=values)


def _make_spec(home: Home, recipe: Recipe, model: _Model, inputs: list[Snapshot], work: Path) -> RunSpec:
    store = home.store()
    held_out = store.find_snapshot(recipe.asset("eval_set")) if model.is_trained else None
    return RunSpec(
        config=model.config,
        store_url=store.url,
        tables={model.data.table: inputs[0].tables[model.data.table].root},
        parent_model=str(store.get_folder(inputs[1].folders["model"])) if len(inputs) > 1 else "",
        models={
            name: str(store.get_folder(item.folders["model"])) for name, item in zip(model.parents[1:], inputs[2:], strict=True)
        }
        if len(inputs) > 2
        else {},
        work_folder=str(work),
        seed=recipe.training.seed,
        held_out=held_out.tables["examples"].root if held_out else "",
        run_name=f"{recipe.name}/{model.asset}",
        trackers=recipe.training.trackers if model.is_trained else (),
    )


def list_stage_specs(home: Home, recipe: Recipe, *, folder: str, stage: str = "", is_any_parent: bool = False) -> list[RunSpec]:
    """Return the specs of the stages of a recipe, to be looked at or tried without being run.

    Args:
        home: where data and models are.
        recipe: the recipe.
        folder: name of the folder under the home for their work.
        stage: name of one model asset; empty for all stages.
        is_any_parent: take a model further up where the parent was not trained yet: all have the same tokenizer.

    Raises:
        MissingSnapshotError: if the data of a stage, or its parent, were not made yet.
    """
    store, specs = home.store(), []
    by_name = {model.asset: model for model in _models(recipe)}
    for model in by_name.values():
        if not model.is_trained or stage not in ("", model.asset):
            continue
        parent = by_name[model.parents[0]]
        while is_any_parent and parent.parents and store.find_snapshot(recipe.asset(parent.asset)) is None:
            parent = by_name[parent.parents[0]]
        inputs = [store.snapshot(recipe.asset(name)) for name in (model.data.dataset, parent.asset)]
        specs.append(_make_spec(home, recipe, model, inputs, home.path / folder / recipe.name / model.asset))
    return specs
