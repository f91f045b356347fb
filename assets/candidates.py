"""Stage generate: examples that a teacher writes from the documents of a shard, and preference pairs from examples."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.ingest import shard_partitions
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.home import Home
from curation.records import Document, Example, PreferencePair, Record, Rejection, UnitCalls, VerifiableTask
from curation.synthesis.generate import Generated
from curation.synthesis.methods.method import Inputs
from curation.synthesis.stage import make_candidates

MODULES = ("curation.synthesis.stage",)


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    arguments = describe(
        recipe,
        "candidates",
        group="generate",
        kinds={"openai" if recipe.uses_model else "python", "parquet"},
        modules=MODULES,
        settings=[recipe.all_teachers, recipe.generate, recipe.judge, _curation_read_by(recipe)],
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


def _curation_read_by(recipe: Recipe) -> list[Any]:
    """Return what of the section `curate` generation depends on, so that other changes of it do not make rows anew."""
    rules = [recipe.curate.rules] if recipe.generate.quotas else []
    split = [recipe.curate.eval_share, recipe.curate.split_salt] if recipe.generate.raft is not None else []
    return [*rules, *split]


def _generate(recipe: Recipe, home: Home, shard: str, log: Any) -> Outputs:
    store = home.store()
    documents = store.read_table(Document, store.snapshot(recipe.asset("documents"), shard).tables["documents"].root)
    examples = store.read_table(Example, store.snapshot(recipe.asset("demonstrations"), shard).tables["examples"].root)

    shards = store.snapshot(recipe.asset("source_manifest")).values["shards"]
    inputs = Inputs(
        documents=list(documents),
        examples=list(examples),
        seed=recipe.generate.seed,
        shard_index=sorted(shards).index(shard) if shard in shards else 0,
        num_shards=max(len(shards), 1),
    )
    made = make_candidates(home, inputs, recipe.candidate_settings(), log)
    return _outputs(made.generated, made.calls, {"estimate": made.estimate, "prices": made.prices})


def _outputs(made: Generated, calls: Sequence[UnitCalls], facts: dict[str, str]) -> Outputs:
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
        **made.figures,
        **{name: fact for name, fact in facts.items() if fact},
    }
    tables: dict[str, tuple[type, Sequence[Record]]] = {
        "examples": (Example, made.examples),
        "pairs": (PreferencePair, made.pairs),
        "tasks": (VerifiableTask, made.tasks),
        "rejections": (Rejection, made.rejections),
        "calls": (UnitCalls, calls),
    }
    return Outputs(tables=tables, values=values, is_complete=made.report.num_failed == 0)
