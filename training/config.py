"""The configuration of training: the base model and the stages that it goes through.

training:
  base: {hidden_size: 256, num_layers: 4, num_heads: 4}   # or {model: meta-llama/Llama-3.2-1B}
  dapt: {epochs: 2, learning_rate: 0.002, method: full}
  sft: {epochs: 3, learning_rate: 0.001, method: full}
  preference: {max_steps: 20, beta: 0.1}
"""

from typing import Literal

from curation.config import check, config

Stage = Literal["base", "dapt", "sft", "preference"]
Method = Literal["full", "lora"]
Precision = Literal["auto", "bf16", "fp32"]


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


@config
class LoraConfig:
    """Low-rank adapters on every linear layer but the output head."""

    rank: int = 16
    """Rank of the update matrices."""

    alpha: float = 32.0
    """Scale: the update counts alpha / rank times."""

    dropout: float = 0.0
    """Dropout in front of the adapters, 0 to 0.9."""

    def __post_init__(self) -> None:
        check(self.rank >= 1, "lora.rank", "must be at least 1", self.rank)
        check(self.alpha > 0, "lora.alpha", "must be above 0", self.alpha)
        check(0 <= self.dropout <= 0.9, "lora.dropout", "must lie in [0, 0.9]", self.dropout)


@config
class DaptConfig:
    """Domain-adaptive pre-training on the documents (every token is learnt)."""

    epochs: float = 1.0
    """Passes over the data; not used when `max_steps` is given."""

    max_steps: int | None = None
    """Optimizer steps instead of epochs."""

    learning_rate: float = 0.0002
    """Highest learning rate; it rises linearly, then falls along a cosine to 0."""

    warmup_ratio: float = 0.05
    """Share of the steps during which the learning rate rises."""

    batch_size: int = 4
    """Blocks that a device sees at once."""

    gradient_accumulation: int = 4
    """Batches added up before one optimizer step."""

    skip_sections: tuple[str, ...] = ()
    """Kinds of document sections that are left out, such as `examples`."""

    max_length: int = 1024
    """Length of a block in tokens; documents are packed into blocks with an end-of-text token between them."""

    weight_decay: float = 0.0
    """AdamW weight decay."""

    method: Method = "lora"
    """`full` trains all weights, `lora` adapters which are merged afterwards."""

    lora: LoraConfig = LoraConfig()
    """The adapters when `method` is `lora`."""

    precision: Precision = "auto"
    """`auto` is bf16 on a GPU that can, fp32 elsewhere."""

    gradient_checkpointing: bool = True
    """Recompute activations: less memory, about a third slower."""

    seed: int | None = None
    """Seed of order, dropout and adapters; None takes that of the training section."""

    checkpoint_every_steps: int = 200
    """Steps between checkpoints from which an interrupted run goes on; 0 makes none but at a signal."""

    def __post_init__(self) -> None:
        _check_stage("dapt", self)


@config
class SftConfig:
    """Supervised fine-tuning on the examples (only the answer is learnt)."""

    epochs: float = 2.0
    """Passes over the data; not used when `max_steps` is given."""

    max_steps: int | None = None
    """Optimizer steps instead of epochs."""

    learning_rate: float = 0.0002
    """Highest learning rate; it rises linearly, then falls along a cosine to 0."""

    warmup_ratio: float = 0.05
    """Share of the steps during which the learning rate rises."""

    batch_size: int = 4
    """Examples that a device sees at once."""

    gradient_accumulation: int = 4
    """Batches added up before one optimizer step."""

    max_length: int = 1024
    """Longest example in tokens; longer ones are rejected, never cut."""

    weight_decay: float = 0.0
    """AdamW weight decay."""

    method: Method = "lora"
    """`full` trains all weights, `lora` adapters which are merged afterwards."""

    lora: LoraConfig = LoraConfig()
    """The adapters when `method` is `lora`."""

    precision: Precision = "auto"
    """`auto` is bf16 on a GPU that can, fp32 elsewhere."""

    gradient_checkpointing: bool = True
    """Recompute activations: less memory, about a third slower."""

    seed: int | None = None
    """Seed of order, dropout and adapters; None takes that of the training section."""

    checkpoint_every_steps: int = 200
    """Steps between checkpoints from which an interrupted run goes on; 0 makes none but at a signal."""

    def __post_init__(self) -> None:
        _check_stage("sft", self)


@config
class PreferenceConfig:
    """Direct preference optimisation (DPO) on the pairs, with the SFT model as the reference."""

    epochs: float = 1.0
    """Passes over the data; not used when `max_steps` is given."""

    max_steps: int | None = None
    """Optimizer steps instead of epochs."""

    learning_rate: float = 0.000005
    """Highest learning rate; it rises linearly, then falls along a cosine to 0."""

    warmup_ratio: float = 0.05
    """Share of the steps during which the learning rate rises."""

    batch_size: int = 4
    """Pairs that a device sees at once."""

    gradient_accumulation: int = 4
    """Batches added up before one optimizer step."""

    max_length: int = 1024
    """Longest prompt with answer in tokens; longer pairs are rejected, never cut."""

    weight_decay: float = 0.0
    """AdamW weight decay."""

    method: Method = "lora"
    """`full` trains all weights, `lora` adapters which are merged afterwards."""

    lora: LoraConfig = LoraConfig()
    """The adapters when `method` is `lora`."""

    precision: Precision = "auto"
    """`auto` is bf16 on a GPU that can, fp32 elsewhere."""

    gradient_checkpointing: bool = True
    """Recompute activations: less memory, about a third slower."""

    seed: int | None = None
    """Seed of order, dropout and adapters; None takes that of the training section."""

    checkpoint_every_steps: int = 200
    """Steps between checkpoints from which an interrupted run goes on; 0 makes none but at a signal."""

    beta: float = 0.1
    """How strongly the model is held to the reference, above 0."""

    def __post_init__(self) -> None:
        _check_stage("preference", self)
        check(0 < self.beta <= 100, "preference.beta", "must lie in (0, 100]", self.beta)


StageConfig = DaptConfig | SftConfig | PreferenceConfig


def _check_stage(section: str, stage: "StageConfig") -> None:
    limits = (
        (0 < stage.epochs <= 10_000, "epochs", "must lie in (0, 10000]"),
        (stage.max_steps is None or stage.max_steps >= 1, "max_steps", "must be at least 1"),
        (0 < stage.learning_rate < 1, "learning_rate", "must lie in (0, 1)"),
        (0 <= stage.warmup_ratio < 1, "warmup_ratio", "must lie in [0, 1)"),
        (stage.batch_size >= 1, "batch_size", "must be at least 1"),
        (stage.gradient_accumulation >= 1, "gradient_accumulation", "must be at least 1"),
        (stage.max_length >= 8, "max_length", "must be at least 8"),
        (0 <= stage.weight_decay <= 10, "weight_decay", "must lie in [0, 10]"),
        (stage.seed is None or 0 <= stage.seed < 2**32, "seed", "must lie in [0, 2**32)"),
        (stage.checkpoint_every_steps >= 0, "checkpoint_every_steps", "must not be negative"),
    )
    for holds, name, problem in limits:
        check(holds, f"{section}.{name}", problem, getattr(stage, name))


@config
class TrainingConfig:
    """The base model, and the stages that the recipe asks for: DAPT, then SFT, then DPO."""

    base: BaseModelConfig = BaseModelConfig()
    """Where training starts."""

    dapt: DaptConfig | None = None
    """Pre-training on the documents; left out: the base goes straight to SFT."""

    sft: SftConfig = SftConfig()
    """Fine-tuning on the examples."""

    preference: PreferenceConfig | None = None
    """Preference tuning on the pairs; left out: the SFT model is the result."""

    seed: int = 0
    """Seed of the small base model, and of every stage that has none of its own."""

    processes: int = 1
    """Training processes on this host, one a GPU; more than one starts them through `accelerate launch`."""

    def __post_init__(self) -> None:
        check(0 <= self.seed < 2**32, "training.seed", "must lie in [0, 2**32)", self.seed)
        check(1 <= self.processes <= 64, "training.processes", "must lie in [1, 64]", self.processes)
        for section in (self.dapt, self.sft, self.preference):
            if section is not None and self.base.model is None:
                longest = self.base.context_length
                fits = section.max_length <= longest
                check(fits, "training", f"a max_length is above base.context_length ({longest})", section.max_length)
