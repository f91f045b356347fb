"""The data card of a recipe: what its data sets hold and how they came to be, as Markdown, Croissant and a page.

Where the terms allow the rows to be handed on, they lie beside the card as JSONL and Parquet; otherwise the card says why not.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from assets.audit import training_sets
from assets.curated import ROW_CLASSES, read_rows, shard_snapshots
from assets.declare import as_result, declared, describe
from assets.funnel import stage_rows
from assets.presentation import page_link
from assets.recipe import Recipe
from assets.reviewed_documents import finding_snapshots
from assets.stage import Outputs, run_stage
from curation.data_card.compose import CardInputs, compose_card
from curation.data_card.export import write_card
from curation.home import Home
from curation.ids import merkle_root
from curation.records import ContaminationPair, PrivacyFinding, Rejection
from curation.store import Snapshot, Store


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_dataset_card(recipe)]


def _names(recipe: Recipe) -> tuple[str, ...]:
    return (*training_sets(recipe), "eval_set", "curated_examples", "dataset_audit", "rejections", "verified_examples")


def _dataset_card(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "dataset_card",
        group="datasets",
        kinds={"markdown", "html"},
        modules=("curation.data_card.compose", "curation.data_card.export"),
        settings=[recipe.description, recipe.owner, recipe.terms, recipe.sources],
        deps=_names(recipe),
        description="Sources, terms, counts, filters, leaks, personal data and hashes: Markdown, Croissant and a page.",
    )

    @declared(arguments)
    def dataset_card(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = {name: store.snapshot(recipe.asset(name)) for name in _names(recipe)}
        run = run_stage(
            home,
            asset=recipe.asset("dataset_card"),
            inputs=[*inputs.values(), *finding_snapshots(_screened(recipe, store, inputs))],
            code=arguments["code_version"],
            make=lambda _: _write(recipe, home, inputs),
        )
        folder = store.get_folder(run.snapshot.folders["card"])
        page = page_link(run.snapshot.asset, run.snapshot.folders["card"])
        return as_result(home, run, card=shown_card(folder), page=page)

    return dataset_card


def shown_card(folder: Path) -> dg.MarkdownMetadataValue:
    """Return the card in a folder as metadata, without its front matter."""
    text = (folder / "README.md").read_text()
    return dg.MetadataValue.md(text.split("---\n", 2)[-1] if text.startswith("---\n") else text)


def _write(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> Outputs:
    card_inputs = _card_inputs(recipe, home.store(), inputs)
    folder = home.path / "work" / recipe.name / "dataset_card"
    written = write_card(
        card_inputs.rows,
        folder,
        compose_card(card_inputs),
        terms=recipe.terms,
        licenses=card_inputs.licenses,
        ancestors=card_inputs.ancestors,
    )
    values = {"rows": written.card.rows, "files": [file.path for file in written.card.files]}
    return Outputs(folders={"card": folder}, values=values)


def _screened(recipe: Recipe, store: Store, inputs: dict[str, Snapshot]) -> list[Snapshot]:
    """Return the snapshots of what was searched for personal data."""
    return [*shard_snapshots(recipe, store, "documents", "demonstrations"), inputs["curated_examples"]]


def _card_inputs(recipe: Recipe, store: Store, inputs: dict[str, Snapshot]) -> CardInputs:
    sets = [inputs[name] for name in (*training_sets(recipe), "eval_set")]
    curated, audit = inputs["curated_examples"], inputs["dataset_audit"]
    screened = _screened(recipe, store, inputs)
    findings = [row for item in screened for row in store.read_table(PrivacyFinding, item.tables["findings"].root)]
    return CardInputs(
        name=recipe.name,
        description=recipe.description,
        owner=recipe.owner,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rows=[row for table in ROW_CLASSES for row in read_rows(store, sets, table)],
        ancestors=[row for table in ROW_CLASSES for row in read_rows(store, [curated], table)],
        stages=[(item.stage, item.kept, item.rejected) for item in stage_rows(recipe, store)],
        rejections=list(store.read_table(Rejection, curated.tables["rejections"].root)),
        rows_curated=int(curated.values["rows_in"]),
        findings=findings,
        contamination_pairs=list(store.read_table(ContaminationPair, audit.tables["contamination_pairs"].root)),
        items=audit.values["items_by_benchmark"],
        contamination_method=" ".join(audit.values["method"]),
        languages=curated.values["charts"]["rows_by_language"],
        collapse=audit.values["collapse"],
        licenses=recipe.curate_settings().licenses,
        terms=recipe.terms,
        roots=_roots(sets),
        source_versions=_source_versions(recipe, store),
    )


def _roots(sets: list[Snapshot]) -> dict[str, str]:
    tables = ((item.asset, name, table.root) for item in sets for name, table in item.tables.items())
    return {asset.rpartition("/")[2]: root for asset, name, root in tables if name in ROW_CLASSES}


def _source_versions(recipe: Recipe, store: Store) -> dict[str, str]:
    shards: dict[str, str] = store.snapshot(recipe.asset("source_manifest")).values["shards"]
    by_source: dict[str, list[str]] = {}
    for key, fingerprint in shards.items():
        by_source.setdefault(recipe.source_of(key).name, []).append(fingerprint)
    return {name: merkle_root(prints) for name, prints in by_source.items()}
