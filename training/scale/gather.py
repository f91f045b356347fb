"""The whole model of a run that shared its weights out, in the memory of the first process.

model = gather_model(trainer)       # None on the other processes, which have no more to do
"""

from typing import Any

from training.scale.ranks import is_first_rank


def gather_model(trainer: Any) -> Any | None:
    """Return the trained model with all its weights; every process has to call this, for they send their parts."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if not is_sharded(trainer):
        return model
    weights = trainer.accelerator.get_state_dict(trainer.model)
    return put_weights(model, weights) if is_first_rank() else None


def is_sharded(trainer: Any) -> bool:
    """Tell whether a process holds a part of the weights only: under FSDP, and ZeRO stage 3."""
    if getattr(trainer, "is_fsdp_enabled", False):
        return True
    if not getattr(trainer, "is_deepspeed_enabled", False):
        return False
    return bool(trainer.accelerator.deepspeed_config["zero_optimization"]["stage"] == 3)


def put_weights(model: Any, weights: dict[str, Any]) -> Any:
    """Put whole tensors in the place of a model's parts; what is tied stays tied. Returns the model, no longer sharded.

    Raises:
        KeyError: if a weight is missing.
    """
    import torch
    from torch.distributed.fsdp import FSDPModule

    whole: dict[int, Any] = {}
    for prefix, module in model.named_modules():
        if isinstance(module, FSDPModule):
            module.__class__ = type(module).__mro__[2]  # as `FSDPModule.__new__` finds it; else `to` looks for parts
        for name, part in list(module.named_parameters(recurse=False)):
            if id(part) not in whole:
                tensor = weights[f"{prefix}.{name}" if prefix else name]
                whole[id(part)] = torch.nn.Parameter(tensor.detach().cpu(), requires_grad=part.requires_grad)
            module._parameters[name] = whole[id(part)]
        for name, buffer in list(module.named_buffers(recurse=False)):
            module._buffers[name] = buffer.cpu()
    return model
