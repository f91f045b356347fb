"""How a stage trains, as far as memory is concerned.

RunShape(tokens_per_micro_batch=8192, longest_row=4096, tuning="lora", rank=16, is_checkpointed=False, is_liger=True)
"""

from typing import Literal

from curation.config import check, config
from training.memory.model_shape import LINEAR_NAMES

TuningName = Literal["full", "lora", "qlora"]
OptimizerName = Literal["adamw", "adamw_8bit", "paged_adamw_8bit"]
PrecisionName = Literal["bf16", "mixed", "fp32"]
AttentionName = Literal["varlen", "flash", "sdpa", "eager"]
ShardingName = Literal["none", "zero2", "zero3"]


@config
class RunShape:
    """What of a run's settings determines its peak memory, on one device."""

    tokens_per_micro_batch: int
    """Tokens that go through the model at once, padding included; both answers of a pair count."""

    longest_row: int
    """Longest row in tokens: what a dense attention mask or score matrix is as wide as."""

    tuning: TuningName = "lora"
    """`full` trains all weights; `lora` adapters on a bf16 base; `qlora` adapters on an NF4 base."""

    rank: int = 16
    """Rank of the adapters."""

    target_modules: tuple[str, ...] = LINEAR_NAMES
    """Weight matrices that get adapters."""

    is_checkpointed: bool = False
    """Whether only the input of each layer is kept, and the layer computed again for the backward pass."""

    num_checkpointed: int | None = None
    """With `is_checkpointed`: how many layers, counted from the first; None: all. The others keep what they computed."""

    is_offloaded: bool = False
    """Whether what checkpointing keeps waits in the memory of the host."""

    optimizer: OptimizerName = "adamw"
    """`adamw` keeps two moments in the precision of the weights, `adamw_8bit` in one byte each;
    `paged_adamw_8bit` in the memory of the host when the device has no room."""

    is_optimizer_in_backward: bool = False
    """Whether each weight is stepped as soon as its gradient is there, which is then dropped."""

    accumulation: int = 1
    """Micro-batches in one optimizer step; above 1, gradients of earlier ones stand beside the activations."""

    is_liger: bool = False
    """Whether norms, rotary embeddings and the gate are fused kernels that save less."""

    is_gate_fused: bool = False
    """Whether adapters and the gated block are one step each (`training.kernels`): the product is computed again."""

    is_packed: bool = False
    """Whether packed rows go through `training.kernels`: query heads share a key head as it is, and the head has its tiles."""

    is_head_fused: bool = True
    """Whether the loss is computed in tiles, so that the logits never exist as a whole."""

    attention: AttentionName = "varlen"
    """Kernel; `varlen` repeats keys and values for each query head unless packed, `flash` never; the others build masks too."""

    precision: PrecisionName = "bf16"
    """`bf16` stores and computes in bf16; `mixed` stores in fp32 and computes in bf16; `fp32` does neither."""

    is_adapter_fp32: bool = False
    """Whether adapters are stored in fp32, as PEFT does unless told; if not fused, each keeps a copy of its input."""

    has_reference: bool = False
    """Whether the model as it was is asked as well: a whole copy in full fine-tuning, the base without adapters otherwise."""

    num_frozen_copies: int = 0
    """Further whole models that only answer, taken to be of the same size: reward models, a teacher."""

    world_size: int = 1
    """Devices that work together."""

    sharding: ShardingName = "none"
    """`zero2` spreads gradients and optimizer over the devices, `zero3` (also FSDP2) the weights as well."""

    def __post_init__(self) -> None:
        check(self.tokens_per_micro_batch >= 1, "tokens_per_micro_batch", "must be at least 1", self.tokens_per_micro_batch)
        fits = 1 <= self.longest_row <= self.tokens_per_micro_batch
        check(fits, "longest_row", "must lie in [1, tokens_per_micro_batch]", self.longest_row)
        check(self.rank >= 1, "rank", "must be at least 1", self.rank)
        unknown = sorted(set(self.target_modules) - set(LINEAR_NAMES))
        check(not unknown, "target_modules", f"must be some of {', '.join(LINEAR_NAMES)}", unknown)
        check(self.accumulation >= 1, "accumulation", "must be at least 1", self.accumulation)
        check(self.world_size >= 1, "world_size", "must be at least 1", self.world_size)
        check(self.num_frozen_copies >= 0, "num_frozen_copies", "must not be negative", self.num_frozen_copies)
        holds = not self.is_offloaded or self.is_checkpointed
        check(holds, "is_offloaded", "needs is_checkpointed", self.is_offloaded)
        is_some = self.num_checkpointed is not None
        counts = not is_some or (self.is_checkpointed and not self.is_offloaded and (self.num_checkpointed or 0) >= 1)
        check(
            counts,
            "num_checkpointed",
            "must be at least 1, with is_checkpointed and what it keeps on the device",
            self.num_checkpointed,
        )
        cannot = self.is_optimizer_in_backward and self.accumulation > 1
        check(not cannot, "accumulation", "must be 1 when the optimizer steps in the backward pass", self.accumulation)
        is_mixed_adapter = self.tuning != "full" and self.precision == "mixed"
        check(not is_mixed_adapter, "precision", "must be bf16 or fp32 for a frozen base", self.precision)

    @property
    def compute_bytes(self) -> int:
        """Bytes of a value that a layer computes."""
        return 4 if self.precision == "fp32" else 2

    @property
    def stored_bytes(self) -> int:
        """Bytes of a stored weight (of the base, where that is frozen and not quantized)."""
        return 2 if self.precision == "bf16" else 4

    @property
    def trainable_bytes(self) -> int:
        """Bytes of a weight that is trained, and of its gradient."""
        return 4 if self.tuning != "full" and self.is_adapter_fp32 else self.stored_bytes

    def count_checkpointed(self, num_layers: int) -> int:
        """Return how many of a model's layers are computed again."""
        if not self.is_checkpointed:
            return 0
        return num_layers if self.num_checkpointed is None else min(self.num_checkpointed, num_layers)

    @property
    def is_adapter(self) -> bool:
        """Whether the base is frozen."""
        return self.tuning != "full"
