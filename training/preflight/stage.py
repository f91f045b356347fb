"""The preflight of one stage as it is about to run: what it needs is read from the spec, the store and the parent's folder.

pass_preflight(spec, stage, rows, tokenizer, records=records, say=progress.phase)      WORK/preflight/index.html, or an error
"""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from curation.records import Example
from curation.store import Store
from training.chat_format import IGNORED
from training.config import StageConfig
from training.four_bits import SLOW_ON_CPU
from training.methods.pairs import pair_columns
from training.methods.scoring import whole_conversations
from training.packing import pack_rows
from training.preflight.findings import FOLDER, PreflightReport
from training.preflight.inspect import inspect_rows, require_ready
from training.preflight.saving import save_report
from training.preflight.subject import Collate, Kind, Sizes, Subject
from training.rows import Rows
from training.spec import RunSpec

SIDES = ("chosen", "rejected")


def pass_preflight(
    spec: RunSpec, stage: StageConfig, rows: Rows, tokenizer: Any, *, records: Iterable[Any], say: Callable[[str], None]
) -> PreflightReport:
    """Look at the rows of a stage before its model is loaded, and leave the report in the work folder.

    Args:
        spec: the run.
        stage: its resolved configuration.
        rows: what it learns from.
        tokenizer: the parent's.
        records: the records that the rows were made of, rejected ones included.
        say: told in one sentence what came out.

    Raises:
        PreflightFailedError: if something would spoil the training.
    """
    if stage.tuning == "qlora" and _pad_multiple() is None:  # no GPU
        say(f"warning: {SLOW_ON_CPU}")
    report = inspect_rows(describe_stage(spec, stage, rows, tokenizer, records=records))
    page = save_report(report, Path(spec.work_folder) / FOLDER)
    warnings = [finding.rule for finding in report.findings if finding.severity == "warning"]
    noted = f", to look at: {', '.join(warnings)}" if warnings else ""
    say(f"preflight: {len(report.rules_held)} rules hold, {len(report.errors)} errors{noted}")
    require_ready(report, saved=str(page))
    return report


def describe_stage(spec: RunSpec, stage: StageConfig, rows: Rows, tokenizer: Any, *, records: Iterable[Any]) -> Subject:
    """Put together what the preflight looks at."""
    kind = find_kind(stage, rows)
    held_out = Store(spec.store_url).read_table(Example, spec.held_out, asset="eval_set") if spec.held_out else ()
    has_budget = bool(stage.packing) and kind != "prompts"
    return Subject(
        stage=stage.model_name,
        kind=kind,
        columns=rows.columns,
        tokenizer=tokenizer,
        records=None if kind == "text" else list(records),
        rejections=rows.rejections,
        held_out=() if kind == "text" else list(held_out),
        collate=find_collator(stage, kind, tokenizer),
        vocabulary=read_vocabulary(Path(spec.parent_model)),
        stops=read_stops(Path(spec.parent_model), tokenizer),
        saved_template=read_template(Path(spec.parent_model)),
        sizes=Sizes(
            max_length=stage.max_length or 0,
            batch_size=1 if has_budget else stage.batch_size or 1,
            gradient_accumulation=stage.gradient_accumulation or 1,
            world_size=int(os.environ.get("WORLD_SIZE", "1")),
            num_generations=(stage.rl.num_generations or 0) if stage.rl else 0,
            is_packed=has_budget,
        ),
        needs_reference=any(reward.grader for reward in stage.rewards),
    )


def find_kind(stage: StageConfig, rows: Rows) -> Kind:
    """Tell by table and columns what is learnt."""
    if "input_ids" in rows.columns:
        if stage.data.table == "documents":
            return "text"
        return "turns" if stage.sft is not None and stage.sft.learns == "assistant" else "answers"
    if "chosen_ids" in rows.columns:
        return "pairs"
    return "labelled" if "completion_ids" in rows.columns else "prompts"


def find_collator(stage: StageConfig, kind: Kind, tokenizer: Any) -> Collate | None:
    """Return what makes batches for the trainer of a stage; None where that is no plain collator of such rows."""
    if stage.packing and kind in ("pairs", "prompts"):
        return None  # both answers share their prompt in a layout of its own; answers are not written yet
    if stage.packing:
        return lambda rows: pack_rows([row["input_ids"] for row in rows], [row["labels"] for row in rows])
    if tokenizer.pad_token_id is None:
        return None
    multiple = _pad_multiple()
    if kind in ("answers", "turns", "text"):
        from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

        return DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id, pad_to_multiple_of=multiple)  # type: ignore[no-any-return]
    if stage.method == "dpo" and not (stage.preference and stage.preference.loss == "simpo"):
        from trl.trainer.dpo_trainer import DataCollatorForPreference

        return DataCollatorForPreference(pad_token_id=tokenizer.pad_token_id, pad_to_multiple_of=multiple)  # type: ignore[no-any-return]
    if kind == "pairs" and stage.method in ("dpo", "orpo"):
        from trl.experimental.utils import DPODataCollatorWithPadding

        split = DPODataCollatorWithPadding(pad_token_id=tokenizer.pad_token_id)
        return lambda rows: stack_sides(split([pair_columns(row) for row in rows]), pad=tokenizer.pad_token_id)
    if stage.method == "kto":
        from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

        return DataCollatorForUnpairedPreference(pad_token_id=tokenizer.pad_token_id, pad_to_multiple_of=multiple)  # type: ignore[no-any-return]
    if stage.method == "reward":
        from trl.trainer.reward_trainer import DataCollatorForPreference as PairCollator

        collate = PairCollator(pad_token_id=tokenizer.pad_token_id, pad_to_multiple_of=multiple)
        return lambda rows: collate([whole_conversations(row) for row in rows])
    return None


def stack_sides(batch: dict[str, Any], *, pad: int) -> dict[str, Any]:
    """Return a batch that has chosen and rejected answers side by side, each [pairs, tokens], as one [2 x pairs, tokens]."""
    import torch

    width = max(batch[f"{side}_input_ids"].shape[1] for side in SIDES)
    stacked = {}
    for name, fill in (("input_ids", pad), ("attention_mask", 0), ("labels", IGNORED)):
        parts = [batch[f"{side}_{name}"] for side in SIDES]
        padded = [torch.nn.functional.pad(part, (0, width - part.shape[1]), value=fill) for part in parts]
        stacked[name] = torch.cat(padded)
    return stacked


def _pad_multiple() -> int | None:
    import torch

    return 8 if torch.cuda.is_available() else None


def read_vocabulary(folder: Path) -> int:
    """Return how many embeddings the model in a folder has; 0 if its configuration does not say."""
    config = _read(folder / "config.json")
    size = (config.get("text_config") or config).get("vocab_size")
    return size if isinstance(size, int) else 0


def read_stops(folder: Path, tokenizer: Any) -> frozenset[int]:
    """Return the tokens at which generation stops: those of the generation configuration, or the tokenizer's end."""
    ends = _read(folder / "generation_config.json").get("eos_token_id")
    stops = [ends] if isinstance(ends, int) else list(ends or [])
    own = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    return frozenset(stops or own)


def read_template(folder: Path) -> str:
    """Return the chat template that a server finds beside the model; empty if there is none."""
    file = folder / "chat_template.jinja"
    if file.exists():
        return file.read_text()
    found = _read(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(found, list):  # several by name
        found = next((item.get("template") for item in found if item.get("name") == "default"), "")
    return found if isinstance(found, str) else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
