"""The model that training starts from: `BaseModelConfig(model="meta-llama/Llama-3.2-1B")`, or the size of a small Llama."""

from curation.config import check, config


@config
class BaseModelConfig:
    """The model that training starts from: a named one, or a small Llama built on the spot."""

    model: str | None = None
    """Hub name or local folder of a causal language model; None builds a small Llama, which needs no download."""

    revision: str | None = None
    """Commit, tag or branch of a Hub model; None takes its main branch."""

    hidden_size: int = 256
    """Width of the small Llama, a multiple of `num_heads`."""

    num_layers: int = 4
    """Depth of the small Llama."""

    num_heads: int = 4
    """Attention heads of the small Llama."""

    vocab_size: int = 2048
    """Size of the byte-level BPE vocabulary trained for the small Llama, special tokens included."""

    context_length: int = 1024
    """Longest text of the small Llama in tokens."""

    def __post_init__(self) -> None:
        check(self.model is None or bool(self.model.strip()), "base.model", "must name a model, or be left out", self.model)
        check(
            self.revision is None or self.model is not None, "base.revision", "has no effect without base.model", self.revision
        )
        check(self.num_heads >= 1, "base.num_heads", "must be at least 1", self.num_heads)
        width = self.hidden_size
        fits = width >= 8 and width % (2 * self.num_heads) == 0
        check(fits, "base.hidden_size", "must be at least 8 and a multiple of 2 * num_heads", width)
        check(self.num_layers >= 1, "base.num_layers", "must be at least 1", self.num_layers)
        check(300 <= self.vocab_size <= 1_000_000, "base.vocab_size", "must lie in [300, 1000000]", self.vocab_size)
        check(16 <= self.context_length <= 1_000_000, "base.context_length", "must lie in [16, 1000000]", self.context_length)
