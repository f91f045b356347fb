"""Rules about the mesh of devices, batches, adapters and precision."""

from training.config.stage import STEPPED_IN_BACKWARD
from training.scale.situation import GROUPED, ONLINE, Rule, Situation

CONTEXT_METHODS = ("dapt", "sft")
"""Methods whose trainer can share one row out over devices (TRL 1.16: grpo_config.py:1071, rloo_config.py:642)."""


def _mesh(now: Situation, name: str) -> int:
    value: int = getattr(now.layout.scale.parallel, name)
    return value


def _needs_fsdp(name: str) -> Rule:
    return Rule(
        f"{name}_needs_fsdp",
        f"scale.parallel.{name}",
        lambda now: _mesh(now, name) > 1 and now.layout.strategy != "fsdp2",
        lambda now: _mesh(now, name),
        "only counts with strategy fsdp2",
        "use strategy: fsdp2, or leave it out",
    )


MESH_RULES = (
    Rule(
        "mesh_product",
        "scale.parallel",
        lambda now: now.layout.scale.parallel.fixed * now.layout.shard != now.world_size,
        lambda now: f"{_mesh(now, 'replicate')} x {now.layout.shard} x {_mesh(now, 'context')} x {_mesh(now, 'tensor')}",
        "replicate x shard x context x tensor must be processes x nodes",
        "leave shard out, and it takes what the others leave",
    ),
    *(_needs_fsdp(name) for name in ("replicate", "context", "tensor")),
    Rule(
        "shard_needs_fsdp",
        "scale.parallel.shard",
        lambda now: now.layout.scale.parallel.shard is not None and now.layout.strategy != "fsdp2",
        lambda now: now.layout.scale.parallel.shard,
        "only counts with strategy fsdp2",
        "use strategy: fsdp2, or leave it out",
    ),
    Rule(
        "replicas_of_nothing",
        "scale.parallel.replicate",
        lambda now: _mesh(now, "replicate") > 1 and now.layout.shard == 1,
        lambda now: _mesh(now, "replicate"),
        "copies a model that is not sharded",
        "use strategy: ddp",
    ),
    Rule(
        "tensor_across_hosts",
        "scale.parallel.tensor",
        lambda now: now.layout.processes % _mesh(now, "tensor") != 0,
        lambda now: _mesh(now, "tensor"),
        "would share matrices across hosts, over their network",
        "choose a divisor of processes",
    ),
    Rule(
        "tensor_heads",
        "scale.parallel.tensor",
        lambda now: now.shape is not None and now.shape.num_heads % _mesh(now, "tensor") != 0,
        lambda now: _mesh(now, "tensor"),
        "does not divide the attention heads of the model",
        "choose a divisor of num_attention_heads",
    ),
    Rule(
        "tensor_key_value_heads",
        "scale.parallel.tensor",
        lambda now: now.shape is not None and now.shape.num_key_value_heads % _mesh(now, "tensor") != 0,
        lambda now: _mesh(now, "tensor"),
        "does not divide the key and value heads of the model",
        "choose a divisor of num_key_value_heads",
    ),
    Rule(
        "tensor_with_adapters",
        "scale.parallel.tensor",
        lambda now: _mesh(now, "tensor") > 1 and now.is_adapter,
        lambda now: _mesh(now, "tensor"),
        "shares matrices that adapters are attached to",
        "use shard instead, or tuning: full",
    ),
    Rule(
        "context_with_packing",
        "scale.parallel.context",
        lambda now: _mesh(now, "context") > 1 and now.is_packed,
        lambda now: _mesh(now, "context"),
        "drops the borders between packed rows (trl/trainer/sft_trainer.py refuses it too)",
        "set packing: false",
    ),
    Rule(
        "context_method",
        "scale.parallel.context",
        lambda now: _mesh(now, "context") > 1 and now.method not in CONTEXT_METHODS,
        lambda now: _mesh(now, "context"),
        "only works for dapt and sft",
        "use shard instead",
    ),
    Rule(
        "context_length",
        "stages.max_length",
        lambda now: _mesh(now, "context") > 1 and now.max_length % (2 * _mesh(now, "context")) != 0,
        lambda now: now.max_length,
        "must be a multiple of twice parallel.context, whose devices each take two pieces of a row",
        "round it up",
    ),
)

BATCH_RULES = (
    Rule(
        "generations_divide",
        "stages.rl.num_generations",
        lambda now: now.method in GROUPED and bool(now.num_generations) and now.rows_per_step % (now.num_generations or 1) != 0,
        lambda now: now.num_generations,
        "must divide batch_size x gradient_accumulation x processes x nodes",
        "change one of them",
    ),
    Rule(
        "kto_alone",
        "stages.batch_size",
        lambda now: now.method == "kto" and now.batch_size < 2,
        lambda now: now.batch_size,
        "is too small for kto, whose KL term compares the rows of a batch",
        "use at least 2, with less gradient_accumulation",
    ),
    Rule(
        "fewer_rows_than_devices",
        "processes",
        lambda now: now.num_rows is not None and now.num_rows < min(now.world_size, now.examples_per_step),
        lambda now: now.layout.processes,
        "is more than there are rows, so a device would never learn",
        "use fewer processes or nodes",
    ),
    Rule(
        "never_a_whole_step",
        "stages.batch_size",
        lambda now: (
            now.num_rows is not None and now.max_steps is None and now.num_rows * (now.epochs or 1) < now.examples_per_step
        ),
        lambda now: now.batch_size,
        "is so large that all epochs together do not fill one optimizer step",
        "lower batch_size or gradient_accumulation, or bring more rows",
    ),
    Rule(
        "answers_leave_no_room",
        "stages.rl.max_new_tokens",
        lambda now: now.method in ONLINE and (now.max_new_tokens or 0) >= now.max_length,
        lambda now: now.max_new_tokens,
        "leaves no room for a prompt within max_length",
        "lower it, or raise max_length",
    ),
    Rule(
        "answers_exceed_context",
        "stages.rl.max_new_tokens",
        lambda now: now.shape is not None and (now.max_new_tokens or 0) >= now.shape.context_length,
        lambda now: now.max_new_tokens,
        "is as long as all that the model reads",
        "lower it",
    ),
    Rule(
        "row_exceeds_context",
        "stages.max_length",
        lambda now: now.shape is not None and now.max_length > now.shape.context_length,
        lambda now: now.max_length,
        "is more than the model reads",
        "lower it to the max_position_embeddings of the model",
    ),
)

ADAPTER_RULES = (
    Rule(
        "rank_too_high",
        "stages.lora.rank",
        lambda now: now.is_adapter and now.shape is not None and now.rank >= _narrowest(now),
        lambda now: now.rank,
        "is as wide as a matrix of the model, so the adapter is no smaller than what it replaces",
        "use a rank such as 16, or tuning: full",
    ),
    Rule(
        "qlora_storage_dtype",
        "stages.precision",
        lambda now: now.tuning == "qlora" and now.is_sharded and now.precision == "fp32",
        lambda now: now.precision,
        "cannot be sharded beside a 4-bit base, whose blocks are stored as bf16",
        "use precision: bf16",
    ),
    Rule(
        "qlora_fp32",
        "stages.precision",
        lambda now: now.tuning == "qlora" and not now.is_sharded and now.precision == "fp32",
        lambda now: now.precision,
        "computes a 4-bit base in fp32, at twice the memory and a fraction of the speed",
        "use precision: bf16",
    ),
    Rule(
        "zero3_adapters_reentrant",
        "stages.gradient_checkpointing",
        lambda now: now.layout.strategy == "deepspeed_zero3" and now.is_adapter and now.is_checkpointed,
        lambda now: now.is_checkpointed,
        "with adapters under ZeRO-3 is forced to be reentrant, and the trainers here need the other kind",
        "use strategy: fsdp2, or gradient_checkpointing: false",
    ),
    Rule(
        "zero3_adapters_fp32",
        "stages.precision",
        lambda now: now.layout.strategy == "deepspeed_zero3" and now.is_adapter and now.precision == "fp32",
        lambda now: now.precision,
        "is not kept: ZeRO-3 turns adapters into bf16",
        "use precision: bf16, or strategy: fsdp2",
    ),
    Rule(
        "stepped_before_averaged",
        "stages.optimizer",
        lambda now: now.optimizer in STEPPED_IN_BACKWARD and now.world_size > 1,
        lambda now: now.optimizer,
        "steps in the backward pass, before the gradients of several processes are averaged",
        "use optimizer: adamw with strategy: fsdp2, or one process",
    ),
    Rule(
        "dora_deepspeed",
        "stages.lora",
        lambda now: now.has_dora and now.tuning == "qlora" and now.layout.strategy.startswith("deepspeed"),
        lambda now: "dora",
        "on a 4-bit base is reported not to train with DeepSpeed (PEFT, LoRA guide)",
        "use plain LoRA, or strategy: ddp",
    ),
    Rule(
        "generation_under_fsdp",
        "strategy",
        lambda now: now.method in ONLINE and now.layout.strategy == "fsdp2",
        lambda now: now.layout.strategy,
        "gathers all weights anew for each token that this method writes",
        "use strategy: ddp or deepspeed_zero2",
    ),
    Rule(
        "ppo_sharded",
        "strategy",
        lambda now: now.method == "ppo" and now.layout.strategy == "deepspeed_zero3",
        lambda now: now.layout.strategy,
        "cannot shard policy, value head and reference of ppo together",
        "use strategy: ddp or deepspeed_zero2",
    ),
    Rule(
        "reward_head_sharded",
        "strategy",
        lambda now: now.method == "reward" and now.tuning == "qlora" and now.is_sharded,
        lambda now: now.layout.strategy,
        "cannot shard a 4-bit base beside a reward head in full precision",
        "use tuning: lora, or strategy: ddp",
    ),
)


def _narrowest(now: Situation) -> int:
    assert now.shape is not None
    return min(min(linear.num_inputs, linear.num_outputs) for linear in now.shape.linears)
