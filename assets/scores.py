"""Stage evaluate: held-out questions answered by every comparator, scored and compared."""

import json
from typing import Any

import dagster as dg

from assets import answers
from assets.answer_tables import read_timings, timings_snapshot
from assets.declare import as_result, declared, describe
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from curation.config import as_plain
from curation.home import Home
from curation.store import Snapshot, Store
from evaluation.gate.comparator_table import (
    comparator_table,
    comparison_values,
    confusion_table,
    guard_table,
    slice_table,
    task_table,
)
from evaluation.gate.comparison import Comparison, compare, comparison_from_json
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.scoring import score_all

GRADED, PROMOTION, GUARDS = "all_graded", "promotion", "guards"


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [answers.build(recipe), _scores(recipe), _comparison(recipe)]


def read_comparison(store: Store, snapshot: Snapshot) -> Comparison:
    """Return the comparison that the asset `comparison` stored."""
    path = store.get_folder(snapshot.folders["comparison"]) / "comparison.json"
    return comparison_from_json(json.loads(path.read_text()))


def _scores(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "scores",
        group="evaluate",
        kinds={"parquet"},
        modules=("evaluation.scoring",),
        settings=[as_plain(task) for task in recipe.evaluation.all_tasks],
        deps=["answers"],
        description="Every answer by every metric of its task.",
        check_specs=[
            dg.AssetCheckSpec(
                name=GRADED, asset=[recipe.name, "scores"], description="Every answer was graded; no grader raised."
            )
        ],
    )

    @declared(arguments)
    def scores(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        answered = home.store().snapshot(recipe.asset("answers"))
        run = run_stage(
            home,
            asset=recipe.asset("scores"),
            inputs=[answered],
            code=arguments["code_version"],
            make=lambda _: _score(recipe, home, answered),
        )
        return as_result(home, run, [_graded(run)])

    return scores


def _score(recipe: Recipe, home: Home, answered: Snapshot) -> Outputs:
    store = home.store()
    rows = store.read_table(EvalAnswer, answered.tables["answers"].root)
    items = store.read_table(EvalItem, answered.tables["items"].root)
    scored = score_all(rows, items, recipe.evaluation)
    first = scored.failures[0] if scored.failures else None
    values = {
        "grader_failures": len(scored.failures),
        "first_failure": f"{first.answer} ({first.grader}): {first.error}" if first else "",
    }
    return Outputs(tables={"scores": (Score, scored.scores)}, values=values)


def _graded(run: StageRun) -> dg.AssetCheckResult:
    num_failures, first = run.snapshot.values["grader_failures"], run.snapshot.values["first_failure"]
    return dg.AssetCheckResult(
        check_name=GRADED,
        passed=num_failures == 0,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{num_failures} answers could not be graded and score 0. The first: {first}" if num_failures else "",
        metadata={"failures": int(num_failures)},
    )


def _comparison(recipe: Recipe) -> dg.AssetsDefinition:
    asset = dg.AssetKey([recipe.name, "comparison"])
    arguments = describe(
        recipe,
        "comparison",
        group="evaluate",
        kinds={"python"},
        modules=("evaluation.gate.comparator_table",),
        settings=[recipe.evaluation, recipe.release],
        deps=["scores", "answers"],
        description="Candidate against base and champion on identical items: bootstrap interval, exact McNemar, verdict.",
        check_specs=[
            dg.AssetCheckSpec(
                name=PROMOTION, asset=asset, description="The candidate is better than its base by more than chance."
            ),
            dg.AssetCheckSpec(name=GUARDS, asset=asset, description="No guarded metric, task or slice became worse."),
        ],
    )

    @declared(arguments)
    def comparison(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = [store.snapshot(recipe.asset(name)) for name in ("scores", "answers")]
        run = run_stage(
            home,
            asset=recipe.asset("comparison"),
            inputs=[*inputs, timings_snapshot(recipe, inputs[1])],
            code=arguments["code_version"],
            make=lambda _: _compare(recipe, home, *inputs),
        )
        found = read_comparison(store, run.snapshot)
        return as_result(home, run, comparison_checks(found), **_tables(found))

    return comparison


def _tables(found: Comparison) -> dict[str, Any]:
    """Return what is read rather than plotted, as Markdown."""
    matrices = {f"confusion_{task.task}": confusion_table(task.confusion) for task in found.tasks}
    shown = {"comparators": comparator_table(found), "tasks": task_table(found.tasks), "slices": slice_table(found)}
    shown |= {"guards": guard_table(found), **matrices}
    return {name: dg.MetadataValue.md(text) for name, text in shown.items() if text}


def comparison_checks(found: Comparison) -> list[dg.AssetCheckResult]:
    """Return the verdict and the guards as checks: a loss that was shown is an error, one that is possible a warning."""
    open_guards = [item for item in found.guards if item.decisive and item.verdict != "pass"]
    worst = next((item for item in open_guards if item.verdict == "fail"), open_guards[0] if open_guards else None)
    is_loss = worst is not None and worst.verdict == "fail"
    return [
        dg.AssetCheckResult(
            check_name=PROMOTION,
            passed=found.verdict == "pass",
            severity=dg.AssetCheckSeverity.WARN,
            description=found.reason,
        ),
        dg.AssetCheckResult(
            check_name=GUARDS,
            passed=worst is None,
            severity=dg.AssetCheckSeverity.ERROR if is_loss else dg.AssetCheckSeverity.WARN,
            description=worst.reason if worst else f"{len(found.guards)} guards, no loss.",
            metadata={"guards": len(found.guards), "not_held": len(open_guards)},
        ),
    ]


def _compare(recipe: Recipe, home: Home, scores: Snapshot, answered: Snapshot) -> Outputs:
    store = home.store()
    compared = compare(
        store.read_table(Score, scores.tables["scores"].root),
        recipe.evaluation,
        recipe.release,
        items=store.read_table(EvalItem, answered.tables["items"].root),
        answers=store.read_table(EvalAnswer, answered.tables["answers"].root),
        timings=read_timings(store, timings_snapshot(recipe, answered).version),
    )
    folder = home.path / "work" / recipe.name / "comparison"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "comparison.json").write_text(json.dumps(as_plain(compared), sort_keys=True, indent=1))
    return Outputs(folders={"comparison": folder}, values=comparison_values(compared))
