"""Learning from pairs of answers, and from single rated ones, on rows that are tokenised by our own chat format.

build_preference(job)     dpo: sigmoid and ipo through TRL's DPOTrainer, simpo through its CPOTrainer
build_odds_ratio(job)     orpo, through TRL's ORPOTrainer
build_rated(job)          kto, through TRL's KTOTrainer
"""

from typing import Any

from training.config import KtoConfig
from training.methods.job import Job
from training.methods.packed_pairs import build_packed_pairs


def build_preference(job: Job) -> Any:
    """Return the trainer of `dpo` for the loss that the stage names. Raises ModelNotFoundError."""
    assert job.stage.preference is not None
    if job.packs is not None:
        return build_packed_pairs(job)
    return _build_simpo(job) if job.stage.preference.loss == "simpo" else _build_dpo(job)


def _build_dpo(job: Job) -> Any:
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        """TRL's trainer on pairs that are tokenised already."""

        def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
            return dataset

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    settings = job.stage.preference
    assert settings is not None
    args = DPOConfig(**job.arguments(), **job.row_arguments(), beta=settings.beta, loss_type=settings.loss)
    reference = job.load_reference()
    return PairTrainer(model=job.load_policy(), ref_model=reference, args=args, peft_config=job.adapter(), **job.shared())


def _build_simpo(job: Job) -> Any:
    from trl.experimental.cpo import CPOConfig, CPOTrainer

    class PairTrainer(CPOTrainer):  # type: ignore[misc]
        """TRL's trainer on pairs that are tokenised already."""

        def tokenize_row(self, feature: dict[str, Any], model: Any = None) -> dict[str, Any]:
            return pair_columns(feature)

        def _track_num_input_tokens(self, inputs: Any) -> None:
            _count_pairs(self, inputs)

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    settings = job.stage.preference
    assert settings is not None
    simpo = {"loss_type": "simpo", "cpo_alpha": 0.0, "beta": settings.beta, "simpo_gamma": settings.gamma}
    args = CPOConfig(**job.arguments(), **simpo, max_length=job.stage.max_length)
    return PairTrainer(model=job.load_policy(), args=args, peft_config=job.adapter(), **job.shared())


def build_odds_ratio(job: Job) -> Any:
    """Return the trainer of `orpo` (Hong et al. 2024, arXiv:2403.07691). Raises ModelNotFoundError."""
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer

    class PairTrainer(ORPOTrainer):  # type: ignore[misc]
        """TRL's trainer on pairs that are tokenised already."""

        def tokenize_row(self, feature: dict[str, Any], model: Any = None) -> dict[str, Any]:
            return pair_columns(feature)

        def _track_num_input_tokens(self, inputs: Any) -> None:
            _count_pairs(self, inputs)

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    assert job.stage.orpo is not None
    args = ORPOConfig(**job.arguments(), beta=job.stage.orpo.odds_weight, max_length=job.stage.max_length)
    return PairTrainer(model=job.load_policy(), args=args, peft_config=job.adapter(), **job.shared())


def _count_pairs(trainer: Any, inputs: Any) -> None:
    """Count both answers with their prompts: `transformers` looks for `input_ids`, finds none here, and counts nothing."""
    read = sum(inputs[f"{side}_attention_mask"].sum() for side in ("chosen", "rejected"))
    trainer.state.num_input_tokens_seen += int(trainer.accelerator.gather(read).sum().item())


def pair_columns(row: dict[str, Any]) -> dict[str, Any]:
    """Return a pair as TRL's older trainers name it; prompts are masked in the labels."""
    prompt = row["prompt_ids"]
    columns: dict[str, Any] = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
    for side in ("chosen", "rejected"):
        answer = row[f"{side}_ids"]
        columns[f"{side}_input_ids"] = prompt + answer
        columns[f"{side}_attention_mask"] = [1] * (len(prompt) + len(answer))
        columns[f"{side}_labels"] = [-100] * len(prompt) + answer
    return columns


def build_rated(job: Job) -> Any:
    """Return the trainer of `kto` (Ethayarajh et al. 2024, arXiv:2402.01306). Raises ModelNotFoundError."""
    from trl import KTOConfig, KTOTrainer

    class RatedTrainer(KTOTrainer):  # type: ignore[misc]
        """TRL's trainer on rated answers that are tokenised already."""

        def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
            answers = dataset["completion_ids"]
            return dataset.add_column("KL_completion_ids", rotate_answers(list(answers), args.per_device_train_batch_size))

        def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
            """Write none: the cards are written from the evidence, at release."""

    assert job.stage.kto is not None
    good, bad = balance_weights(job.stage.kto, job.rows.columns["label"])
    weights = {"beta": job.stage.kto.beta, "desirable_weight": good, "undesirable_weight": bad}
    args = KTOConfig(**job.arguments(), **job.row_arguments(), **weights)
    reference = job.load_reference()
    return RatedTrainer(model=job.load_policy(), ref_model=reference, args=args, peft_config=job.adapter(), **job.shared())


def rotate_answers(answers: list[list[int]], batch_size: int) -> list[list[int]]:
    """Give each prompt of a batch the answer of another one: KTO estimates the divergence from such mismatched pairs."""
    rotated: list[list[int]] = []
    for start in range(0, len(answers), batch_size):
        batch = answers[start : start + batch_size]
        rotated += [batch[-1], *batch[:-1]]
    return rotated


def balance_weights(settings: KtoConfig, labels: list[bool]) -> tuple[float, float]:
    """Return the weights of good and bad answers; what is left open makes both kinds weigh the same in all (equation 8)."""
    num_good = max(1, sum(labels))
    num_bad = max(1, len(labels) - sum(labels))
    good, bad = settings.desirable_weight, settings.undesirable_weight
    if good is None and bad is None:
        return max(1.0, num_bad / num_good), max(1.0, num_good / num_bad)
    if good is None:
        assert bad is not None
        return bad * num_bad / num_good, bad
    return good, good * num_good / num_bad if bad is None else bad
