"""Stage generate: examples that a teacher writes from the documents of a shard, and preference pairs from examples."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.ingest import shard_partitions
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.home import Home
from curation.records import Document, Example, PreferencePair, Record, Rejection, VerifiableTask
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.engine import Progress
from curation.synthesis.generate import generate
from curation.synthesis.ledger import open_ledger
from curation.synthesis.teachers import opened_teacher

MODULES = ("curation.synthesis.generate", "curation.synthesis.teachers")


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    arguments = describe(
        recipe,
        "candidates",
        group="generate",
        kinds={"openai" if recipe.teacher.kind == "openai" else "python", "parquet"},
        modules=MODULES,
        settings=[recipe.teacher, recipe.generate],
        deps=["documents", "demonstrations"],
        partitions_def=shard_partitions(recipe),
        pool="teacher_api",
        description="Teacher-made examples with the verbatim spans they rest on, and pairs that say what is wrong.",
        check_specs=[rows_check(recipe, "candidates")],
    )

    @declared(arguments)
    def candidates(context: dg.AssetExecutionContext, home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        key, store = context.partition_key, home.store()
        inputs = [store.snapshot(recipe.asset(name), key) for name in ("documents", "demonstrations")]
        run = run_stage(
            home,
            asset=recipe.asset("candidates"),
            partition=key,
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: _generate(recipe, home, key, context.log.info),
        )
        return as_result(home, run, [rows_result(run)])

    return [candidates]


def _generate(recipe: Recipe, home: Home, shard: str, log: Any) -> Outputs:
    store = home.store()
    documents = store.read_table(Document, store.snapshot(recipe.asset("documents"), shard).tables["documents"].root)
    examples = store.read_table(Example, store.snapshot(recipe.asset("demonstrations"), shard).tables["examples"].root)

    def report(progress: Progress) -> None:
        log(str(progress))

    with open_ledger(home, recipe=recipe.name) as ledger, opened_teacher(recipe.teacher) as teacher:
        made = generate(
            list(documents),
            list(examples),
            config=recipe.generate,
            session=Session(
                [SessionTeacher(config=recipe.teacher, model=teacher)], ledger, seed=recipe.generate.seed, on_progress=report
            ),
        )
    values = {
        "rows_in": made.num_proposed,
        "rows_out": len(made.examples) + len(made.pairs) + len(made.tasks),
        "rejected": len(made.rejections),
        "teacher_calls": made.report.num_calls,
        "cached_replies": made.report.num_cached,
        "failed_calls": made.report.num_failed,
        "cost_usd": made.report.cost_usd,
        "prompt_tokens": made.report.prompt_tokens,
        "completion_tokens": made.report.completion_tokens,
    }
    tables: dict[str, tuple[type, Sequence[Record]]] = {
        "examples": (Example, made.examples),
        "pairs": (PreferencePair, made.pairs),
        "tasks": (VerifiableTask, made.tasks),
        "rejections": (Rejection, made.rejections),
    }
    return Outputs(tables=tables, values=values, is_complete=made.report.num_failed == 0)
