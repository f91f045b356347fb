"""The evaluation report: one offline page from what evaluation, training and curation stored, with its items beside it."""

import json
import platform
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from assets import forgetting
from assets.answer_tables import read_confidences, read_timings, timings_snapshot
from assets.audit import contaminated_items
from assets.curated import shard_snapshots
from assets.declare import as_result, declared, describe
from assets.evaluation_judge import judge_facts, judging_assets
from assets.funnel import stage_rows
from assets.presentation import page_link
from assets.recipe import Recipe
from assets.review import review_counts
from assets.scores import read_comparison
from assets.stage import Outputs, run_stage
from curation.config import as_plain
from curation.home import Home
from curation.record_rows import from_row
from curation.records import Document, Example
from curation.store import Snapshot, Store
from evaluation.forgetting.verdict import ForgettingResult
from evaluation.gate.clean_subset import score_clean_subsets
from evaluation.gate.comparison import Comparison
from evaluation.gate.limits import find_excess
from evaluation.memorisation.summary import LossGap, Memorisation
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.report.inputs import LossCurve, ReportInputs
from evaluation.report.nearest import Nearest, find_nearest, passages_of
from evaluation.report.page import write_report
from evaluation.report.right import are_right

PACKAGES = ("dagster", "torch", "transformers", "trl", "peft", "polars", "pyarrow", "great-expectations")
EVALUATED = ("comparison", "answers", "scores")
NEEDED = (*EVALUATED, "rejections", "dataset_audit", "sft_dataset")
CORPUS = "dapt_corpus"


def build(recipe: Recipe) -> list[Any]:
    """Return the assets of this stage."""
    return [_report(recipe)]


def _names(recipe: Recipe) -> list[str]:
    probe = [forgetting.NAME] if recipe.forgetting is not None else []
    return [*NEEDED, *judging_assets(recipe), *probe]


def _report(recipe: Recipe) -> dg.AssetsDefinition:
    arguments = describe(
        recipe,
        "evaluation_report",
        group="evaluate",
        kinds={"html"},
        modules=("evaluation.report.page", "evaluation.report.nearest"),
        settings=[recipe.release.max_p95_latency_s, recipe.release.max_cost_per_1000_usd, recipe.forgetting],
        deps=_names(recipe),
        description="One offline HTML page: the verdict in words, plots, slices, cost, and every answer beside the others.",
    )

    @declared(arguments)
    def evaluation_report(home: dg.ResourceParam[Home]) -> dg.MaterializeResult:
        store = home.store()
        inputs = {name: store.snapshot(recipe.asset(name)) for name in (*_names(recipe), *recipe.training.model_names)}
        run = run_stage(
            home,
            asset=recipe.asset("evaluation_report"),
            inputs=inputs.values(),
            code=arguments["code_version"],
            make=lambda _: _write(recipe, home, inputs),
        )
        return as_result(home, run, report=page_link(run.snapshot.asset, run.snapshot.folders["report"]))

    return evaluation_report


def _write(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> Outputs:
    folder = home.path / "work" / recipe.name / "report"
    shown = report_inputs(recipe, home, inputs)
    write_report(shown, folder)
    values: dict[str, Any] = {}
    compared = shown.comparison
    for subset in shown.clean_subsets:
        at, metric = ("", compared.metric) if subset.task == compared.task else (f"{subset.task}_", subset.metric)
        values |= {f"clean_{at}{metric}_{name}": subset.mean(name, metric) for name in ("base", "candidate")}
        values |= {f"clean_{at}items": subset.num_items, f"contaminated_{at}items": subset.num_contaminated}
    return Outputs(folders={"report": folder}, values=values)


def report_inputs(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> ReportInputs:
    """Collect what the report shows from the stored snapshots."""
    store = home.store()
    results = _results(recipe, home, inputs)
    made = shard_snapshots(recipe, store, "candidates")
    models = {name: inputs[name] for name in recipe.training.model_names}
    probes = _probes(recipe, store, inputs)
    return ReportInputs(
        **results,
        recipe=recipe.name,
        description=recipe.description,
        owner=recipe.owner,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        nearest=_nearest(recipe, store, inputs, ReportInputs(recipe=recipe.name, **results)),
        paraphrases_checked=recipe.contamination.embedding is not None,
        judges=judge_facts(recipe, home),
        forgetting=probes.forgetting,
        forgetting_blocks=_stops_release(recipe, probes),
        obstacles=_obstacles(recipe, results["comparison"], probes),
        memorisation=probes.memorisation,
        loss_curves=tuple(_loss_curve(name, model) for name, model in models.items() if model.values.get("loss_curve")),
        stage_rows=stage_rows(recipe, store),
        evidence=_evidence(inputs),
        data_roots=_data_roots(recipe, store),
        model_hashes={name: model.folders["model"] for name, model in models.items()},
        config=as_plain(recipe),
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        seeds={"training": recipe.training.seed, "evaluation": recipe.evaluation.seed},
        teacher=", ".join(teacher.label for teacher in recipe.all_teachers),
        teacher_calls=sum(item.values["teacher_calls"] + item.values["cached_replies"] for item in made),
        teacher_cost_usd=float(sum(item.values["cost_usd"] for item in made)),
        review=_review_facts(recipe, home),
        answer_statistics={name: inputs["answers"].values[name] for name in ("num_generated", "num_reused", "tokens_per_s")},
    )


def _results(recipe: Recipe, home: Home, inputs: dict[str, Snapshot]) -> dict[str, Any]:
    store, tables = home.store(), inputs["answers"].tables
    scores = tuple(store.read_table(Score, inputs["scores"].tables["scores"].root))
    return {
        "comparison": read_comparison(store, inputs["comparison"]),
        "answers": tuple(store.read_table(EvalAnswer, tables["answers"].root)),
        "scores": scores,
        "timings": tuple(read_timings(store, timings_snapshot(recipe, inputs["answers"]).version)),
        "confidences": tuple(read_confidences(store, inputs["answers"])),
        "items": tuple(store.read_table(EvalItem, tables["items"].root)),
        "clean_subsets": score_clean_subsets(scores, contaminated_items(recipe, home), recipe.evaluation),
    }


def _evidence(inputs: dict[str, Snapshot]) -> dict[str, str]:
    tables = {**inputs["answers"].tables, **inputs["scores"].tables}
    roots = {name: tables[name].root for name in ("items", "answers", "scores")}
    return {**roots, "comparison": inputs["comparison"].folders["comparison"]}


def _nearest(recipe: Recipe, store: Store, inputs: dict[str, Snapshot], found: ReportInputs) -> dict[str, tuple[Nearest, ...]]:
    """Return what lies nearest to the questions that the candidate got wrong."""
    right = are_right(found)
    wrong = {
        answer.item_key: answer.prompt
        for answer in found.answers
        if answer.comparator == "candidate" and not right.get(answer.key, True)
    }
    examples = store.read_table(Example, inputs["sft_dataset"].tables["examples"].root)
    corpus = store.find_snapshot(recipe.asset(CORPUS)) if recipe.training.reads(CORPUS) else None
    documents: Iterable[Document] = store.read_table(Document, corpus.tables["documents"].root) if corpus else ()
    return find_nearest(wrong, passages_of(examples, documents)) if wrong else {}


class _Probes(NamedTuple):
    """What was measured of the candidate, as it is stored; None where nobody measured."""

    forgetting: ForgettingResult | None = None
    memorisation: Memorisation | None = None


def _probes(recipe: Recipe, store: Store, inputs: dict[str, Snapshot]) -> _Probes:
    if recipe.forgetting is None:
        return _Probes()
    path = store.get_folder(inputs[forgetting.NAME].folders["report"]) / "forgetting.json"
    stored = json.loads(path.read_bytes())
    by_heart = from_row(Memorisation, stored["memorisation"]) if stored["memorisation"] else None
    if by_heart is not None and by_heart.gap is not None:
        by_heart = replace(by_heart, gap=from_row(LossGap, stored["memorisation"]["gap"]))
    return _Probes(from_row(ForgettingResult, stored["stages"][-1]), by_heart)


def _stops_release(recipe: Recipe, probes: _Probes) -> bool:
    """Tell whether the recipe lets a release be stopped by what the probe found."""
    config, found = recipe.forgetting, probes.forgetting
    is_let = config is not None and found is not None and found.verdict == "undecided" and found.is_allowed(config)
    return config is not None and config.blocks and not is_let


def _obstacles(recipe: Recipe, comparison: Comparison, probes: _Probes) -> tuple[str, ...]:
    """Return what a promotion of this candidate would be refused for, besides the comparison, forgetting and judges."""
    limits = recipe.forgetting.memorisation if recipe.forgetting is not None else None
    by_heart = probes.memorisation.broken(limits) if limits is not None and limits.blocks and probes.memorisation else []
    return tuple(filter(None, (find_excess(comparison, recipe.release), *by_heart)))


def _data_roots(recipe: Recipe, store: Store) -> dict[str, str]:
    read = (data.dataset for data in recipe.training.data)
    names = dict.fromkeys([CORPUS, "sft_dataset", *read, "eval_set"])
    found = [store.find_snapshot(recipe.asset(name)) for name in names]
    return {item.asset: table.root for item in found if item for table in item.tables.values()}


def _review_facts(recipe: Recipe, home: Home) -> dict[str, int]:
    counts = review_counts(recipe, home)
    people = {"items": counts.num_items, "open": counts.num_open, "decided by people": counts.num_human}
    return {**people, "decided by automatic reviewers": counts.num_automatic, **counts.decisions}


def _loss_curve(name: str, model: Snapshot) -> LossCurve:
    held_out = (model.values.get("curves") or {}).get("held_out_loss") or ()
    return LossCurve(
        stage=name,
        train=tuple((int(step), float(loss)) for step, loss in model.values["loss_curve"]),
        evaluation=tuple((int(step), float(loss)) for step, loss in held_out),
    )


def report_path(recipe: Recipe, home: Home) -> Path | None:
    """Return the path of the newest report, if there is one."""
    found = home.store().find_snapshot(recipe.asset("evaluation_report"))
    return home.store().get_folder(found.folders["report"]) / "index.html" if found else None
