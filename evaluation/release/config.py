"""The configuration of a release: what a candidate has to show, and in which forms it is handed on.

release: {metric: exact_match, minimum_difference: 0.05}
"""

import math
from typing import Literal

from curation.config import check, config
from evaluation.release.handover_config import HandoverConfig
from evaluation.release.mirror_config import MirrorsConfig
from evaluation.release.requirements import GuardConfig, RequirementConfig
from evaluation.tasks.metrics import Metric


@config
class ExportsConfig:
    """In which forms a champion is handed on. Each is compared with the model that was trained, or refused."""

    adapter: bool | None = None
    """The adapter alone, for vLLM; null: where the last stage trained one that vLLM can serve."""
    merged: bool = True
    """The whole model in safetensors, for Transformers and vLLM."""
    ollama: bool = True
    """A Modelfile beside the merged model."""
    gguf: bool = False
    """A GGUF file beside the merged model; needs llama.cpp's converter on PATH and the package `gguf`."""

    def __post_init__(self) -> None:
        check(self.merged or not self.ollama, "release.exports.ollama", "needs merged: true", self.ollama)
        check(self.merged or not self.gguf, "release.exports.gguf", "needs merged: true", self.gguf)
        check(self.merged or self.adapter is not False, "release.exports", "must ask for one form at least", self.merged)


@config
class ReleaseConfig:
    """When a candidate becomes the champion."""

    metric: Metric = "exact_match"
    """The metric that decides."""
    task: str = ""
    """The task that decides; empty: the first one."""
    minimum_difference: float = 0.0
    """The candidate must beat the base by more than this, with the lower bound of the interval."""
    alpha: float = 0.05
    """Largest p-value of the paired tests at which the candidate passes."""
    minimum_items: int = 50
    """With fewer held-out items nothing is decided."""
    against_champion: bool = True
    """Compare with the champion as well: it must not be worse by `champion_margin` or more."""
    champion_margin: float = 0.05
    """How far the lower bound of candidate minus champion may lie below 0."""
    requires: tuple[RequirementConfig, ...] = ()
    """Further metrics on which the base has to be beaten; p-values are corrected for being several (Holm)."""
    guards: tuple[GuardConfig, ...] = ()
    """Metrics, tasks and slices on which the candidate must not be worse by a margin."""
    max_p95_latency_s: float | None = None
    """Refuse a candidate whose 95th percentile of latency is higher, or was not measured; null: any."""
    max_cost_per_1000_usd: float | None = None
    """Refuse a candidate of which 1,000 answers cost more US dollars, or whose price is not known; null: any."""
    approval: Literal["none", "required"] = "none"
    """`required`: a candidate that passes waits until a person approves it (`tunewright release approve`)."""
    mirrors: MirrorsConfig = MirrorsConfig()
    """Where else the champion is made known."""
    exports: ExportsConfig = ExportsConfig()
    """In which forms a champion is handed on."""
    handover: HandoverConfig = HandoverConfig()
    """The gate's scores, measured again on each of these forms."""

    def __post_init__(self) -> None:
        check(0 <= self.minimum_difference < 1, "release.minimum_difference", "must lie in [0, 1)", self.minimum_difference)
        check(0 < self.alpha <= 0.2, "release.alpha", "must lie in (0, 0.2]", self.alpha)
        check(self.minimum_items >= 2, "release.minimum_items", "must be at least 2", self.minimum_items)
        check(0 <= self.champion_margin < 1, "release.champion_margin", "must lie in [0, 1)", self.champion_margin)
        for name in ("max_p95_latency_s", "max_cost_per_1000_usd"):
            value = getattr(self, name)
            check(value is None or (math.isfinite(value) and value > 0), f"release.{name}", "must be above 0", value)
