"""Stage curate: all candidates and demonstrations, cleaned, de-duplicated, split; and every rejection of every stage."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from assets.charts import funnel, length_bins
from assets.code_version import code_version
from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.protected_items import protected_files, protected_items, protected_modules, protected_settings
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from curation.config import as_plain
from curation.curate.row_checks import RowCheck
from curation.curate.stage import curate
from curation.embedding.choose import opened_embedder
from curation.home import Home
from curation.ids import content_hash
from curation.records import Example, Message, PreferencePair, PrivacyFinding, Rejection, UnpairedPreference, VerifiableTask
from curation.store import Snapshot, Store

ROW_CLASSES: Mapping[str, type] = {
    "examples": Example,
    "pairs": PreferencePair,
    "unpaired": UnpairedPreference,
    "tasks": VerifiableTask,
}

SHARDED = ("documents", "demonstrations", "candidates")
"""Stages that are cut into source shards; what crosses sources comes behind them."""

STAGES_THAT_REJECT = (*SHARDED, "curated_examples", "verified_examples", "sft_dataset")
"""In the order of the graph."""


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_curated_examples(recipe), _rejections(recipe)]


def shard_snapshots(recipe: Recipe, store: Store, *names: str) -> list[Snapshot]:
    """Return the newest snapshots of partitioned assets, only of shards that the source manifest still lists."""
    shards = store.snapshot(recipe.asset("source_manifest")).values["shards"]
    return [store.snapshot(recipe.asset(name), shard) for name in names for shard in sorted(shards)]


def _curated_examples(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "curated_examples",
        group="curate",
        kinds={"python", "parquet"},
        modules=("curation.curate.stage", *modules_beside_rules(recipe)),
        settings=[as_plain(recipe.curate_settings()), *protected_settings(recipe)],
        deps=["candidates", "demonstrations", "source_manifest"],
        check_specs=[rows_check(recipe, "curated_examples"), _alarm_check(recipe)],
        description="Rows that passed the rules: screened, no duplicates, no contradictions, no leaks, one split a group.",
    )

    @declared(arguments)
    def curated_examples(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = shard_snapshots(recipe, home.store(), "demonstrations", "candidates")
        run = run_stage(
            home,
            asset=recipe.asset("curated_examples"),
            inputs=[*inputs, *protected_files(recipe)],
            code=arguments["code_version"],
            make=lambda _: _curate(recipe, home, inputs),
        )
        return as_result(home, run, [rows_result(run), _alarm_result(run)])

    return curated_examples


def review_keys_snapshot(recipe: Recipe, curated: Snapshot) -> Snapshot:
    """Return which rows a quality suite sends to review as an input of its own: it is no part of the version of the rows."""
    keys = sorted(curated.values.get("review_keys", {}))
    return Snapshot(asset=recipe.asset("curated_examples/review_keys"), partition="", version=content_hash(keys))


def modules_beside_rules(recipe: Recipe) -> tuple[str, ...]:
    """Return what code, besides that of the rules, decides which rows are dropped: that of protected items and of vectors."""
    return (*protected_modules(recipe), *(("curation.embedding.choose",) if recipe.embedding_model else ()))


def _curate(recipe: Recipe, home: Home, inputs: list[Snapshot]) -> Outputs:
    store = home.store()
    rows = {name: read_rows(store, inputs, name) for name in ROW_CLASSES}
    with opened_embedder(recipe.embedding_model, home.embeddings_url) as embedder:
        kept = curate(
            rows["examples"],
            rows["pairs"],
            rows["unpaired"],
            recipe.curate_settings(),
            tasks=rows["tasks"],
            version=row_check_version(recipe),
            known=_known_checks(recipe, store),
            benchmark_items=protected_items(recipe),
            embedder=embedder,
        )
    num_in, num_out = (
        sum(map(len, group)) for group in (rows.values(), (kept.examples, kept.pairs, kept.unpaired, kept.tasks))
    )
    tables: dict[str, tuple[type, Sequence[Any]]] = {
        "examples": (Example, kept.examples),
        "pairs": (PreferencePair, kept.pairs),
        "unpaired": (UnpairedPreference, kept.unpaired),
        "tasks": (VerifiableTask, kept.tasks),
        "rejections": (Rejection, kept.rejections),
        "findings": (PrivacyFinding, kept.findings),
        "row_checks": (RowCheck, kept.row_checks),
    }
    values = {
        "rows_in": num_in,
        "rows_out": num_out,
        "rejected": len(kept.rejections),
        "rows_checked_now": kept.num_checked,
        "alarms": list(kept.alarms),
        "review_keys": dict(kept.review_keys),
        "seconds_by_step": dict(kept.seconds),
        "charts": {
            "rows_by_language": kept.languages,
            "prompts_by_characters": length_bins([_num_chars(row.prompt) for row in kept.examples]),
            "answers_by_characters": length_bins([len(row.answer) for row in kept.examples]),
            "duplicates_by_source_pair": kept.duplicates_by_source,
        },
    }
    return Outputs(tables=tables, values=values)


def read_rows(store: Store, inputs: Sequence[Snapshot], table: str) -> list[Any]:
    """Return the rows of a table of several snapshots; those without that table have none."""
    roots = [item.tables[table].root for item in inputs if table in item.tables]
    record: Any = ROW_CLASSES[table]
    return [row for root in roots for row in store.read_table(record, root)]


def row_check_version(recipe: Recipe) -> str:
    """Return the version of what is done to single rows: its code, the rules and what is done about personal data."""
    code = code_version("curation.curate.row_checks")
    return content_hash([code, as_plain(recipe.curate.rules), as_plain(recipe.privacy)])[:16]


def _known_checks(recipe: Recipe, store: Store) -> Iterator[RowCheck]:
    before = store.find_snapshot(recipe.asset("curated_examples"))
    if before is None or "row_checks" not in before.tables or not store.holds(before):
        return iter(())
    return store.read_table(RowCheck, before.tables["row_checks"].root)


def _num_chars(prompt: tuple[Message, ...]) -> int:
    return sum(len(message.text) for message in prompt)


def _alarm_check(recipe: Recipe) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="no_giant_clusters",
        asset=dg.AssetKey([recipe.name, "curated_examples"]),
        description="No crowd of rows hangs together as near copies; such rows are kept until somebody has looked.",
    )


def _alarm_result(run: StageRun) -> dg.AssetCheckResult:
    alarms = run.snapshot.values["alarms"]
    return dg.AssetCheckResult(
        check_name="no_giant_clusters",
        passed=not alarms,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(alarms[:3]) or "No crowd of near copies.",
        metadata={"alarms": len(alarms)},
    )


def _rejections(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "rejections",
        group="curate",
        kinds={"parquet"},
        modules=("curation.records",),
        deps=STAGES_THAT_REJECT,
        description="Every row that any stage dropped, with the stage and the reason. Nothing vanishes.",
    )

    @declared(arguments)
    def rejections(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = shard_snapshots(recipe, store, *SHARDED)
        inputs += [store.snapshot(recipe.asset(name)) for name in STAGES_THAT_REJECT if name not in SHARDED]
        roots = [item.tables["rejections"].root for item in inputs]
        run = run_stage(
            home,
            asset=recipe.asset("rejections"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: Outputs(
                tables={"rejected_rows": (Rejection, [row for root in roots for row in store.read_table(Rejection, root)])}
            ),
        )
        return as_result(home, run, funnel=dg.MetadataValue.md(_funnel(recipe, store)))

    return rejections


def _funnel(recipe: Recipe, store: Store) -> str:
    from assets.funnel import stage_rows  # it reads this module's list of stages

    return funnel([(item.stage, item.kept, sum(item.rejected.values())) for item in stage_rows(recipe, store)])
