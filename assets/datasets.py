"""Stage datasets: what evaluation and the training stages read, cut from the verified rows by split."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.curated import shard_snapshots
from assets.declare import as_result, declared, describe
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.filters.split import select_split, split_documents
from curation.home import Home
from curation.records import Document, Example, PreferencePair
from curation.store import Snapshot, Store


@dataclass(frozen=True, kw_only=True)
class _Dataset:
    description: str
    deps: tuple[str, ...]
    inputs: Callable[[Recipe, Store], list[Snapshot]]
    make: Callable[[Recipe, Store, list[Snapshot]], Outputs]


def _verified(recipe: Recipe, store: Store) -> list[Snapshot]:
    return [store.snapshot(recipe.asset("verified_examples"))]


def _documents(recipe: Recipe, store: Store) -> list[Snapshot]:
    return shard_snapshots(recipe, store, "documents")


def _examples_of(split: str) -> Callable[[Recipe, Store, list[Snapshot]], Outputs]:
    def make(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
        rows = select_split(store.read_table(Example, inputs[0].tables["examples"].root), split)
        return Outputs(tables={"examples": (Example, rows)})

    return make


def _training_pairs(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    rows = select_split(store.read_table(PreferencePair, inputs[0].tables["pairs"].root), "train")
    return Outputs(tables={"pairs": (PreferencePair, rows)})


def _corpus(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    documents = [row for item in inputs for row in store.read_table(Document, item.tables["documents"].root)]
    return Outputs(tables={"documents": (Document, split_documents(documents, recipe.curate))})


DATASETS = {
    "eval_set": _Dataset(
        description="Held-out examples: their groups appear in no training data.",
        deps=("verified_examples",),
        inputs=_verified,
        make=_examples_of("eval"),
    ),
    "sft_dataset": _Dataset(
        description="Examples for supervised fine-tuning.",
        deps=("verified_examples",),
        inputs=_verified,
        make=_examples_of("train"),
    ),
    "preference_dataset": _Dataset(
        description="Pairs for preference tuning.",
        deps=("verified_examples",),
        inputs=_verified,
        make=_training_pairs,
    ),
    "dapt_corpus": _Dataset(
        description="Documents for continued pre-training; those of held-out groups are left out.",
        deps=("documents", "source_manifest"),
        inputs=_documents,
        make=_corpus,
    ),
}


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage that the recipe's training stages need."""
    unused = {"preference_dataset"} if recipe.training.preference is None else set()
    return [_asset(recipe, name, dataset) for name, dataset in DATASETS.items() if name not in unused]


def _asset(recipe: Recipe, name: str, dataset: _Dataset) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        name,
        group="datasets",
        kinds={"parquet"},
        modules=("curation.filters.split",),
        settings=recipe.curate,
        deps=dataset.deps,
        description=dataset.description,
    )

    @declared(arguments)
    def frozen(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = dataset.inputs(recipe, store)
        run = run_stage(
            home,
            asset=recipe.asset(name),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: dataset.make(recipe, store, inputs),
        )
        return as_result(home, run)

    return frozen
