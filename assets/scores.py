"""Stage evaluate: held-out questions answered by every comparator, scored, compared, and told in one report."""

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg

from assets.audit import contaminated_items
from assets.child import run_child
from assets.curated import shard_snapshots
from assets.declare import as_result, declared, describe
from assets.funnel import stage_rows
from assets.models import MODELS, candidate_asset
from assets.recipe import Recipe
from assets.review import review_counts
from assets.stage import Outputs, run_stage
from curation.config import as_plain
from curation.home import Home
from curation.records import Example
from curation.store import Snapshot, Store, TableRef
from evaluation.answer_spec import AnswerSpec, Generation, ModelFolder, plan_comparators, read_result, write_spec
from evaluation.clean_subset import score_clean_subset
from evaluation.comparison import Comparison, compare, comparison_from_json
from evaluation.items import assert_held_out, choose_items
from evaluation.launch import build_command, child_environment
from evaluation.promotion import live_entries
from evaluation.records import EvalAnswer, Score
from evaluation.registry import open_release_ledger
from evaluation.report import write_report
from evaluation.report_inputs import LossCurve, ReportInputs
from evaluation.scoring import score_answers

COMPARATOR_OF = {"base": "base", "dapt": "dapt", "sft": "sft"}
PACKAGES = ("dagster", "torch", "transformers", "trl", "peft", "polars", "pyarrow", "great-expectations")


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_answers(recipe), _scores(recipe), _comparison(recipe), _report(recipe)]


def read_comparison(store: Store, snapshot: Snapshot) -> Comparison:
    """Return the comparison that the asset `comparison` stored."""
    path = store.get_folder(snapshot.folders["comparison"]) / "comparison.json"
    return comparison_from_json(json.loads(path.read_text()))


def champion_before(recipe: Recipe, home: Home) -> Snapshot:
    """Return the champion that the candidate has to stand against, as an input: its model hash is its version.

    That is the newest champion which is not the candidate itself, so a promotion does not change what it rested on;
    empty while there is none.
    """
    candidate = home.store().find_snapshot(recipe.asset(candidate_asset(recipe)))
    ledger = open_release_ledger(home)
    try:
        live = [entry.model_hash for entry in live_entries(ledger.history(recipe.name))]
    finally:
        ledger.close()
    others = [model for model in live if candidate is None or model != candidate.folders["model"]]
    return Snapshot(asset=recipe.asset("champion_before"), partition="", version=others[-1] if others else "")


def _model_assets(recipe: Recipe) -> list[str]:
    return [MODELS[stage].asset for stage in recipe.training_stages]


def _answers(recipe: Recipe) -> dg.AssetsDefinition:
    models = _model_assets(recipe)
    arguments = describe(
        recipe,
        "answers",
        group="evaluate",
        kinds={"pytorch", "huggingface"},
        modules=("evaluation.answer", "evaluation.items"),
        settings=recipe.evaluation,
        deps=["eval_set", "sft_dataset", *models],
        pool="gpu",
        description="What base, few-shot base, majority class and tuned models answer to identical held-out questions.",
    )

    @declared(arguments)
    def answers(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], pipes: dg.ResourceParam[dg.PipesSubprocessClient]
    ) -> dg.MaterializeResult:
        inputs = [home.store().snapshot(recipe.asset(name)) for name in ("eval_set", "sft_dataset", *models)]
        run = run_stage(
            home,
            asset=recipe.asset("answers"),
            inputs=[*inputs, champion_before(recipe, home)],
            code=arguments["code_version"],
            make=lambda _: _answer(context, pipes, home, recipe, inputs),
        )
        return as_result(home, run)

    return answers


def _answer(
    context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, home: Home, recipe: Recipe, inputs: list[Snapshot]
) -> Outputs:
    store, work = home.store(), home.path / "work" / recipe.name / "answers"
    training = inputs[1].tables["examples"].root
    items = choose_items(store.read_table(Example, inputs[0].tables["examples"].root), recipe.evaluation)
    assert_held_out(items, store.read_table(Example, training))
    table = store.write_table(Example, items)
    settings = recipe.evaluation
    spec = AnswerSpec(
        store_url=store.url,
        items=table.root,
        training_examples=training,
        comparators=plan_comparators(settings, _model_folders(recipe, home, inputs[2:])),
        generation=Generation(max_new_tokens=settings.max_new_tokens, batch_size=settings.batch_size, seed=settings.seed),
        work_folder=str(work),
    )
    run_child(context, pipes, command=build_command(write_spec(spec)), environment=child_environment(), work_folder=work)
    result = read_result(work)
    facts = {name: getattr(result, name) for name in ("num_generated", "num_reused", "tokens_per_s", "seconds")}
    stored = {"items": table, "answers": TableRef(record="EvalAnswer", root=result.table, num_rows=result.num_rows)}
    return Outputs(
        stored=stored, values={**facts, "notes": list(result.notes), "champion": champion_before(recipe, home).version}
    )


def _model_folders(recipe: Recipe, home: Home, models: list[Snapshot]) -> dict[str, ModelFolder]:
    store = home.store()
    hashes = {
        COMPARATOR_OF[stage]: model.folders["model"]
        for stage, model in zip(recipe.training_stages, models, strict=True)
        if stage in COMPARATOR_OF
    }
    hashes["candidate"] = models[-1].folders["model"]
    champion = champion_before(recipe, home).version
    hashes |= {"champion": champion} if champion else {}
    return {name: ModelFolder(path=str(store.get_folder(item)), model_hash=item) for name, item in hashes.items()}


def _scores(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "scores",
        group="evaluate",
        kinds={"parquet"},
        modules=("evaluation.scoring",),
        deps=["answers"],
        description="Exact match, JSON validity and token F1 of every answer.",
    )

    @declared(arguments)
    def scores(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        answers = store.snapshot(recipe.asset("answers"))
        run = run_stage(
            home,
            asset=recipe.asset("scores"),
            inputs=[answers],
            code=arguments["code_version"],
            make=lambda _: Outputs(
                tables={"scores": (Score, score_answers(store.read_table(EvalAnswer, answers.tables["answers"].root)))}
            ),
        )
        return as_result(home, run)

    return scores


def _comparison(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "comparison",
        group="evaluate",
        kinds={"python"},
        modules=("evaluation.comparison",),
        settings=[recipe.evaluation, recipe.release],
        deps=["scores"],
        description="Candidate against base and champion on identical items: bootstrap interval, exact McNemar, verdict.",
        check_specs=[
            dg.AssetCheckSpec(
                name="promotion",
                asset=[recipe.name, "comparison"],
                description="The candidate is better than its base by more than chance.",
            )
        ],
    )

    @declared(arguments)
    def comparison(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        scores = home.store().snapshot(recipe.asset("scores"))
        run = run_stage(
            home,
            asset=recipe.asset("comparison"),
            inputs=[scores],
            code=arguments["code_version"],
            make=lambda _: _compare(recipe, home, scores),
        )
        passed = run.snapshot.values["verdict"] == "pass"
        check = dg.AssetCheckResult(
            check_name="promotion",
            passed=passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=run.snapshot.values["reason"],
        )
        return as_result(home, run, [check])

    return comparison


def _compare(recipe: Recipe, home: Home, scores: Snapshot) -> Outputs:
    compared = compare(home.store().read_table(Score, scores.tables["scores"].root), recipe.evaluation, recipe.release)
    folder = home.path / "work" / recipe.name / "comparison"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(json.dumps(as_plain(compared), sort_keys=True, indent=1))
    values: dict[str, Any] = {"verdict": compared.verdict, "reason": compared.reason, "num_items": compared.num_items}
    for summary in compared.summaries:
        values |= {f"{estimate.metric}_{summary.comparator}": estimate.mean for estimate in summary.estimates}
    against = next(item for item in compared.differences if item.opponent == "base" and item.metric == compared.metric)
    values |= {"difference": against.difference, "low": against.low, "high": against.high, "p_value": against.p_value}
    return Outputs(folders={"comparison": folder}, values=values)


def _report(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "evaluation_report",
        group="evaluate",
        kinds={"html"},
        modules=("evaluation.report",),
        deps=["comparison", "answers", "scores", "rejections", "dataset_audit"],
        description="One offline HTML page: the verdict, plots, rows per stage, and answers side by side.",
    )

    @declared(arguments)
    def evaluation_report(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        names = ("comparison", "answers", "scores", "rejections", "dataset_audit", *_model_assets(recipe))
        inputs = {name: store.snapshot(recipe.asset(name)) for name in names}
        run = run_stage(
            home,
            asset=recipe.asset("evaluation_report"),
            inputs=inputs.values(),
            code=arguments["code_version"],
            make=lambda _: _write_report(recipe, home, inputs),
        )
        page = store.get_folder(run.snapshot.folders["report"]) / "index.html"
        return as_result(home, run, report=dg.MetadataValue.url(page.as_uri()))

    return evaluation_report


def _write_report(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> Outputs:
    folder = home.path / "work" / recipe.name / "report"
    shown = report_inputs(recipe, home, inputs)
    write_report(shown, folder)
    values: dict[str, Any] = {}
    if shown.clean_subset is not None:
        metric = shown.comparison.metric
        values = {f"clean_{metric}_{name}": shown.clean_subset.mean(name, metric) for name in ("base", "candidate")}
        values |= {"clean_items": shown.clean_subset.num_items, "contaminated_items": shown.clean_subset.num_contaminated}
    return Outputs(folders={"report": folder}, values=values)


def report_inputs(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> ReportInputs:
    """Collect what report and cards show from the stored snapshots."""
    store = home.store()
    made = shard_snapshots(recipe, store, "candidates")
    models = {name: inputs[name] for name in _model_assets(recipe)}
    datasets = [
        store.find_snapshot(recipe.asset(name)) for name in ("dapt_corpus", "sft_dataset", "preference_dataset", "eval_set")
    ]
    return ReportInputs(
        recipe=recipe.name,
        description=recipe.description,
        owner=recipe.owner,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        comparison=read_comparison(store, inputs["comparison"]),
        answers=tuple(store.read_table(EvalAnswer, inputs["answers"].tables["answers"].root)),
        scores=tuple(store.read_table(Score, inputs["scores"].tables["scores"].root)),
        clean_subset=score_clean_subset(
            store.read_table(Score, inputs["scores"].tables["scores"].root), contaminated_items(recipe, home), recipe.evaluation
        ),
        paraphrases_checked=recipe.contamination.embedding is not None,
        loss_curves=tuple(_loss_curve(name, model) for name, model in models.items() if model.values.get("loss_curve")),
        stage_rows=stage_rows(recipe, store),
        data_roots={item.asset: table.root for item in datasets if item for table in item.tables.values()},
        model_hashes={name: model.folders["model"] for name, model in models.items()},
        config=as_plain(recipe),
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        seeds={"training": recipe.training.seed, "evaluation": recipe.evaluation.seed},
        teacher=", ".join(teacher.label for teacher in recipe.all_teachers),
        teacher_calls=sum(item.values["teacher_calls"] + item.values["cached_replies"] for item in made),
        teacher_cost_usd=float(sum(item.values["cost_usd"] for item in made)),
        review=_review_facts(recipe, home),
        answer_statistics={name: inputs["answers"].values[name] for name in ("num_generated", "num_reused", "tokens_per_s")},
    )


def _review_facts(recipe: Recipe, home: Home) -> dict[str, int]:
    counts = review_counts(recipe, home)
    people = {"items": counts.num_items, "open": counts.num_open, "decided by people": counts.num_human}
    return {**people, "decided by automatic reviewers": counts.num_automatic, **counts.decisions}


def _loss_curve(name: str, model: Snapshot) -> LossCurve:
    return LossCurve(stage=name, train=tuple((int(step), float(loss)) for step, loss in model.values["loss_curve"]))


def report_path(recipe: Recipe, home: Home) -> Path | None:
    """Return the path of the newest report, if there is one."""
    found = home.store().find_snapshot(recipe.asset("evaluation_report"))
    return home.store().get_folder(found.folders["report"]) / "index.html" if found else None
