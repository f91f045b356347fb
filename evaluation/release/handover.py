"""The hand-over gate: what ships answers the gate's questions again, and must score as the candidate did.

    report = hand_over(spec, config, handover, ask)      # ExportRefusedError and nothing of the export is left, or it is at OUT
    report["forms"]["merged"]            {"num_same": 200, "scores": {"held_out exact_match": {"candidate": 0.91, ...}}, ...}

A model can be right in the store and wrong in the folder that is handed on: merged with another scale, another template,
another end of turn. So each form is loaded from its own files by the process that answered for the gate, asked the same
items, scored by the same scorers, and compared item by item with the stored answers on which the promotion rests. A GGUF
file is asked by llama.cpp's own server where that is installed; where it is not, the report says so.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.checksums import SUMS, add_sums, find_changed
from curation.errors import EvaluationError, ExportError, ExportRefusedError
from curation.files import sync_folder, write_atomically
from curation.ids import content_hash, hash_bytes, stable_fraction
from curation.records import record_hash
from curation.store import Store
from evaluation.answering.spec import AnswerSpec, ComparatorSpec, Generation, plan_tasks
from evaluation.config import EvaluationConfig
from evaluation.gate.paired import mean_of
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.release.gguf_answers import GGUF, GGUF_FILE, ask_gguf, why_not_asked
from evaluation.release.handover_config import HandoverConfig
from evaluation.scoring import score_answers

REPORT = "handover.json"
CANDIDATE = "candidate"
MERGED, ADAPTER = "merged", "adapter"
Ask = Callable[[AnswerSpec], str]
"""Runs the answering process to its end and returns the table root of its answers (EvalAnswer)."""


@dataclass(frozen=True, kw_only=True)
class HandoverSpec:
    """One hand-over of one export."""

    name: str
    """What the model is called in messages."""
    model_hash: str
    """The candidate in the store, whose answers were stored."""
    store_url: str
    items: str
    """Table root of the items (EvalItem) that were asked."""
    answers: str
    """Table root of EvalAnswer, with those of the candidate among them."""
    training_examples: str
    """Table root of the training rows (Example): no item may be among them."""
    export: Path
    """The signed folder that is to be handed over. It is moved, or deleted."""
    parent_folder: str
    """The model that an adapter belongs onto; empty if there is none."""
    out: Path
    """Where the export stands once it has passed; an earlier one there is replaced as a whole."""
    work_folder: Path


def hand_over(
    spec: HandoverSpec,
    config: EvaluationConfig,
    handover: HandoverConfig,
    ask: Ask,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure every form of an export, write `handover.json` beside it, sign that, and put the folder where it belongs.

    Args:
        spec: what is handed over, and what it is compared with.
        config: the tasks and metrics of the gate.
        handover: how many items are asked again, and how well the answers must agree.
        ask: runs the answering process.
        say: takes lines for people.

    Raises:
        ExportRefusedError: if a file was changed since it was signed, the stored answers are not those of this model, or a
            form does not agree with them within the tolerances. The export is deleted; an earlier one at `out` stays.
        EvaluationError: if a form cannot be loaded or computes NaN; the export is deleted as well.
    """
    try:
        report = measure_export(spec, config, handover, ask, say)
        write_atomically(spec.export / REPORT, json.dumps(report, indent=1, sort_keys=True).encode())
        add_sums(spec.export, REPORT)
        _replace(spec.export, spec.out)
    except OSError as error:
        raise ExportError(name=spec.name, reason=f"{error.strerror or error} ({error.filename or spec.out})") from error
    finally:
        shutil.rmtree(spec.export, ignore_errors=True)
    return report


def measure_export(
    spec: HandoverSpec, config: EvaluationConfig, handover: HandoverConfig, ask: Ask, say: Callable[[str], None]
) -> dict[str, Any]:
    """Return what `handover.json` says. Raises as `hand_over`; the export stays as it is."""
    changed = find_changed(spec.export)
    _demand(not changed, spec, f"{changed} since the export was signed.")
    store = Store(spec.store_url)
    items, stored = _stored_answers(spec, store, handover)
    forms = _plan_forms(spec)
    _demand(bool(forms), spec, "it holds no model that can be asked.")
    rows: list[EvalAnswer] = []
    for asked in _plan_asking(spec, config, store.write_table(EvalItem, items).root, forms):
        rows += store.read_table(EvalAnswer, ask(asked), asset="exports")
    measured = {}
    for form in forms:
        given = sorted((row for row in rows if row.comparator == form.name), key=lambda row: row.item_key)
        is_whole = [row.item_key for row in given] == [item.key for item in items]
        _demand(is_whole, spec, f"the {form.name} model did not answer every item.")
        measured[form.name] = _judge(spec, handover, stored, given, _means(stored, items, config), _means(given, items, config))
    not_asked = {}
    if (spec.export / GGUF_FILE).is_file():
        not_asked = {GGUF: reason} if (reason := why_not_asked(items, config)) else {}
        measured |= {} if not_asked else {GGUF: _measure_gguf(spec, config, handover, items, stored, say)}
    return {
        "name": spec.name,
        "model_hash": spec.model_hash,
        "files": hash_bytes((spec.export / SUMS).read_bytes()),
        "items_root": spec.items,
        "answers_root": spec.answers,
        "num_items": len(items),
        "score_tolerance": handover.score_tolerance,
        "minimum_same": handover.minimum_same,
        "forms": measured,
        "not_asked": not_asked,
    }


def _measure_gguf(
    spec: HandoverSpec,
    config: EvaluationConfig,
    handover: HandoverConfig,
    items: Sequence[EvalItem],
    stored: Sequence[EvalAnswer],
    say: Callable[[str], None],
) -> dict[str, Any]:
    try:
        given = ask_gguf(spec.export / GGUF_FILE, items, config, spec.work_folder, say=say)
    except EvaluationError as error:
        raise ExportRefusedError(name=spec.name, reason=str(error.fields["reason"])) from error
    asked = {row.item_key for row in given}
    before, own = [row for row in stored if row.item_key in asked], [item for item in items if item.key in asked]
    return _judge(spec, handover, before, given, _means(before, own, config), _means(given, own, config))


def _stored_answers(spec: HandoverSpec, store: Store, handover: HandoverConfig) -> tuple[list[EvalItem], list[EvalAnswer]]:
    """Return a stable subset of the items, by key, and the candidate's stored answers to them."""
    items = store.read_table(EvalItem, spec.items, asset="answers")
    chosen = sorted(items, key=lambda item: (stable_fraction(item.key, "handover"), item.key))[: handover.max_items]
    chosen.sort(key=lambda item: item.key)
    rows = store.read_table(EvalAnswer, spec.answers, asset="answers")
    stored = {row.item_key: row for row in rows if row.comparator == CANDIDATE}
    _demand(bool(chosen), spec, "no item was asked at the gate.")
    for item in chosen:
        row = stored.get(item.key)
        is_own = row is not None and (row.model_hash, row.item_hash) == (spec.model_hash, record_hash(item))
        _demand(is_own, spec, f"the candidate's answer to '{item.key}' is missing, or of another model or another item.")
    return chosen, [stored[item.key] for item in chosen]


def _plan_forms(spec: HandoverSpec) -> tuple[ComparatorSpec, ...]:
    """Return the forms that can be asked; stored answers of other files never count for these."""
    files, forms = hash_bytes((spec.export / SUMS).read_bytes()), []
    if (spec.export / "config.json").is_file():
        forms.append(ComparatorSpec(name=MERGED, model=str(spec.export), model_hash=content_hash([MERGED, files])))
    if spec.parent_folder and (spec.export / ADAPTER / "adapter_config.json").is_file():
        folder = _lay_on_parent(spec)
        model_hash = content_hash([ADAPTER, files, spec.parent_folder])
        forms.append(ComparatorSpec(name=ADAPTER, model=str(folder), model_hash=model_hash))
    return tuple(forms)


def _plan_asking(spec: HandoverSpec, config: EvaluationConfig, items: str, forms: Sequence[ComparatorSpec]) -> list[AnswerSpec]:
    """Return what each engine is asked: that of the gate, but an adapter on its base is always loaded by transformers."""
    engines = {form.name: "transformers" if form.name == ADAPTER else config.engine for form in forms}
    sizes = {"max_new_tokens": config.max_new_tokens, "batch_size": config.batch_size, "seed": config.seed}
    return [
        AnswerSpec(
            store_url=spec.store_url,
            items=items,
            training_examples=spec.training_examples,
            comparators=tuple(form for form in forms if engines[form.name] == engine),
            generation=Generation(**sizes, engine=engine),
            work_folder=str(spec.work_folder),
            tasks=plan_tasks(config),
        )
        for engine in sorted(set(engines.values()))
    ]


def _lay_on_parent(spec: HandoverSpec) -> Path:
    """Return a folder of links to the adapter's files whose config names the base by its place on this machine."""
    folder = spec.work_folder / "adapter"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in sorted((spec.export / ADAPTER).iterdir()):
        if file.name != "adapter_config.json":
            (folder / file.name).symlink_to(file.absolute())
    found = json.loads((spec.export / ADAPTER / "adapter_config.json").read_bytes())
    found |= {"base_model_name_or_path": spec.parent_folder, "revision": None}
    (folder / "adapter_config.json").write_text(json.dumps(found))
    return folder


def _means(answers: Sequence[EvalAnswer], items: Sequence[EvalItem], config: EvaluationConfig) -> dict[str, float]:
    """Return every metric of every task, as the gate's comparison takes its mean."""
    by_metric: dict[str, list[Score]] = {}
    for score in score_answers(answers, items, config):
        by_metric.setdefault(f"{score.task} {score.metric}", []).append(score)
    return {name: mean_of(scores) for name, scores in by_metric.items()}


def _judge(
    spec: HandoverSpec,
    handover: HandoverConfig,
    stored: Sequence[EvalAnswer],
    given: Sequence[EvalAnswer],
    before: Mapping[str, float],
    after: Mapping[str, float],
) -> dict[str, Any]:
    form = given[0].comparator
    other = [new.item_key for old, new in zip(stored, given, strict=True) if old.answer != new.answer]
    share = 1 - len(other) / len(stored)
    _demand(before.keys() == after.keys(), spec, f"the {form} model was not measured by the metrics of the gate.")
    allowed = f"a difference of {handover.score_tolerance:g} is allowed"
    for metric in before:
        is_near = abs(after[metric] - before[metric]) <= handover.score_tolerance + 1e-9  # NaN is refused too
        problem = f"its {metric} is {after[metric]:.4f}, and {before[metric]:.4f} for the model that was promoted"
        _demand(is_near, spec, f"the {form} model does not score as at the gate: {problem} ({allowed}).")
    problem = f"{len(other)} of {len(stored)} answers differ from those at the gate, first to '{other[0] if other else ''}'"
    _demand(
        share >= handover.minimum_same, spec, f"the {form} model: {problem} ({handover.minimum_same:.0%} must be the same)."
    )
    scores = {
        metric: {"candidate": before[metric], "export": after[metric], "difference": after[metric] - before[metric]}
        for metric in before
    }
    answers = content_hash([[row.item_key, row.answer] for row in given])
    counts = {"num_same": len(stored) - len(other), "same": share, "differing": other[:20]}
    return {**counts, "answers": answers, "scores": scores}


def summarise(report: Mapping[str, Any]) -> str:
    """Return a report as a Markdown table for the asset's page."""
    lines = [
        f"{report['num_items']} held-out items, answered again by each form; allowed: {report['score_tolerance']:g} between "
        f"the means, and {report['minimum_same']:.0%} the same answers at least.\n",
        "| form | same answers | metric | at the gate | what ships |",
        "| --- | --- | --- | --- | --- |",
    ]
    for form, found in sorted(report["forms"].items()):
        lines += [
            f"| {form} | {found['num_same']} | {metric} | {values['candidate']:.4f} | {values['export']:.4f} |"
            for metric, values in sorted(found["scores"].items())
        ]
    return "\n".join([*lines, *(f"\nForm {form}: {reason}" for form, reason in report.get("not_asked", {}).items())])


def worst_difference(report: Mapping[str, Any]) -> float:
    """Return the largest distance between the means of a metric at the gate and of what ships."""
    return max(abs(float(values["difference"])) for form in report["forms"].values() for values in form["scores"].values())


def _replace(part: Path, out: Path) -> None:
    old = out.with_name(f".{out.name}.{uuid.uuid4().hex}.old")
    out.parent.mkdir(parents=True, exist_ok=True)
    for left in out.parent.glob(f".{out.name}.*.old"):  # of a process that was killed in between
        shutil.rmtree(left, ignore_errors=True)
    if out.exists():
        out.rename(old)
    part.rename(out)
    sync_folder(out.parent)
    shutil.rmtree(old, ignore_errors=True)


def _demand(holds: bool, spec: HandoverSpec, problem: str) -> None:
    if not holds:
        raise ExportRefusedError(name=spec.name, reason=problem)
