"""Proximal policy optimisation with a value head (`ppo`): our own, since TRL has none any more.

One rollout: the model writes an answer to each prompt of a step, rewards score them, every token pays for leaving the
reference, generalised advantages are computed and whitened. Then `ppo.epochs` optimizer steps on those answers with the
clipped objective and the clipped value loss, and the next rollout. `training.methods.ppo_math` has formulas and sources.

It is a `transformers.Trainer`: checkpoints, resuming, callbacks and devices work as for all other methods. A checkpoint holds
the answers of its rollout, so that an interrupted run goes on with exactly these.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from training.methods.job import Job
from training.methods.ppo_math import (
    adapt_coefficient,
    estimate_advantages,
    masked_mean,
    policy_terms,
    token_rewards,
    value_terms,
    whiten,
)
from training.methods.rollout import Figures, Rollout, mask_answers, measure_answers, pad_answers, pad_prompts, read_answers
from training.methods.writing import AS_IT_IS, choose_engine, write_continuously
from training.rewards.reward import Answer, build_rewards, total_rewards


def build_ppo(job: Job) -> Any:
    """Return the trainer. Raises ModelNotFoundError."""
    import torch
    from transformers import Trainer, TrainingArguments

    class PpoTrainer(Trainer):  # type: ignore[misc]
        """The loop of `transformers`, with rollouts in place of batches."""

        def get_train_dataloader(self) -> Any:
            rows = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
            return self._get_dataloader(
                dataset=self.train_dataset,
                description="Training",
                batch_size=rows,
                sampler_fn=lambda data: torch.utils.data.SequentialSampler(data),
                is_training=True,
            )

        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            part = loop.next_part(self, inputs)
            return super().training_step(model, part, None)

        def _prepare_inputs(self, inputs: Any) -> Any:
            return inputs  # a part of the rollout is on its device already

        def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
            return loop.loss(model, inputs)

        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            super().log({**logs, **loop.take_metrics()}, start_time)

        def train(self, *args: Any, **kwargs: Any) -> Any:
            result = super().train(*args, **kwargs)
            loop.remove_value_head()
            return result

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            torch.save(loop.state(), folder / _state_name(self.args.process_index))

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            file = Path(resume_from_checkpoint) / _state_name(self.args.process_index)
            loop.load_state(torch.load(file, map_location=self.args.device, weights_only=True))

    loop = _Loop(job)
    arguments = {**job.arguments(), "include_num_input_tokens_seen": "no", "remove_unused_columns": False}
    trainer = PpoTrainer(
        model=loop.policy,
        args=TrainingArguments(**arguments),
        data_collator=list,
        **{**job.shared(), "train_dataset": _repeated(job)},
    )
    trainer.model_accepts_loss_kwargs = False  # so that the loss is divided by the accumulated batches
    if loop.reference is not None:
        loop.reference.to(trainer.args.device)
    return trainer


def _state_name(rank: int) -> str:
    return f"ppo-{rank}.pt"


def _repeated(job: Job) -> Any:
    """Return the prompts in the order in which the loop asks for them: each rollout's as often as batches are made of it."""
    from datasets import Dataset

    stage = job.stage
    assert stage.ppo is not None
    assert stage.gradient_accumulation is not None
    times = stage.ppo.epochs * stage.gradient_accumulation
    chunks = [job.order[start : start + job.step_prompts] for start in range(0, len(job.order), job.step_prompts)]
    order = [row for chunk in chunks for _ in range(times) for row in chunk]
    return Dataset.from_dict(job.rows.columns).select(order, keep_in_memory=True)


class _Loop:
    """What PPO keeps between two batches: policy, reference, rewards, the present rollout and the KL coefficient."""

    def __init__(self, job: Job) -> None:
        import torch

        stage = job.stage
        assert stage.rl is not None
        assert stage.ppo is not None
        self.job, self.rl, self.ppo = job, stage.rl, stage.ppo
        self.rewards = build_rewards(stage, job.spec.models, pad=job.tokenizer.pad_token_id)
        self.policy = job.load_adapted_policy()
        self.reference = job.load_reference()
        if self.reference is not None:
            self.reference.eval().requires_grad_(False)
        hidden = self.policy.config.get_text_config().hidden_size
        self.policy.value_head = torch.nn.Linear(hidden, 1)
        torch.nn.init.zeros_(self.policy.value_head.weight)
        torch.nn.init.zeros_(self.policy.value_head.bias)
        self.coefficient = float(stage.rl.kl_coefficient or 0.0)
        self.rollout: Rollout | None = None
        self.micro = 0
        self.metrics: dict[str, list[float]] = defaultdict(list)
        self.written: dict[str, float] = {}

    def next_part(self, trainer: Any, prompts: list[dict[str, Any]]) -> Rollout:
        """Return the answers of the next batch; written anew when those before were used as often as they may."""
        accumulated = trainer.args.gradient_accumulation_steps
        position = self.micro % accumulated
        if position == 0 and trainer.state.global_step % self.ppo.epochs == 0 or self.rollout is None:
            self.rollout = self._roll_out(trainer, prompts)
        self.micro += 1
        size = trainer.args.per_device_train_batch_size
        return self.rollout.rows(position * size, (position + 1) * size)

    def _roll_out(self, trainer: Any, prompts: list[dict[str, Any]]) -> Rollout:
        import torch

        policy = trainer.accelerator.unwrap_model(trainer.model)
        policy.eval()
        with torch.no_grad(), trainer.accelerator.autocast():
            written = self._write(policy, [list(row["prompt_ids"]) for row in prompts], trainer.args.device)
            head = self.value_head(policy)
            logps, values = read_answers(policy, written, value_head=head, temperature=self.rl.temperature)
            reference = self._read_reference(policy, written)
            scores, unfinished = self._score(prompts, written)
            rewards = token_rewards(scores, logps, reference, written.mask, kl_coefficient=self.coefficient)
            rewards = whiten(rewards, written.mask, keeps_mean=True) if self.ppo.whiten_rewards else rewards
            gamma, gae_lambda = self.ppo.gamma, self.ppo.gae_lambda
            estimated = estimate_advantages(rewards, values, written.mask, gamma=gamma, gae_lambda=gae_lambda)
        policy.train()
        kl = ((logps - reference) * written.mask).sum(dim=1)
        found = measure_answers(written, scores=scores, kl=kl, unfinished=unfinished, accelerator=trainer.accelerator)
        self._note(trainer, found, num_answers=len(prompts) * trainer.args.world_size)
        advantages = whiten(estimated.advantages, written.mask)
        kept = {"logps": logps, "values": values, "advantages": advantages, "returns": estimated.returns}
        return Rollout(**{**written.as_dict(), **kept})

    def _write(self, policy: Any, prompts: list[list[int]], device: Any) -> Rollout:
        """Let the model answer; log-probabilities and the rest follow."""
        from transformers import GenerationConfig

        pad = self.job.tokenizer.pad_token_id
        given = pad_prompts(prompts, pad=pad, device=device)
        generation = GenerationConfig(
            **AS_IT_IS,
            temperature=self.rl.temperature,
            max_new_tokens=self.rl.max_new_tokens,
            eos_token_id=self._end_ids(policy),
            pad_token_id=pad,
        )
        if choose_engine(self.job.stage, is_on_gpu=self.job.numerics().is_on_gpu) == "continuous":
            answers = pad_answers(write_continuously(policy, prompts, generation), pad=pad, device=device)
        else:
            ids = policy.generate(input_ids=given.ids, attention_mask=given.mask, generation_config=generation)
            answers = ids[:, given.ids.shape[1] :]
        mask = mask_answers(answers, self._end_ids(policy))
        answers = answers.masked_fill(mask == 0, pad)
        return Rollout(prompt_ids=given.ids, prompt_mask=given.mask, answer_ids=answers, mask=mask, logps=mask, values=mask,
                       advantages=mask, returns=mask)  # fmt: skip

    def _end_ids(self, policy: Any) -> list[int]:
        ends = policy.generation_config.eos_token_id
        return [ends] if isinstance(ends, int) else list(ends)

    def value_head(self, policy: Any) -> Any:
        """Return the value head of the unwrapped policy."""
        return policy.value_head

    def _read_reference(self, policy: Any, written: Rollout) -> Any:
        if self.reference is not None:
            return read_answers(self.reference, written, value_head=None, temperature=self.rl.temperature).logps
        with policy.disable_adapter():
            return read_answers(policy, written, value_head=None, temperature=self.rl.temperature).logps

    def _score(self, prompts: list[dict[str, Any]], written: Rollout) -> tuple[Any, Any]:
        """Return what each answer is worth, and whether it was cut."""
        import torch

        kept = [ids[mask > 0].tolist() for ids, mask in zip(written.answer_ids, written.mask, strict=True)]
        texts = self.job.tokenizer.batch_decode(kept, skip_special_tokens=True)
        answers = [
            Answer(list(row["prompt_ids"]), ids, text, row["reference"], row["grader"])
            for row, ids, text in zip(prompts, kept, texts, strict=True)
        ]
        ends, device = set(self._end_ids(self.policy)), written.mask.device
        unfinished = torch.tensor([not ids or ids[-1] not in ends for ids in kept], device=device)
        scores = torch.tensor(total_rewards(self.rewards, answers), device=device)
        return scores - self.ppo.unfinished_penalty * unfinished, unfinished

    def _note(self, trainer: Any, found: Figures, *, num_answers: int) -> None:
        self.written |= {"reward": found.reward, "kl": found.kl}
        self.written |= {"completions/mean_length": found.answer_tokens, "completions/clipped_ratio": found.unfinished}
        trainer.state.num_input_tokens_seen += found.num_tokens
        if self.ppo.target_kl is not None:
            target, horizon, kl = self.ppo.target_kl, self.ppo.kl_horizon, found.kl
            self.coefficient = adapt_coefficient(self.coefficient, kl, target=target, num_answers=num_answers, horizon=horizon)
            self.written["kl_coefficient"] = self.coefficient

    def loss(self, model: Any, part: Rollout) -> Any:
        """Return the loss of a part of the rollout; parts of one step add up to the mean over all its tokens."""
        assert self.rollout is not None
        policy = model.module if hasattr(model, "module") else model
        logps, values = read_answers(model, part, value_head=self.value_head(policy), temperature=self.rl.temperature)
        clip = self.rl.clip_range
        policy_part = policy_terms(logps, part.logps, part.advantages, clip_range=clip)
        value_part = value_terms(values, part.values, part.returns, clip_range=self.ppo.value_clip_range)
        num_parts = self.rollout.mask.shape[0] / part.mask.shape[0]
        share = num_parts / self.rollout.num_tokens.clamp(min=1)
        moved = ((logps - part.logps).exp() - 1).abs().detach() > clip
        self.metrics["clip_fraction"].append(masked_mean(moved.float(), part.mask).item())
        self.metrics["value_loss"].append(masked_mean(value_part.detach(), part.mask).item())
        return ((policy_part + self.ppo.value_coefficient * value_part) * part.mask).sum() * share

    def take_metrics(self) -> dict[str, float]:
        """Return the figures of the present rollout, and the means of its steps since they were taken last."""
        taken = {name: sum(values) / len(values) for name, values in self.metrics.items() if values}
        self.metrics.clear()
        return {**self.written, **taken}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint holds besides model and optimizer."""
        rollout = {} if self.rollout is None else self.rollout.as_dict()
        kept = {"rollout": rollout, "coefficient": self.coefficient, "written": self.written}
        return {"value_head": self.policy.value_head.state_dict(), **kept}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint holds."""
        self.policy.value_head.load_state_dict(state["value_head"])
        self.rollout = Rollout(**state["rollout"]) if state["rollout"] else None
        self.coefficient, self.written = state["coefficient"], state["written"]

    def remove_value_head(self) -> None:
        """Leave a plain language model."""
        if hasattr(self.policy, "value_head"):
            del self.policy.value_head
