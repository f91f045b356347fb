"""Stage datasets: what evaluation and the training stages read, cut from the verified rows by split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from assets.curated import shard_snapshots
from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.recipe import Recipe
from assets.stage import Outputs, run_stage
from curation.curate.split import select_split, split_documents
from curation.home import Home
from curation.mix.training_set import choose_training_rows
from curation.records import Document, Example, PreferencePair, Rejection, UnpairedPreference, VerifiableTask
from curation.store import Snapshot, Store


@dataclass(frozen=True, kw_only=True)
class _Dataset:
    description: str
    deps: tuple[str, ...]
    inputs: Callable[[Recipe, Store], list[Snapshot]]
    make: Callable[[Recipe, Store, list[Snapshot]], Outputs]
    modules: tuple[str, ...] = ("curation.curate.split",)
    settings: Callable[[Recipe], Sequence[Any]] = lambda recipe: ()
    is_accounted: bool = False
    """Whether it rejects rows, and a check counts them."""


def _verified(recipe: Recipe, store: Store) -> list[Snapshot]:
    return [store.snapshot(recipe.asset("verified_examples"))]


def _documents(recipe: Recipe, store: Store) -> list[Snapshot]:
    return shard_snapshots(recipe, store, "documents")


def _held_out_examples(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    rows = select_split(store.read_table(Example, inputs[0].tables["examples"].root), "eval")
    return Outputs(tables={"examples": (Example, rows)})


def _training_examples(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    rows = select_split(store.read_table(Example, inputs[0].tables["examples"].root), "train")
    chosen = choose_training_rows(rows, recipe.selection, recipe.mix)
    values = {
        "rows_in": len(rows) + chosen.num_repeats,
        "rows_out": len(chosen.rows),
        "rejected": len(chosen.rejections),
        "repeats": chosen.num_repeats,
        "mix": chosen.report.sentence(),
        "charts": {"rows_by_source": {name: item.num_rows for name, item in chosen.report.by_source.items()}},
    }
    return Outputs(tables={"examples": (Example, chosen.rows), "rejections": (Rejection, chosen.rejections)}, values=values)


def _training_ratings(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    given = (row for item in inputs for row in store.read_table(UnpairedPreference, item.tables["unpaired"].root))
    rows = select_split(given, "train")
    return Outputs(tables={"unpaired": (UnpairedPreference, rows)})


def _training_tasks(recipe: Recipe, store: Store, inputs: list[Snapshot]) -> Outputs:
    rows = select_split(store.read_table(VerifiableTask, inputs[0].tables["tasks"].root), "train")
    return Outputs(tables={"tasks": (VerifiableTask, rows)})


def _rated(recipe: Recipe, store: Store) -> list[Snapshot]:
    return [store.snapshot(recipe.asset(name)) for name in ("curated_examples", "verified_examples")]


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
        make=_held_out_examples,
    ),
    "sft_dataset": _Dataset(
        description="Examples for supervised fine-tuning: the best ones, in the proportions of the recipe.",
        deps=("verified_examples",),
        inputs=_verified,
        make=_training_examples,
        modules=("curation.curate.split", "curation.mix.training_set"),
        settings=lambda recipe: [recipe.selection, recipe.mix],
        is_accounted=True,
    ),
    "preference_dataset": _Dataset(
        description="Pairs for preference tuning.",
        deps=("verified_examples",),
        inputs=_verified,
        make=_training_pairs,
    ),
    "unpaired_dataset": _Dataset(
        description="Answers that people rated good or bad (KTO): in the sources, or by approving and rejecting in review.",
        deps=("curated_examples", "verified_examples"),
        inputs=_rated,
        make=_training_ratings,
    ),
    "prompt_dataset": _Dataset(
        description="Prompts whose answers a grader checks against a reference (reinforcement learning).",
        deps=("verified_examples",),
        inputs=_verified,
        make=_training_tasks,
    ),
    "dapt_corpus": _Dataset(
        description="Documents for continued pre-training; those of held-out groups are left out.",
        deps=("documents", "source_manifest"),
        inputs=_documents,
        make=_corpus,
    ),
}
REVIEWED_CORPUS = replace(DATASETS["dapt_corpus"], deps=("verified_examples",), inputs=_verified)
"""The corpus of a recipe that reviews documents: those that people kept."""


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage that the recipe's training stages need."""
    unused = set() if recipe.training.reads("preference_dataset") else {"preference_dataset"}
    unused |= set() if recipe.has_ratings else {"unpaired_dataset"}
    unused |= set() if recipe.generate.makes_tasks else {"prompt_dataset"}
    datasets = DATASETS if recipe.review.documents == "none" else DATASETS | {"dapt_corpus": REVIEWED_CORPUS}
    return [_asset(recipe, name, dataset) for name, dataset in datasets.items() if name not in unused]


def _asset(recipe: Recipe, name: str, dataset: _Dataset) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        name,
        group="datasets",
        kinds={"parquet"},
        modules=dataset.modules,
        settings=[recipe.curate.eval_share, recipe.curate.split_salt, *dataset.settings(recipe)],
        deps=dataset.deps,
        description=dataset.description,
        check_specs=[rows_check(recipe, name)] if dataset.is_accounted else [],
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
        return as_result(home, run, [rows_result(run)] if dataset.is_accounted else [])

    return frozen
