"""Which weights are trained when not all are: low-rank adapters, merged into the model when the stage is done.

lora: {rank: 32, alpha: 64, rslora: true}
quantization: {kind: nf4, double: true}       # of the frozen weights under them, where `tuning` is qlora
"""

from typing import Literal

from curation.config import check, config


@config
class LoraConfig:
    """Low-rank adapters (Hu et al. 2021, arXiv:2106.09685) on every linear layer but the output head."""

    rank: int = 16
    """Rank of the update matrices."""

    alpha: float = 32.0
    """Scale: the update counts alpha / rank times (with `rslora` alpha / sqrt(rank) times)."""

    dropout: float = 0.0
    """Dropout in front of the adapters, 0 to 0.9."""

    targets: tuple[str, ...] = ()
    """Names of the layers that get adapters, such as `q_proj`; empty: all linear layers, which learns best (Dettmers et al.
    2023, arXiv:2305.14314, section 4)."""

    rslora: bool = False
    """Scale by the square root of the rank, so that high ranks learn as fast as low ones (Kalajdzievski 2023,
    arXiv:2312.03732)."""

    dora: bool = False
    """Train magnitude and direction apart (DoRA, Liu et al. 2024, arXiv:2402.09353): slower, better at low ranks."""

    def __post_init__(self) -> None:
        check(self.rank >= 1, "lora.rank", "must be at least 1", self.rank)
        check(self.alpha > 0, "lora.alpha", "must be above 0", self.alpha)
        check(0 <= self.dropout <= 0.9, "lora.dropout", "must lie in [0, 0.9]", self.dropout)
        named = all(name.strip() for name in self.targets)
        check(
            named and len(set(self.targets)) == len(self.targets), "lora.targets", "must name layers, each once", self.targets
        )


@config
class QuantizationConfig:
    """How the frozen weights are stored under adapters (QLoRA, Dettmers et al. 2023, arXiv:2305.14314); computing is bf16."""

    kind: Literal["nf4", "fp4"] = "nf4"
    """Four-bit data type; `nf4` fits weights that are normally distributed."""

    double: bool = True
    """Quantise the scales as well: 0.4 bits a parameter less."""
