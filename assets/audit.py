"""The audit of the data sets, and the gate that training passes only with an audit of exactly these data sets.

Three blocking checks: no training row gives away an evaluation item, terms allow the declared use of every row, and what models
wrote has not displaced what people wrote. `pass_audit_gate` does not read Dagster's log: it reads the stored audit, and
refuses unless that was made from the present versions of the data sets by the present code and settings.
"""

from typing import Any

import dagster as dg

from assets.code_version import code_version
from assets.curated import ROW_CLASSES, modules_beside_rules, read_rows
from assets.declare import as_result, declared, describe
from assets.protected_items import protected_files, protected_items, protected_settings
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from curation.config import as_plain
from curation.curate.audit import GUARDS, Audit, audit_datasets
from curation.embedding.choose import opened_embedder
from curation.errors import AuditGateError
from curation.files import write_atomically
from curation.home import Home
from curation.ids import canonical_json, content_hash
from curation.records import ContaminationPair
from curation.store import Snapshot

DESCRIPTIONS = {
    "contamination": "No training row gives away a held-out row, or an item of a benchmark, task or probe of the recipe.",
    "terms": "Licences and terms of all sources and teachers allow the declared use of every training row.",
    "collapse": "Enough of the training data is real, and what models wrote is as varied as what people wrote.",
}


def training_sets(recipe: Recipe) -> tuple[str, ...]:
    """Return the names of the data sets that this recipe's training reads row by row."""
    read = [data.dataset for data in recipe.training.data if data.is_reviewed]
    return tuple(dict.fromkeys(["sft_dataset", *read]))


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_dataset_audit(recipe)]


def _settings(recipe: Recipe) -> Any:
    protected = protected_settings(recipe)
    return [as_plain(recipe.curate_settings()), as_plain(recipe.collapse), as_plain(recipe.mix.weights), *protected]


def _modules(recipe: Recipe) -> tuple[str, ...]:
    return ("curation.curate.audit", *modules_beside_rules(recipe))


def _audit_code(recipe: Recipe) -> str:
    return content_hash([code_version(*_modules(recipe)), _settings(recipe)])[:16]


def _inputs(recipe: Recipe, home: Home) -> list[Snapshot]:
    names = (*training_sets(recipe), "eval_set", "curated_examples")
    return [*(home.store().snapshot(recipe.asset(name)) for name in names), *protected_files(recipe)]


def _dataset_audit(recipe: Recipe) -> dg.AssetsDefinition:
    asset = dg.AssetKey([recipe.name, "dataset_audit"])
    arguments = describe(
        recipe,
        "dataset_audit",
        group="datasets",
        kinds={"python"},
        modules=_modules(recipe),
        settings=_settings(recipe),
        deps=[*training_sets(recipe), "eval_set", "curated_examples"],
        description="May these data sets be trained on? Contamination, terms and collapse; training refuses without it.",
        check_specs=[
            dg.AssetCheckSpec(name=guard, asset=asset, blocking=True, description=DESCRIPTIONS[guard]) for guard in GUARDS
        ],
    )

    @declared(arguments)
    def dataset_audit(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = _inputs(recipe, home)
        run = run_stage(
            home,
            asset=recipe.asset("dataset_audit"),
            inputs=inputs,
            code=arguments["code_version"],
            make=lambda _: _audit(recipe, home, inputs),
        )
        return as_result(home, run, [_result(run, guard) for guard in GUARDS])

    return dataset_audit


def _audit(recipe: Recipe, home: Home, inputs: list[Snapshot]) -> Outputs:
    store = home.store()
    num_sets = len(training_sets(recipe))
    sets, eval_set, curated = inputs[:num_sets], inputs[num_sets], inputs[num_sets + 1]
    with opened_embedder(recipe.contamination.embedding, home.embeddings_url) as embedder:
        audit = audit_datasets(
            [row for table in ROW_CLASSES for row in read_rows(store, sets, table)],
            read_rows(store, [eval_set], "examples"),
            [row for table in ROW_CLASSES for row in read_rows(store, [curated], table)],
            recipe.curate_settings(),
            recipe.collapse,
            weights=recipe.mix.weights,
            benchmark_items=protected_items(recipe),
            embedder=embedder,
        )
    facts, folder = _facts(audit), home.path / "work" / recipe.name / "dataset_audit"
    write_atomically(folder / "audit.json", canonical_json(facts).encode())
    return Outputs(
        tables={"contamination_pairs": (ContaminationPair, audit.pairs)},
        folders={"audit": folder},  # another judgement is another version, though the pairs are the same
        values=facts,
    )


def _facts(audit: Audit) -> dict[str, Any]:
    return {
        "judgements": as_plain(dict(audit.judgements)),
        "items_by_benchmark": dict(audit.num_items),
        "contamination": audit.contamination.counts,
        "method": list(audit.contamination.method),
        "charts": {
            "rows_by_terms_verdict": audit.terms.verdicts,
            "real_share_by_slice": {item.slice: round(item.real_share, 3) for item in audit.collapse.slices},
        },
        "collapse": {f"{item.slice}: {item.measure}": round(item.value, 4) for item in audit.collapse.findings},
    }


def _result(run: StageRun, guard: str) -> dg.AssetCheckResult:
    found = run.snapshot.values["judgements"][guard]
    severity = dg.AssetCheckSeverity.ERROR if not found["passed"] else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        check_name=guard,
        passed=found["passed"] and not found["is_warning"],
        severity=severity,
        description=found["detail"],
    )


def pass_audit_gate(recipe: Recipe, home: Home) -> None:
    """Let training start only with an audit of the present data sets that found nothing against it.

    Raises:
        AuditGateError: if there is no such audit, or it failed; the message says which guard refuses and why.
    """
    audit = home.store().find_snapshot(recipe.asset("dataset_audit"))
    if audit is None:
        raise AuditGateError(problem="the data sets were never audited", detail="Materialize dataset_audit first.")
    present = {item.asset: item.version for item in _inputs(recipe, home)}
    if audit.inputs != present or audit.code != _audit_code(recipe):
        raise AuditGateError(
            problem="the audit is of other data sets or other settings", detail="Materialize dataset_audit again."
        )
    for guard in GUARDS:
        found = audit.values["judgements"][guard]
        if not found["passed"]:
            raise AuditGateError(problem=f"the check '{guard}' of dataset_audit fails", detail=found["detail"])


def contaminated_items(recipe: Recipe, home: Home) -> frozenset[str]:
    """Return the keys of held-out rows that a training row gives away, for the scores on the clean subset."""
    store = home.store()
    audit = store.find_snapshot(recipe.asset("dataset_audit"))
    if audit is None:
        return frozenset()
    pairs = store.read_table(ContaminationPair, audit.tables["contamination_pairs"].root)
    asked = {"eval_set", *(task.name for task in recipe.evaluation.tasks)}
    return frozenset(pair.item_key for pair in pairs if pair.benchmark in asked)
