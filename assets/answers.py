"""Stage evaluate: the items of all tasks, and what every comparator answers to them."""

import dataclasses
from typing import Any

import dagster as dg

from assets.answer_tables import CONFIDENCES, TIMINGS, AnswerTables
from assets.child import run_child
from assets.declare import as_result, declared, describe
from assets.endpoint_answers import add_endpoint_answers
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from assets.task_files import read_task_data, task_files
from assets.teacher_answers import add_teacher_answers
from curation.config import as_plain
from curation.home import Home
from curation.records import Example, Rejection
from curation.store import Snapshot, TableRef
from evaluation.answering.child import write_spec
from evaluation.answering.launch import build_command, child_environment
from evaluation.answering.spec import (
    AnswerResult,
    AnswerSpec,
    Generation,
    ModelFolder,
    plan_comparators,
    plan_tasks,
    read_result,
)
from evaluation.config import RETRIEVING
from evaluation.gate.promotion import live_entries
from evaluation.items import assert_held_out
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.registry import open_release_ledger
from evaluation.tasks.task_items import BuiltItems, build_items

COMPARATORS = ("dapt", "sft")
"""Methods whose model is compared by name; of several stages with one method the last."""
ITEMS, ANSWERED = "items_usable", "all_answered"
NOT_ABOUT_ANSWERS = frozenset({"tasks", "metrics", "confidence", "bootstrap_samples", "gpu_usd_per_hour", "judge"})
"""Fields of the evaluation section that change no answer; of `tasks` a part does, see `answer_settings`."""


def champion_before(recipe: Recipe, home: Home) -> Snapshot:
    """Return the champion that the candidate has to stand against, as an input: its model hash is its version.

    That is the newest champion which is not the candidate itself, so a promotion does not change what it rested on;
    empty while there is none.
    """
    candidate = home.store().find_snapshot(recipe.asset(recipe.training.answering_models[-1]))
    ledger = open_release_ledger(home)
    try:
        live = [entry.model_hash for entry in live_entries(ledger.history(recipe.name))]
    finally:
        ledger.close()
    others = [model for model in live if candidate is None or model != candidate.folders["model"]]
    return Snapshot(asset=recipe.asset("champion_before"), partition="", version=others[-1] if others else "")


def _input_names(recipe: Recipe) -> list[str]:
    retrieves = bool(RETRIEVING & set(recipe.evaluation.comparators))
    return ["eval_set", "sft_dataset", *recipe.training.answering_models, *(["dapt_corpus"] if retrieves else [])]


def answer_settings(recipe: Recipe) -> list[Any]:
    """Return what of the recipe changes items or answers: not how answers are graded, judged, priced and compared."""
    section = recipe.evaluation
    tasks = tuple(dataclasses.replace(task, metrics=(), area="", labels=()) for task in section.tasks)
    plain = {name: value for name, value in as_plain(section).items() if name not in NOT_ABOUT_ANSWERS}
    return [plain, as_plain(tasks), as_plain(recipe.all_teachers) if "teacher" in section.comparators else None]


def build(recipe: Recipe) -> dg.AssetsDefinition:
    """Return the asset `answers`."""
    names = _input_names(recipe)
    asset = dg.AssetKey([recipe.name, "answers"])
    arguments = describe(
        recipe,
        "answers",
        group="evaluate",
        kinds={"pytorch", "huggingface"},
        modules=("evaluation.answering.answer", "evaluation.items", "evaluation.tasks.task_items"),
        settings=answer_settings(recipe),
        deps=names,
        pool="gpu",
        description="What base, few-shot base, majority class and tuned models answer to identical held-out questions.",
        check_specs=[
            dg.AssetCheckSpec(name=ITEMS, asset=asset, description="Every row of eval_set and files can be asked."),
            dg.AssetCheckSpec(name=ANSWERED, asset=asset, description="Every comparator answered every item."),
        ],
    )

    @declared(arguments)
    def answers(
        context: dg.AssetExecutionContext, home: dg.ResourceParam[Home], pipes: dg.ResourceParam[dg.PipesSubprocessClient]
    ) -> dg.MaterializeResult:
        inputs = [home.store().snapshot(recipe.asset(name)) for name in names]
        run = run_stage(
            home,
            asset=recipe.asset("answers"),
            inputs=[*inputs, champion_before(recipe, home), *task_files(recipe)],
            code=arguments["code_version"],
            make=lambda _: _answer(context, pipes, home, recipe, dict(zip(names, inputs, strict=True))),
        )
        return as_result(home, run, _checks(run))

    return answers


def _answer(
    context: dg.AssetExecutionContext,
    pipes: dg.PipesSubprocessClient,
    home: Home,
    recipe: Recipe,
    inputs: dict[str, Snapshot],
) -> Outputs:
    store, work, settings = home.store(), home.path / "work" / recipe.name / "answers", recipe.evaluation
    training = inputs["sft_dataset"].tables["examples"].root
    held_out = store.read_table(Example, inputs["eval_set"].tables["examples"].root)
    built = build_items(settings, held_out, read_task_data)
    assert_held_out(built.items, store.read_table(Example, training))
    table = store.write_table(EvalItem, built.items)
    models = [inputs[name] for name in recipe.training.answering_models]
    spec = AnswerSpec(
        store_url=store.url,
        items=table.root,
        training_examples=training,
        comparators=plan_comparators(settings, _model_folders(recipe, home, models)),
        generation=Generation(
            max_new_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            seed=settings.seed,
            engine=settings.engine,
        ),
        work_folder=str(work),
        tasks=plan_tasks(settings),
        documents=inputs["dapt_corpus"].tables["documents"].root if "dapt_corpus" in inputs else "",
    )
    run_child(context, pipes, command=build_command(write_spec(spec)), environment=child_environment(), work_folder=work)
    result = read_result(work)
    answered = AnswerTables(
        answers=TableRef(record="EvalAnswer", root=result.table, num_rows=result.num_rows),
        timings=TableRef(record="AnswerTiming", root=result.timings, num_rows=result.num_rows),
        confidences=TableRef(record="AnswerConfidence", root=result.confidences, num_rows=result.num_confidences),
    )
    facts: dict[str, Any] = {}
    if "teacher" in settings.comparators:
        answered, facts = add_teacher_answers(recipe, home, answered, built.items, context.log.info)
    if "endpoint" in settings.comparators:
        answered, more = add_endpoint_answers(recipe, home, answered, built.items, context.log.info)
        facts |= more
    return _outputs(
        built, table, answered, {**_facts(result), **facts, "champion": champion_before(recipe, home).version}, home
    )


def _outputs(built: BuiltItems, items: TableRef, answered: AnswerTables, facts: dict[str, Any], home: Home) -> Outputs:
    store = home.store()
    rejections = store.write_table(Rejection, built.rejections)
    num_errors = sum(bool(answer.error) for answer in store.read_table(EvalAnswer, answered.answers.root))
    values = {
        **facts,
        "item_rows": built.num_rows,
        "items_refused": len(built.rejections),
        "first_problem": built.rejections[0].detail if built.rejections else "",
        "answers_missing": num_errors,
    }
    stored = {"items": items, "answers": answered.answers, TIMINGS: answered.timings, "rejections": rejections}
    stored |= {CONFIDENCES: answered.confidences} if answered.confidences else {}
    return Outputs(stored=stored, values=values, is_complete=num_errors == 0)


def _facts(result: AnswerResult) -> dict[str, Any]:
    facts = {name: getattr(result, name) for name in ("num_generated", "num_reused", "tokens_per_s", "seconds")}
    return {**facts, "notes": list(result.notes), **{f"generated_{name}": n for name, n in result.generated.items()}}


def _checks(run: StageRun) -> list[dg.AssetCheckResult]:
    values = run.snapshot.values
    refused, missing = int(values["items_refused"]), int(values["answers_missing"])
    return [
        dg.AssetCheckResult(
            check_name=ITEMS,
            passed=refused == 0,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"{refused} of {values['item_rows']} rows cannot be asked. The first: {values['first_problem']}"
            if refused
            else f"All {values['item_rows']} rows can be asked.",
            metadata={"refused": refused, "rows": int(values["item_rows"])},
        ),
        dg.AssetCheckResult(
            check_name=ANSWERED,
            passed=missing == 0,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{missing} answers are missing and count as wrong; the next run asks for them again."
            if missing
            else "",
            metadata={"missing": missing},
        ),
    ]


def _model_folders(recipe: Recipe, home: Home, models: list[Snapshot]) -> dict[str, ModelFolder]:
    store = home.store()
    hash_of = {name: item.folders["model"] for name, item in zip(recipe.training.answering_models, models, strict=True)}
    hashes: dict[str, str] = {
        stage.method: hash_of[stage.model_name] for stage in recipe.training.stages if stage.method in COMPARATORS
    }
    hashes |= {"base": models[0].folders["model"], "candidate": models[-1].folders["model"]}
    champion = champion_before(recipe, home).version
    hashes |= {"champion": champion} if champion else {}
    return {name: ModelFolder(path=str(store.get_folder(item)), model_hash=item) for name, item in hashes.items()}
