"""Settings that only some methods have, one section a family.

{method: dpo, preference: {loss: simpo, beta: 2.0, gamma: 1.0}}
{method: kto, kto: {beta: 0.1}}
"""

from typing import Literal

from curation.config import check, config

PreferenceLoss = Literal["sigmoid", "ipo", "simpo"]


@config
class PreferenceConfig:
    """Learning from pairs of answers (DPO and its relatives)."""

    loss: PreferenceLoss = "sigmoid"
    """`sigmoid` is DPO (Rafailov et al. 2023, arXiv:2305.18290); `ipo` does not overfit on pairs that all agree (Azar et al.
    2023, arXiv:2310.12036); `simpo` needs no reference model and compares log-probabilities a token (Meng et al. 2024,
    arXiv:2405.14734)."""

    beta: float | None = None
    """How strongly the model is held to the one that it starts from, above 0 (for `simpo` the scale of the reward). Null: 0.1
    as in both papers, and 2.0 for `simpo`."""

    gamma: float | None = None
    """For `simpo`: by how much the preferred answer has to lead. Null: half of beta, as the paper advises."""

    def __post_init__(self) -> None:
        check(self.beta is None or 0 < self.beta <= 100, "preference.beta", "must lie in (0, 100]", self.beta)
        check(self.gamma is None or 0 <= self.gamma <= 100, "preference.gamma", "must lie in [0, 100]", self.gamma)
        has_effect = self.gamma is None or self.loss == "simpo"
        check(has_effect, "preference.gamma", f"has no effect for loss '{self.loss}'; it counts for simpo", self.gamma)


@config
class SftConfig:
    """Which tokens of a conversation are learnt."""

    learns: Literal["answer", "assistant"] = "answer"
    """`answer`: the last turn. `assistant`: all turns of the assistant in conversations of several turns; each is learnt as the
    answer to what stands before it, which the chat template has to render in the same way."""


@config
class KtoConfig:
    """Learning from single answers that were rated good or bad (Ethayarajh et al. 2024, arXiv:2402.01306)."""

    beta: float = 0.1
    """How strongly the model is held to the one that it starts from, above 0."""

    desirable_weight: float | None = None
    """Weight of good answers. Null: so that both kinds weigh the same however many there are (equation 8)."""

    undesirable_weight: float | None = None
    """Weight of bad answers; null as above."""

    def __post_init__(self) -> None:
        check(0 < self.beta <= 100, "kto.beta", "must lie in (0, 100]", self.beta)
        for name in ("desirable_weight", "undesirable_weight"):
            weight = getattr(self, name)
            check(weight is None or 0 < weight <= 1000, f"kto.{name}", "must lie in (0, 1000]", weight)


@config
class OrpoConfig:
    """Odds ratio preference optimisation (Hong et al. 2024, arXiv:2403.07691)."""

    odds_weight: float = 0.1
    """Weight of the odds ratio beside the likelihood of the preferred answer (lambda in the paper), above 0."""

    def __post_init__(self) -> None:
        check(0 < self.odds_weight <= 100, "orpo.odds_weight", "must lie in (0, 100]", self.odds_weight)


@config
class RewardModelConfig:
    """A reward model by Bradley and Terry: the preferred answer scores higher (Ouyang et al. 2022, arXiv:2203.02155)."""

    centering: float = 0.01
    """Holds the scores of a pair around 0, which is where reinforcement learning wants them (Eisenstein et al. 2023,
    arXiv:2312.09244); 0 does not."""

    def __post_init__(self) -> None:
        check(0 <= self.centering <= 10, "reward_model.centering", "must lie in [0, 10]", self.centering)


@config
class DistillationConfig:
    """On-policy distillation: the model writes, the teacher says how likely that is (Agarwal et al. 2023, arXiv:2306.13649)."""

    teacher: str
    """Name of an earlier model of the recipe, Hub name, or local folder; its vocabulary has to be that of the model."""

    mode_seeking: float = 1.0
    """1 is the reverse divergence (the model keeps to what the teacher finds likely), 0 the forward one (it covers all that the
    teacher would say), between them the generalised Jensen-Shannon divergence."""

    max_new_tokens: int = 256
    """Longest answer that is written."""

    temperature: float = 1.0
    """Of writing and of the comparison."""

    def __post_init__(self) -> None:
        check(bool(self.teacher.strip()), "distillation.teacher", "must name a model", self.teacher)
        check(0 <= self.mode_seeking <= 1, "distillation.mode_seeking", "must lie in [0, 1]", self.mode_seeking)
        check(self.max_new_tokens >= 1, "distillation.max_new_tokens", "must be at least 1", self.max_new_tokens)
        check(0 < self.temperature <= 10, "distillation.temperature", "must lie in (0, 10]", self.temperature)
