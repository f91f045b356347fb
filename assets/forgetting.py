"""Stage evaluate: what every model of the recipe still knows of what its base knew, and what it knows by heart.

The child process measures base, stages and candidate on one suite; the verdict is computed from what it stored, here for people
and anew for the release (`forgetting_blocks`), which believes no stored verdict.
"""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from assets.child import run_child
from assets.declare import as_result, declared, describe
from assets.presentation import markdown_table
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from curation.config import as_plain
from curation.files import write_atomically
from curation.home import Home
from curation.ids import canonical_json
from curation.store import Snapshot, Store, TableRef
from evaluation.answering.child import write_spec
from evaluation.answering.launch import child_environment
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.evidence import ForgettingEvidence, Probes, compute_probes, forgetting_obstacle
from evaluation.forgetting.measure import build_command
from evaluation.forgetting.records import SuiteItem
from evaluation.forgetting.spec import ProbedModel, ProbeSpec, RowTables, read_result
from evaluation.forgetting.suite import Suite, load_suite
from training.config.training import BASE_MODEL

NAME = "forgetting"
ROUND = 4


def build(recipe: Recipe) -> list[Any]:
    """Return the asset of a recipe that asks for it."""
    return [] if recipe.forgetting is None else [_forgetting(recipe, recipe.forgetting)]


def forgetting_blocks(recipe: Recipe, home: Home, model_hash: str) -> str:
    """Return why a model may not be released, computed anew from what was measured; empty if nothing is in the way."""
    config = recipe.forgetting
    if config is None:
        return ""
    store = home.store()
    found, base = (store.find_snapshot(recipe.asset(name)) for name in (NAME, BASE_MODEL))
    by_heart = config.memorisation is not None and config.memorisation.blocks
    if found is None or base is None:
        is_needed = config.blocks or by_heart
        return "What the candidate has forgotten was not measured. Materialize `forgetting` first." if is_needed else ""
    evidence = evidence_of_forgetting(recipe, found)
    if by_heart and evidence.rows != _rows_now(recipe, store):
        return "What the candidate knows by heart was measured on rows of other data. Materialize `forgetting` again."
    return forgetting_obstacle(evidence, store, config, model_hash=model_hash, base_hash=base.folders["model"])


def _rows_now(recipe: Recipe, store: Store) -> RowTables | None:
    """Return the rows that the newest data sets hold; None while one of them is not there."""
    names = ("sft_dataset", "eval_set", *(["dapt_corpus"] if recipe.training.reads("dapt_corpus") else []))
    newest = {name: store.find_snapshot(recipe.asset(name)) for name in names}
    found = {name: snapshot for name, snapshot in newest.items() if snapshot is not None}
    return _row_tables(found) if len(found) == len(newest) else None


def forgetting_roots(recipe: Recipe, home: Home) -> dict[str, str]:
    """Return what a release notes down about the probe that it rests on: its hash by the name of the asset."""
    found = home.store().find_snapshot(recipe.asset(NAME)) if recipe.forgetting is not None else None
    return {} if found is None else {NAME: evidence_of_forgetting(recipe, found).hash()}


def evidence_of_forgetting(recipe: Recipe, snapshot: Snapshot) -> ForgettingEvidence:
    """Return the hashes of a probe, for the evidence of a release."""
    tables = {name: table.root for name, table in snapshot.tables.items()}
    return ForgettingEvidence(
        items_root=tables["suite"],
        results_root=tables["results"],
        rows_root=tables["row_probes"],
        rows=RowTables(**snapshot.values["rows"]),
        base=BASE_MODEL,
        model=recipe.training.answering_models[-1],
    )


def _deps(recipe: Recipe, config: ForgettingConfig) -> tuple[str, ...]:
    rows = ("sft_dataset", "eval_set") if config.memorisation is not None else ()
    documents = ("dapt_corpus",) if rows and recipe.training.reads("dapt_corpus") else ()
    return (*recipe.training.answering_models, *rows, *documents)


def _forgetting(recipe: Recipe, config: ForgettingConfig) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        NAME,
        group="evaluate",
        kinds={"pytorch", "huggingface"},
        modules=("evaluation.forgetting.measure", "evaluation.forgetting.evidence"),
        settings=[config, recipe.evaluation.engine],
        deps=_deps(recipe, config),
        pool="gpu",
        description="What every stage has forgotten of what the base knew, area by area, and what the result knows by heart.",
        check_specs=_check_specs(recipe, config),
    )

    @declared(arguments)
    def forgetting(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], pipes: dg.ResourceParam[dg.PipesSubprocessClient]
    ) -> dg.MaterializeResult:
        suite = load_suite(config)
        inputs = {name: home.store().snapshot(recipe.asset(name)) for name in _deps(recipe, config)}
        pinned = suite_snapshot(recipe, suite)
        run = run_stage(
            home,
            asset=recipe.asset(NAME),
            inputs=[*inputs.values(), pinned],
            code=arguments["code_version"],
            make=lambda _: _probe(context, pipes, home, recipe, suite, inputs),
        )
        return as_result(home, run, _checks(run, config), areas=_area_table(run, home.store()))

    return forgetting


def suite_snapshot(recipe: Recipe, suite: Suite) -> Snapshot:
    """Return the suite as an input: what it asks is its version."""
    return Snapshot(asset=recipe.asset("forgetting_suite"), partition="", version=suite.hash)


def _check_specs(recipe: Recipe, config: ForgettingConfig) -> list[dg.AssetCheckSpec]:
    key, limits = dg.AssetKey([recipe.name, NAME]), config.memorisation
    forgotten = "The candidate has not lost more than the margins allow of what its base knew."
    by_heart = "Training rows are not known better, continued verbatim or given away beyond the limits of the recipe."
    specs = [dg.AssetCheckSpec(name=NAME, asset=key, blocking=config.blocks, description=forgotten)]
    if limits is not None:
        specs.append(dg.AssetCheckSpec(name="memorisation", asset=key, blocking=limits.blocks, description=by_heart))
    return specs


def _checks(run: StageRun, config: ForgettingConfig) -> list[dg.AssetCheckResult]:
    values, limits = run.snapshot.values, config.memorisation
    severity = {True: dg.AssetCheckSeverity.ERROR, False: dg.AssetCheckSeverity.WARN}
    passed = values["verdict"] == "pass" or (values["verdict"] == "undecided" and config.undecided == "pass")
    checks = [
        dg.AssetCheckResult(
            check_name=NAME,
            passed=passed,
            severity=severity[config.blocks],
            description=values["reason"],
            metadata=values["lost"],
        )
    ]
    if limits is not None:
        broken = values["memorised"]
        told = " ".join(broken) or "No limit of the recipe is exceeded."
        checks.append(
            dg.AssetCheckResult(
                check_name="memorisation", passed=not broken, severity=severity[limits.blocks], description=told
            )
        )
    return checks


def _probe(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    home: Home,
    recipe: Recipe,
    suite: Suite,
    inputs: dict[str, Snapshot],
) -> Outputs:
    store, config = home.store(), recipe.forgetting
    assert config is not None
    work = home.path / "work" / recipe.name / NAME
    items = store.write_table(SuiteItem, suite.items)
    models = recipe.training.answering_models
    spec = ProbeSpec(
        store_url=store.url,
        items=items.root,
        models=tuple(_model(store, name, inputs[name]) for name in models),
        rows=_row_tables(inputs) if config.memorisation is not None else RowTables(),
        memorisation=config.memorisation,
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
        seed=config.seed,
        work_folder=str(work),
        engine=recipe.evaluation.engine,
    )
    run_child(context, pipes, command=build_command(write_spec(spec)), environment=child_environment(), work_folder=work)
    result = read_result(work)
    stored = {
        "suite": items,
        "results": TableRef(record="ProbeResult", root=result.results, num_rows=result.num_results),
        "row_probes": TableRef(record="RowProbe", root=result.rows, num_rows=result.num_rows),
    }
    values = {"rows": as_plain(spec.rows), "measured": result.num_measured, "reused_measures": result.num_reused}
    measured = Snapshot(asset="", partition="", version="", tables=stored, values=values)
    probes = compute_probes(evidence_of_forgetting(recipe, measured), store, config, stages=models[1:-1])
    return Outputs(
        stored=stored,
        folders={"report": _report(probes, work / "report")},
        values={**values, **_facts(probes, config)},
    )


def _model(store: Store, name: str, snapshot: Snapshot) -> ProbedModel:
    model_hash = snapshot.folders["model"]
    return ProbedModel(name=name, path=str(store.get_folder(model_hash)), model_hash=model_hash)


def _row_tables(inputs: dict[str, Snapshot]) -> RowTables:
    documents = inputs.get("dapt_corpus")
    return RowTables(
        training=inputs["sft_dataset"].tables["examples"].root,
        held_out=inputs["eval_set"].tables["examples"].root,
        documents=documents.tables["documents"].root if documents is not None else "",
    )


def _facts(probes: Probes, config: ForgettingConfig) -> dict[str, Any]:
    """Return what is plotted over materializations: for each area right answers, loss and what was lost."""
    found, by_heart = probes.candidate, probes.memorisation
    facts: dict[str, Any] = {"verdict": found.verdict, "reason": found.reason, "unmeasured_items": found.num_unmeasured}
    for area in found.areas:
        facts |= {f"right_{area.area}": round(area.accuracy, ROUND), f"loss_{area.area}": round(area.loss, ROUND)}
    facts["lost"] = {area.area: round(-area.difference, ROUND) + 0.0 for area in found.areas}
    facts["memorised"] = by_heart.broken(config.memorisation) if by_heart and config.memorisation else []
    if by_heart is not None:
        facts |= {"loss_gap": round(by_heart.gap.value, ROUND)} if by_heart.gap else {}
        facts |= {f"verbatim_{one.side}_{one.prefix_tokens}": round(one.share, ROUND) for one in by_heart.extractable}
        facts |= {"exposure_bits": round(by_heart.exposures[0], 2)} if by_heart.exposures else {}
    return facts


def _report(probes: Probes, folder: Path) -> Path:
    write_atomically(folder / "forgetting.json", canonical_json(as_plain(probes)).encode())
    return folder


def _area_table(run: StageRun, store: Store) -> dg.MarkdownMetadataValue:
    """Show every stage and area in one table."""
    path = store.get_folder(run.snapshot.folders["report"]) / "forgetting.json"
    stages = json.loads(path.read_text())["stages"]
    rows = [
        {
            "model": stage["model"],
            "area": area["area"],
            "verdict": area["verdict"],
            "judged by": area["measure"],
            "right before": f"{area['base_accuracy']:.1%}",
            "right after": f"{area['accuracy']:.1%}",
            "nats a byte before": f"{area['base_loss']:.3f}",
            "after": f"{area['loss']:.3f}",
            "lost": f"{-area['difference'] + 0.0:+.3f} ({-area['high'] + 0.0:+.3f} to {-area['low'] + 0.0:+.3f})",
            "may be lost": f"{area['margin']:g}",
            "items": area["num_items"],
        }
        for stage in stages
        for area in stage["areas"]
    ]
    return dg.MetadataValue.md(markdown_table(rows) if rows else "Nothing was measured.")
