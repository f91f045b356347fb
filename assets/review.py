"""Stage review: what people (or automatic reviewers) have to decide, and the rows that their verdicts let through.

`review_verdicts` is observed: a sensor records the state of the review database, so a new verdict makes `verified_examples`
run again. No decision rests on Dagster's log: `pass_review_gate` recomputes everything from the review database.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import dagster as dg

from assets.curated import ROW_CLASSES, review_keys_snapshot
from assets.declare import as_result, declared, describe, rows_check, rows_result
from assets.recipe import Recipe
from assets.reviewed_documents import add_documents, document_inputs, document_review, read_documents
from assets.stage import Outputs, StageRun, run_stage
from curation.errors import ReviewGateError
from curation.home import Home
from curation.ids import content_hash
from curation.lineage.withdrawals import standing_withdrawals
from curation.records import (
    Document,
    Example,
    PreferencePair,
    Record,
    Rejection,
    ReviewItem,
    UnpairedPreference,
    Verdict,
    VerifiableTask,
    record_hash,
)
from curation.review.automatic import run_automatic_reviewers
from curation.review.documents import build_document_items
from curation.review.gate import verify_gate
from curation.review.items import Row, build_items, evidence_lookup
from curation.review.lots.offers import store_lots
from curation.review.queue import Counts, open_queue
from curation.review.reviewers.advice import priorities
from curation.review.reviewers.gold import withdraw_orphans
from curation.review.reviewers.planting import top_up
from curation.review.reviewers.settings import ReviewerSettings, store_settings
from curation.review.verdicts import apply_verdicts, kto_labels
from curation.store import Snapshot, Store
from training.config import TrainingData


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_review_queue(recipe), _review_verdicts(recipe), _verified_examples(recipe)]


def review_state(recipe: Recipe, home: Home) -> Snapshot:
    """Return the verdicts that count, as an input: any new or changed one changes the version."""
    with open_queue(home, recipe.name) as queue:
        return Snapshot(
            asset=recipe.asset("review_verdicts"),
            partition="",
            version=_state_hash(recipe, queue.current_verdicts(recipe.review.accept)),
        )


def review_mark(recipe: Recipe, home: Home) -> str:
    """Return what tells cheaply whether `review_state` can have changed."""
    with open_queue(home, recipe.name) as queue:
        return f"{queue.state_sequence()}/{recipe.review.accept}/{recipe.review.overlap}"


def _state_hash(recipe: Recipe, verdicts: dict[str, Verdict]) -> str:
    return content_hash([recipe.review.accept, sorted((key, verdict.sequence) for key, verdict in verdicts.items())])


def review_counts(recipe: Recipe, home: Home) -> Counts:
    """Return how many items are open and decided, and by whom."""
    with open_queue(home, recipe.name) as queue:
        return queue.counts()


def review_url(recipe: Recipe, home: Home) -> str:
    """Return the address of the recipe's queue in the review app."""
    return f"{home.review_url}/recipes/{recipe.name}"


class Curated(NamedTuple):
    """The curated rows that people review."""

    examples: list[Example]
    pairs: list[PreferencePair]
    tasks: list[VerifiableTask]


def _curated(recipe: Recipe, store: Store) -> Curated:
    tables = store.snapshot(recipe.asset("curated_examples")).tables
    return Curated(
        list(store.read_table(Example, tables["examples"].root)),
        list(store.read_table(PreferencePair, tables["pairs"].root)),
        list(store.read_table(VerifiableTask, tables["tasks"].root)),
    )


def _required(recipe: Recipe, store: Store) -> frozenset[str]:
    """Return the keys of rows that a quality suite sends to review whatever the policy says."""
    return frozenset(store.snapshot(recipe.asset("curated_examples")).values.get("review_keys", {}))


def _review_queue(recipe: Recipe) -> dg.AssetsDefinition:
    added = add_documents(recipe)
    arguments = describe(
        recipe,
        "review_queue",
        group="review",
        kinds={"python", "sqlite"},
        modules=("curation.review.items", "curation.review.automatic", *added.modules),
        settings=[recipe.review, *added.settings],
        deps=["curated_examples", *added.deps],
        description="The rows that need a verdict, each shown with the source text it rests on.",
    )

    @declared(arguments)
    def review_queue(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        curated = _curated_snapshot(recipe, store)
        run = run_stage(
            home,
            asset=recipe.asset("review_queue"),
            inputs=[curated, review_keys_snapshot(recipe, curated), *document_inputs(recipe, store)],
            code=arguments["code_version"],
            make=lambda _: _items(recipe, store),
        )
        counts = _sync(recipe, home, run)
        return as_result(home, run, **dataclasses.asdict(counts), queue=dg.MetadataValue.url(review_url(recipe, home)))

    return review_queue


def _items(recipe: Recipe, store: Store) -> Outputs:
    rows = _curated(recipe, store)
    required = _required(recipe, store)
    evidence = evidence_lookup(read_documents(recipe, store))
    items = build_items(rows.examples, rows.pairs, evidence, recipe.review, required, rows.tasks)
    items += build_document_items(document_review(recipe, store), recipe.review)
    return Outputs(tables={"items": (ReviewItem, sorted(items, key=lambda item: item.key))})


def _sync(recipe: Recipe, home: Home, run: StageRun) -> Counts:
    items = list(home.store().read_table(ReviewItem, run.snapshot.tables["items"].root))
    with open_queue(home, recipe.name) as queue:
        queue.sync_items(items, recipe.review, _priorities(recipe, items))
        store_settings(queue, ReviewerSettings.of(recipe.review, recipe.judge))
        store_lots(queue, items, recipe.review, _required(recipe, home.store()))
        if standing_withdrawals(home):
            withdraw_orphans(queue)
        top_up(queue, recipe.review)
        run_automatic_reviewers(queue, [item for item in items if item.kind != "document"], recipe.review)
        return queue.counts()


def _priorities(recipe: Recipe, items: Sequence[ReviewItem]) -> Mapping[str, float]:
    """Return what people should see first: where the recipe's judge contradicts itself, then where it is unsure."""
    if recipe.judge is None:
        return {}
    judge = recipe.judge
    return priorities(items, approve_from=judge.approve_from, lowest=judge.lowest, highest=judge.highest)


def _review_verdicts(recipe: Recipe) -> Any:
    @dg.observable_source_asset(
        key=[recipe.name, "review_verdicts"],
        group_name="review",
        description="The verdicts in the review database that count now.",
    )
    def review_verdicts(home: dg.ResourceParam[Home]) -> dg.DataVersion:
        return dg.DataVersion(review_state(recipe, home).version)

    return review_verdicts


def _verified_examples(recipe: Recipe) -> dg.AssetsDefinition:
    added = add_documents(recipe)
    arguments = describe(
        recipe,
        "verified_examples",
        group="review",
        kinds={"parquet"},
        modules=("curation.review.verdicts", *added.modules),
        settings=[recipe.review, *added.settings],
        deps=["curated_examples", "review_queue", "review_verdicts", *added.deps],
        description="What people accepted, edited or preferred; rows that still wait are in the rejections.",
        check_specs=[rows_check(recipe, "verified_examples"), _review_check(recipe)],
    )

    @declared(arguments)
    def verified_examples(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = [home.store().snapshot(recipe.asset(name)) for name in ("curated_examples", "review_queue")]
        inputs += [review_keys_snapshot(recipe, inputs[0]), *document_inputs(recipe, home.store())]
        run = run_stage(
            home,
            asset=recipe.asset("verified_examples"),
            inputs=[*inputs, review_state(recipe, home)],
            code=arguments["code_version"],
            make=lambda _: _verify(recipe, home),
        )
        checks = [rows_result(run), _review_result(recipe, home, run)]
        return as_result(home, run, checks, queue=dg.MetadataValue.url(review_url(recipe, home)))

    return verified_examples


def _verify(recipe: Recipe, home: Home) -> Outputs:
    rows, documents = _curated(recipe, home.store()), document_review(recipe, home.store())
    with open_queue(home, recipe.name) as queue:
        verdicts = queue.current_verdicts(recipe.review.accept)
    verified = apply_verdicts(
        rows.examples,
        rows.pairs,
        verdicts=verdicts,
        config=recipe.review,
        required=_required(recipe, home.store()),
        tasks=rows.tasks,
        documents=documents,
    )
    by_people = {key: verdict for key, verdict in verdicts.items() if verdict.reviewer_kind == "human"}
    labelled = [row for row in rows.examples if row.key not in verified.withheld]
    labels = kto_labels(labelled, verdicts=by_people, config=recipe.review)
    num_in = len(rows.examples) + len(rows.pairs) + len(rows.tasks) + len(documents.documents)
    values = {
        "rows_in": num_in + verified.num_added + len(labels),
        "rows_out": len(verified.examples) + len(verified.pairs) + len(verified.tasks) + len(verified.documents) + len(labels),
        "labels": len(labels),
        "rejected": len(verified.rejections),
        "open_items": len(verified.open_items),
    }
    tables: dict[str, tuple[type, Sequence[Record]]] = {
        "examples": (Example, verified.examples),
        "pairs": (PreferencePair, verified.pairs),
        "tasks": (VerifiableTask, verified.tasks),
        "unpaired": (UnpairedPreference, labels),
        "rejections": (Rejection, verified.rejections),
    }
    if recipe.review.documents != "none":
        tables["documents"] = (Document, verified.documents)
    return Outputs(tables=tables, values=values)


def _review_check(recipe: Recipe) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name="review_complete",
        asset=dg.AssetKey([recipe.name, "verified_examples"]),
        blocking=True,
        description="Every row that the review policy names has a verdict. For people: training recomputes this by itself.",
    )


def _review_result(recipe: Recipe, home: Home, run: StageRun) -> dg.AssetCheckResult:
    num_open = int(run.snapshot.values["open_items"])
    where = review_url(recipe, home)
    description = f"{num_open} items wait for a verdict at {where}" if num_open else "All items are decided."
    metadata: dict[str, Any] = {"open_items": num_open, "queue": dg.MetadataValue.url(where)}
    return dg.AssetCheckResult(check_name="review_complete", passed=num_open == 0, description=description, metadata=metadata)


def _pass_ratings(recipe: Recipe, home: Home, rows: Sequence[Any]) -> None:
    """Refuse ratings that neither stand in the curated rows nor follow from the verdicts as they are now.

    Raises:
        ReviewGateError: naming the first one.
    """
    store = home.store()
    curated = store.read_table(UnpairedPreference, _curated_snapshot(recipe, store).tables["unpaired"].root)
    given: list[Any] = [*curated, *_verify(recipe, home).tables["unpaired"][1]]
    accepted = {record_hash(row) for row in given}
    for row in rows:
        if record_hash(row) not in accepted:
            problem = "a rating of the data set does not follow from the verdicts as they are now."
            raise ReviewGateError(problem=problem, row=f"{row.key} (hash {record_hash(row)})", where=review_url(recipe, home))


def _curated_snapshot(recipe: Recipe, store: Store) -> Snapshot:
    return store.snapshot(recipe.asset("curated_examples"))


def pass_review_gate(recipe: Recipe, home: Home, data: TrainingData) -> dict[str, Any]:
    """Recompute the review gate for the data set that is about to be learnt from, and return what it rests on as metadata.

    A corpus waits for documents only; it is gated where the recipe reviews them.

    Raises:
        ReviewGateError: naming the first bad row; nothing is trained then.
    """
    store = home.store()
    curated = _curated(recipe, store) if data.is_reviewed else Curated([], [], [])
    record: Any = ROW_CLASSES[data.table] if data.is_reviewed else Document
    root = store.snapshot(recipe.asset(data.dataset)).tables[data.table].root
    rows: list[Row | Document] = list(store.read_table(record, root))
    if data.table == "unpaired":
        _pass_ratings(recipe, home, rows)
        rows = []  # what they rest on, the examples and their verdicts, is looked at below
    with open_queue(home, recipe.name) as queue:
        gate = verify_gate(
            curated_examples=curated.examples,
            curated_pairs=curated.pairs,
            curated_tasks=curated.tasks,
            dataset_rows=rows,
            queue=queue,
            config=recipe.review,
            where=review_url(recipe, home),
            required=_required(recipe, store),
            documents=document_review(recipe, store),
        )
    return {
        "gate_policy": gate.policy,
        "gate_human": gate.num_human,
        "gate_automatic": gate.num_automatic,
        "gate_lots": gate.num_lots,
        "gate_failed_lots": gate.num_failed_lots,
        "gate_head": gate.verdict_head,
    }
