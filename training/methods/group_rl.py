"""Reinforcement learning from groups of answers, `grpo` and `rloo`, through TRL's trainers on prompts tokenised already.

A group whose answers all get the same reward teaches nothing: its advantages are 0. The curve says how many there are
(`zero_variance`), and with `rl.resample_groups` others are written in their place (`resampled`: how many were).
"""

from collections.abc import Callable
from typing import Any

from training.methods.group_sampling import GroupSampler
from training.methods.job import Job
from training.methods.writing import AS_IT_IS, choose_engine, write_continuously
from training.rewards.reward import Answer, Reward, build_rewards


def build_group_rl(job: Job) -> Any:
    """Return the trainer of `grpo` (arXiv:2402.03300) or `rloo` (arXiv:2402.14740). Raises ModelNotFoundError.

    The loss of `grpo` is a mean over all tokens of the step, not over its answers (DAPO, arXiv:2503.14476, section 3.3).
    """
    from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
    from trl.models import unwrap_model_for_generation

    parent: Any = GRPOTrainer if job.stage.method == "grpo" else RLOOTrainer

    class PromptTrainer(parent):  # type: ignore[misc]
        """TRL's trainer on prompts that are tokenised already."""

        def _tokenize_prompts(self, prompts: list[list[int]]) -> tuple[list[list[int]], None, dict[str, Any]]:
            return [list(prompt) for prompt in prompts], None, {}

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

        def _generate_single_turn(self, prompt_ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
            if engine != "continuous":
                return super()._generate_single_turn(prompt_ids, *args, **kwargs)
            checkpointing = self.args.gradient_checkpointing_kwargs
            with unwrap_model_for_generation(
                self.model_wrapped, self.accelerator, gradient_checkpointing_kwargs=checkpointing
            ) as model:
                answers = write_continuously(model, prompt_ids, self.generation_config)
            return (answers, None) if job.stage.method == "grpo" else answers  # grpo may return what the engine thought of it

        def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Any:
            sampler.scores = super()._calculate_rewards(*args, **kwargs)
            return sampler.scores

        def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
            write = super()._generate_and_score_completions
            return sampler.fill(self, inputs, write(inputs), write)

    engine = choose_engine(job.stage, is_on_gpu=job.numerics().is_on_gpu)
    sampler = GroupSampler(job.stage, seed=job.spec.stage_seed, pad=job.tokenizer.pad_token_id)
    rewards = build_rewards(job.stage, job.spec.models, pad=job.tokenizer.pad_token_id)
    own: dict[str, Any] = {"loss_type": "dapo"} if job.stage.method == "grpo" else {}
    config: Any = GRPOConfig if job.stage.method == "grpo" else RLOOConfig
    own |= {"use_vllm": True} if engine == "vllm" else {"generation_kwargs": {**AS_IT_IS}}  # vLLM is told all that it heeds
    args = config(**_arguments(job), **own, reward_weights=[reward.weight for reward in rewards])
    return PromptTrainer(
        model=job.load_policy(),
        reward_funcs=[as_reward_function(reward) for reward in rewards],
        args=args,
        peft_config=job.adapter(),
        **job.shared(),
    )


def _rl(job: Job) -> Any:
    assert job.stage.rl is not None
    return job.stage.rl


def _arguments(job: Job) -> dict[str, Any]:
    rl = _rl(job)
    return {
        **job.arguments(),
        "include_num_input_tokens_seen": "no",  # the trainer counts what it writes
        "num_generations": rl.num_generations,
        "max_completion_length": rl.max_new_tokens,
        "temperature": rl.temperature,
        "beta": rl.kl_coefficient,
        "shuffle_dataset": False,  # the prompts are in the order of `epoch_order`
        "remove_unused_columns": False,
        "pad_to_multiple_of": 8 if job.numerics().is_on_gpu else None,
    }


def as_reward_function(reward: Reward) -> Callable[..., list[float]]:
    """Return a part of the reward as TRL calls it."""

    def scored(
        prompts: list[list[int]],
        completions: list[str],
        completion_ids: list[list[int]],
        reference: list[str],
        grader: list[str],
        **_: Any,
    ) -> list[float]:
        rows = zip(prompts, completion_ids, completions, reference, grader, strict=True)
        return reward.score([Answer(*row) for row in rows])

    scored.__name__ = reward.name
    return scored
