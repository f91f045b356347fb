"""Stage evaluate: what judges say of the candidate's answers against those of others, where the recipe names judges."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from assets.declare import as_result, declared, describe
from assets.recipe import Recipe
from assets.stage import Outputs, StageRun, run_stage
from curation.config import as_plain
from curation.errors import MissingSnapshotError
from curation.files import write_atomically
from curation.home import Home
from curation.ids import canonical_json, content_hash
from curation.judging.jury import opened_jury, stored_jury
from curation.records import ReviewItem, Verdict
from curation.review.queue import open_queue
from curation.store import Snapshot, Store
from evaluation.gate.evidence import describe_failure
from evaluation.judge.config import PairwiseConfig
from evaluation.judge.evidence import JudgeEvidence, check_against_ledger, judge_config_hash, read_judge_evidence
from evaluation.judge.judge_answers import Judged, judge_answers, judges_of
from evaluation.judge.labels import labelled_pairs
from evaluation.judge.records import JudgedLabel, JudgedPair
from evaluation.judge.summary import JudgeSummary
from evaluation.judge.table import judge_table, win_rate_table
from evaluation.judge.win_rate import Verdict as Decision
from evaluation.records import EvalAnswer

ASSET = "judge_verdicts"
CHECK = "judges_prefer_candidate"


class JudgeGate(NamedTuple):
    """What the judges mean for a release."""

    verdict: Decision
    reason: str
    evidence_hash: str
    """Hash of what the verdict rests on; empty if it cannot be read."""


def build(recipe: Recipe) -> list[Any]:
    """Return the asset of a recipe whose evaluation has judges."""
    return [_judge_verdicts(recipe, recipe.evaluation.judge)] if recipe.evaluation.judge is not None else []


def _judge_verdicts(recipe: Recipe, config: PairwiseConfig) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        ASSET,
        group="evaluate",
        kinds={"openai", "parquet"},
        modules=("evaluation.judge.judge_answers",),
        settings=[config, recipe.evaluation.confidence, recipe.evaluation.bootstrap_samples, recipe.evaluation.seed],
        deps=["answers", "review_queue", "review_verdicts"],
        pool="teacher_api",
        description="Which of two answers is better, by judges that see both orders and no names; and whether they are to be "
        "believed: flips, length, agreement with people.",
        check_specs=[dg.AssetCheckSpec(CHECK, asset=[recipe.name, ASSET], description="Judges prefer the candidate.")],
    )

    @declared(arguments)
    def judge_verdicts(context: dg.AssetExecutionContext, home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        inputs = [home.store().snapshot(recipe.asset(name)) for name in ("answers", "review_queue")]
        run = run_stage(
            home,
            asset=recipe.asset(ASSET),
            inputs=[*inputs, labels_before(recipe, home, config)],
            code=arguments["code_version"],
            make=lambda _: _outputs(recipe, home, _ask(recipe, home, config, context.log.info)),
        )
        return as_result(home, run, [_check(run, config)], **_tables(home.store(), run.snapshot))

    return judge_verdicts


def labels_before(recipe: Recipe, home: Home, config: PairwiseConfig) -> Snapshot:
    """Return what people have decided about pairs, as an input: what else they decide does not change its version."""
    _, items, verdicts = _inputs(recipe, home)
    pairs = labelled_pairs(items, verdicts, limit=config.max_labels, seed=recipe.evaluation.seed)
    return Snapshot(asset=recipe.asset("judge_labels"), partition="", version=content_hash(as_plain(pairs)))


def _ask(recipe: Recipe, home: Home, config: PairwiseConfig, log: Any) -> Judged:
    for warning in config.warnings:
        log(warning)
    opened = opened_jury(
        home,
        config.judges,
        recipe=recipe.name,
        budget=recipe.budget,
        seed=recipe.evaluation.seed,
        names=writer_names(recipe),
        on_progress=log,
    )
    with opened as jury:
        return judge_answers(*_inputs(recipe, home), jury, recipe.evaluation)


def writer_names(recipe: Recipe) -> list[str]:
    """Return the names that the writers of answers go by, which no judge is to see."""
    models = [recipe.training.base.model or "", *(teacher.model for teacher in recipe.all_teachers)]
    return sorted({name for model in models for name in (model, model.rpartition("/")[2]) if name} | {recipe.name})


def _inputs(recipe: Recipe, home: Home) -> tuple[Iterator[EvalAnswer], list[ReviewItem], list[Verdict]]:
    store = home.store()
    answers = store.read_table(EvalAnswer, store.snapshot(recipe.asset("answers")).tables["answers"].root)
    items = store.read_table(ReviewItem, store.snapshot(recipe.asset("review_queue")).tables["items"].root)
    with open_queue(home, recipe.name) as queue:
        verdicts = list(queue.verdicts_after(0))
    return answers, list(items), verdicts


def _outputs(recipe: Recipe, home: Home, judged: Judged) -> Outputs:
    folder = home.path / "work" / recipe.name / ASSET
    write_atomically(folder / "summary.json", canonical_json(judged.summary.as_json()).encode())
    write_atomically(folder / "win_rates.md", win_rate_table(judged.summary).encode())
    write_atomically(folder / "judges.md", judge_table(judged.summary).encode())
    return Outputs(
        tables={"pairs": (JudgedPair, judged.pairs), "labels": (JudgedLabel, judged.labels)},
        folders={"summary": folder},
        values={
            **judged.facts(),
            "summary_hash": judged.summary.hash(),
            "config_hash": judge_config_hash(judges_of(recipe.evaluation)),
        },
        is_complete=judged.is_complete,
    )


def _check(run: StageRun, config: PairwiseConfig) -> dg.AssetCheckResult:
    """A warning if a release that needs the judges would not get them, or if they prefer the opponent."""
    values = run.snapshot.values
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=values["verdict"] == "pass" if config.gates else values["verdict"] != "fail",
        severity=dg.AssetCheckSeverity.WARN,
        description=values["reason"],
        metadata={"believed": bool(values["may_gate"]), "gates": config.gates},
    )


def _tables(store: Store, snapshot: Snapshot) -> dict[str, Any]:
    folder = store.get_folder(snapshot.folders["summary"])
    return {name: dg.MetadataValue.md((folder / f"{name}.md").read_text()) for name in ("win_rates", "judges")}


def judge_evidence(recipe: Recipe, home: Home) -> JudgeEvidence:
    """Return what the newest judgement rests on, by hash.

    Raises:
        MissingSnapshotError: if nothing was judged yet.
    """
    store = home.store()
    newest = store.snapshot(recipe.asset(ASSET))
    return JudgeEvidence(
        answers_root=store.snapshot(recipe.asset("answers")).tables["answers"].root,
        pairs_root=newest.tables["pairs"].root,
        labels_root=newest.tables["labels"].root,
        config_hash=str(newest.values["config_hash"]),
        summary_hash=str(newest.values["summary_hash"]),
    )


def judge_gate(recipe: Recipe, home: Home) -> JudgeGate | None:
    """Return what the judges mean for a release, computed again from their replies; None where a release does not need them.

    It fails closed and never raises: what cannot be read, or is not what the request ledger and the review say now, is `fail`.
    """
    if recipe.evaluation.judge is None or not recipe.evaluation.judge.gates:
        return None
    try:
        evidence = judge_evidence(recipe, home)
        summary = _prove(recipe, home, evidence)
    except MissingSnapshotError:
        return JudgeGate("fail", "The release needs the judges, and nothing was judged yet: materialize `judge_verdicts`.", "")
    except Exception as error:
        return JudgeGate("fail", f"The judges' evidence does not hold: {describe_failure(error)}", "")
    return JudgeGate(summary.verdict, summary.reason, evidence.hash())


def judging_assets(recipe: Recipe) -> list[str]:
    """Return the asset that a report shows, where the recipe names judges."""
    return [ASSET] if recipe.evaluation.judge is not None else []


def gating_judges(recipe: Recipe) -> list[str]:
    """Return the asset that a release waits for, where it needs the judges."""
    return [ASSET] if recipe.evaluation.judge is not None and recipe.evaluation.judge.gates else []


def judge_obstacle(recipe: Recipe, home: Home) -> str:
    """Return why the judges keep a candidate from being released; empty if they do not, or a release does not need them."""
    gate = judge_gate(recipe, home)
    return "" if gate is None or gate.verdict == "pass" else gate.reason


def judge_evidence_hash(recipe: Recipe, home: Home) -> str:
    """Return the hash for the evidence of a release, without proving it; see `judge_obstacle` for that."""
    is_judged = gating_judges(recipe) and home.store().find_snapshot(recipe.asset(ASSET)) is not None
    return judge_evidence(recipe, home).hash() if is_judged else ""


def _prove(recipe: Recipe, home: Home, evidence: JudgeEvidence) -> JudgeSummary:
    store, config = home.store(), judges_of(recipe.evaluation)
    summary = read_judge_evidence(evidence, store, recipe.evaluation, config)
    with stored_jury(home, config.judges, seed=recipe.evaluation.seed, names=writer_names(recipe)) as jury:
        again = judge_answers(*_inputs(recipe, home), jury, recipe.evaluation)
    check_against_ledger(
        store.read_table(JudgedPair, evidence.pairs_root),
        store.read_table(JudgedLabel, evidence.labels_root),
        again.pairs,
        again.labels,
    )
    return summary


def judge_facts(recipe: Recipe, home: Home) -> dict[str, Any]:
    """Return the newest summary as JSON for reports and cards (`JudgeSummary.as_json`); empty while nothing was judged."""
    found = home.store().find_snapshot(recipe.asset(ASSET)) if judging_assets(recipe) else None
    if found is None:
        return {}
    path: Path = home.store().get_folder(found.folders["summary"]) / "summary.json"
    facts: dict[str, Any] = json.loads(path.read_bytes())
    return facts
