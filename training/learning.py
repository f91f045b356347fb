"""The training loop of all stages: a trainer on rows of token ids, watched, checkpointed and resumed.

done = learn(spec, resolved_stage(spec), rows, tokenizer, progress, stop)      # Trained(model=..., loss_curve=..., ...)
"""

import json
import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from curation.config import check
from curation.errors import ModelNotFoundError
from training.base_model import load_parent
from training.checkpoints import STAGING, find_checkpoint, refuse_others, remove_checkpoints
from training.config import StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.early_stopping import take_best, was_over
from training.four_bits import trainable_share
from training.memory.fitting import train_job, tries_longest_batch
from training.memory.longest_batch import try_longest_batch_first
from training.methods.adapters import check_targets
from training.methods.job import Job
from training.output import ADAPTER, Trained, write_timings
from training.packing import PackPlan, plan_run
from training.parent_watch import Stop
from training.progress import Progress
from training.rewards.scorer import load_scorer
from training.rows import PROMPT_METHODS, Rows, epoch_order
from training.scale.gather import gather_model
from training.scale.ranks import is_first_rank, name_checkpoints, world_size
from training.spec import RunSpec
from training.trackers import tracked
from training.trainers import build_trainer
from training.watching import Watcher, as_callback, curve_points


def learn(
    spec: RunSpec,
    stage: StageConfig,
    rows: Rows,
    tokenizer: Any,
    progress: Progress,
    stop: Stop,
    *,
    held_out: Rows | None = None,
) -> Trained:
    """Train the parent model on rows as a resolved stage says, from the last whole checkpoint if there is one.

    With `early_stopping`, `held_out` are the rows that tell when to stop.

    Raises:
        OtherRunError: if the checkpoints in the work folder are those of another run.
        TrainingFailedError: if the loss is not a number any more.
        MemoryExhaustedError: if the device has no room for one row at a time.
        SystemExit: after a signal, once a checkpoint is written.
    """
    refuse_others(Path(spec.work_folder), name_checkpoints(spec.fingerprint))
    plan = plan_steps(stage, rows, seed=spec.stage_seed)
    progress.phase(f"{rows.num_rows} rows, {plan.num_steps} steps; loading the model")
    watcher = Watcher(spec, progress, stop, plan.num_steps)
    job = Job(
        spec=spec,
        stage=stage,
        rows=rows,
        order=plan.order,
        step_prompts=plan.step_prompts,
        tokenizer=tokenizer,
        num_steps=plan.num_steps,
        held_out=held_out,
        callback=as_callback(watcher),
        packs=plan.packs,
    )
    trainer = train_job(job, lambda fitting: _train_from_checkpoint(fitting, progress, stop), progress.phase)
    if stop.signal:
        raise SystemExit(128 + stop.signal)
    return _finish(spec, stage, trainer, tokenizer, rows.num_rows, watcher)


def _train_from_checkpoint(job: Job, progress: Progress, stop: Stop) -> Any:
    trainer, work = build_trainer(job), Path(job.spec.work_folder)
    if job.stage.tuning != "full":
        progress.phase(str(trainable_share(trainer.model)))
    if job.packs is None and tries_longest_batch(job):
        lengths = [job.rows.lengths[row] for row in job.order]
        try_longest_batch_first(trainer, lengths=lengths, batch_size=job.stage.batch_size or 1, say=progress.phase)
    checkpoint = find_checkpoint(work, name_checkpoints(job.spec.fingerprint))
    if checkpoint is None:
        remove_checkpoints(work)
    else:
        progress.phase(f"going on from {checkpoint.name}")
        if is_first_rank():
            shutil.rmtree(work / STAGING, ignore_errors=True)  # half-written when it was interrupted
    with tracked(trainer, job.spec, progress.phase):
        _train(trainer, checkpoint, job.stage, stop)
    if job.stage.early_stopping is not None and not stop.signal:
        take_best(trainer, job.spec, job.stage.early_stopping)
    return trainer


def _train(trainer: Any, checkpoint: Path | None, stage: StageConfig, stop: Stop) -> None:
    ended = was_over(checkpoint, stage.early_stopping)
    if ended is not None:
        trainer.state = ended
        return
    stop.can_finish = True
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    finally:
        stop.can_finish = False


class StepPlan(NamedTuple):
    """How long a run is, and which row comes when."""

    num_steps: int
    order: list[int]
    packs: PackPlan | None = None
    """The order of a run that is packed."""
    step_prompts: int = 0
    """For methods that write answers: prompts that are answered at once."""


def plan_steps(stage: StageConfig, rows: Rows, *, seed: int) -> StepPlan:
    """Return the optimizer steps of a resolved stage on these rows, for as many processes as there are."""
    assert stage.batch_size is not None
    assert stage.gradient_accumulation is not None
    if stage.method in PROMPT_METHODS:
        return _plan_prompts(stage, rows, seed=seed)
    world = world_size()
    if stage.packing:
        return _plan_packed(stage, rows, group=stage.gradient_accumulation * world, seed=seed)
    step_rows = stage.batch_size * stage.gradient_accumulation * world
    wanted = rows.num_rows * (stage.epochs or 1.0)
    num_steps = stage.max_steps or max(1, math.ceil(wanted / step_rows))
    planned = num_steps * step_rows if stage.max_steps else min(num_steps * step_rows, round(wanted))
    order = epoch_order(rows.lengths, num_rows=max(1, planned), batch_size=stage.batch_size * world, seed=seed)
    return StepPlan(num_steps, order)


def _plan_packed(stage: StageConfig, rows: Rows, *, group: int, seed: int) -> StepPlan:
    assert stage.tokens_per_batch is not None
    budget, epochs, max_steps = stage.tokens_per_batch, stage.epochs, stage.max_steps
    packs = plan_run(rows.lengths, budget=budget, group=group, epochs=epochs, max_steps=max_steps, seed=seed)
    return StepPlan(math.ceil(len(packs.packs) / group), [], packs)


def _plan_prompts(stage: StageConfig, rows: Rows, *, seed: int) -> StepPlan:
    """Plan by prompts: a step answers so many that all answers fill its batches, and each prompt of a group several times.

    Raises:
        ConfigError: if the batches of a step cannot be filled with whole groups.
    """
    num_answers = (stage.batch_size or 1) * (stage.gradient_accumulation or 1) * world_size()
    group = (stage.rl.num_generations if stage.rl else None) or 1
    problem = f"times batch_size times the processes must be a multiple of rl.num_generations ({group})"
    check(num_answers % group == 0, "gradient_accumulation", problem, stage.gradient_accumulation)
    own = num_answers // world_size()
    is_whole = own % group == 0 or not (stage.rl and stage.rl.resample_groups)
    check(
        is_whole, "rl.resample_groups", f"needs whole groups of {group} in each process: a batch_size times accumulation", own
    )
    prompts = num_answers // group
    reuse = stage.ppo.epochs if stage.ppo else 1
    wanted = rows.num_rows * (stage.epochs or 1.0)
    num_batches = math.ceil((stage.max_steps or 0) / reuse) or max(1, math.ceil(wanted / prompts))
    order = epoch_order(rows.lengths, num_rows=num_batches * prompts, batch_size=prompts, seed=seed)
    return StepPlan(stage.max_steps or num_batches * reuse, order, step_prompts=prompts)


def resolved_stage(spec: RunSpec) -> StageConfig:
    """Return the stage of a spec with its presets, for the size of its parent model.

    Raises:
        ModelNotFoundError: if there is no readable model.
        ConfigError: if adapters are to go on layers that it does not have.
    """
    assert isinstance(spec.config, StageConfig)
    size = read_size(spec.parent_model)
    check_targets(spec.config, spec.parent_model)
    return resolve_stage(spec.config, size).stage


def read_size(folder: str) -> ModelSize:
    """Return the size of the model in a folder, from its configuration and the heads of its weight files alone.

    Raises:
        ModelNotFoundError: if there is no readable model.
    """
    from safetensors import safe_open

    try:
        config = json.loads((Path(folder) / "config.json").read_bytes())
        context = int((config.get("text_config") or config)["max_position_embeddings"])
        num_parameters = 0
        for file in sorted(Path(folder).glob("*.safetensors")):
            with safe_open(file, framework="numpy") as weights:
                num_parameters += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    except Exception as error:  # OSError, ValueError, KeyError, SafetensorError, ...
        raise ModelNotFoundError(model=folder, reason=" ".join(str(error).split())[:300] or type(error).__name__) from error
    return ModelSize(num_parameters=num_parameters, context_length=context)


def _finish(spec: RunSpec, config: StageConfig, trainer: Any, tokenizer: Any, num_rows: int, watcher: Watcher) -> Trained:
    state = trainer.state
    curve = curve_points(state.log_history)
    write_timings(spec, seconds=round(watcher.seconds, 3), tokens_per_s=round(watcher.speed(state), 1))
    model = gather_model(trainer)
    if config.tuning != "full" and is_first_rank():
        model = _merge(spec, config, model)
    return Trained(
        model=model.to(_stored_dtype(spec.parent_model)) if model is not None and is_first_rank() else None,
        tokenizer=tokenizer,
        num_rows=num_rows,
        num_steps=state.global_step,
        trained_tokens=int(state.num_input_tokens_seen),
        loss_curve=curve,
    )


def _merge(spec: RunSpec, stage: StageConfig, model: Any) -> Any:
    """Keep the adapter, and return the model with it merged in: into the weights as they were, never into rounded ones."""
    adapter = model.peft_config["default"]
    adapter.base_model_name_or_path = spec.parent
    adapter.target_modules = sorted(adapter.target_modules)  # a set is written in any order
    model.save_pretrained(Path(spec.work_folder) / ADAPTER)
    import torch

    stored, held = _stored_dtype(spec.parent_model), model.get_input_embeddings().weight.dtype
    if stage.tuning == "qlora" or held not in (stored, torch.float32):
        model = _on_whole_weights(spec, stage, stored)
    return model.merge_and_unload(safe_merge=True)


def _on_whole_weights(spec: RunSpec, stage: StageConfig, dtype: Any) -> Any:
    import peft

    load = load_scorer if stage.method == "reward" else load_parent
    return peft.PeftModel.from_pretrained(load(spec.parent_model, dtype=dtype), Path(spec.work_folder) / ADAPTER)


def _stored_dtype(folder: str) -> Any:
    import torch
    from transformers import AutoConfig

    return AutoConfig.from_pretrained(folder, local_files_only=True).dtype or torch.float32
