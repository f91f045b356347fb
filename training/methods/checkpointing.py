"""Activation checkpointing of the first layers only.

    checkpoint_layers(model, 7)        # from now on, switching checkpointing on means: layers 0 to 6

The libraries switch it off to write answers and on again, all layers at once (transformers has one layer in n besides): so
it is the switch itself that is narrowed. The first layers are taken because their turn in the backward pass comes last, when
what the others kept is gone.
"""

from typing import Any

from training.config import StageConfig
from training.memory.checkpointing import count_layers


def checkpoint_layers(model: Any, num_checkpointed: int) -> None:
    """Let checkpointing, whenever it is switched on, reach so many of a model's layers, counted from the first."""
    whole = model._set_gradient_checkpointing

    def set_some(enable: bool = True, **more: Any) -> None:
        whole(enable=enable, **more)
        for number, layer in enumerate(checkpointed_modules(model) if enable else ()):
            layer.gradient_checkpointing = number < num_checkpointed

    model._set_gradient_checkpointing = set_some


def checkpointed_modules(model: Any) -> list[Any]:
    """Return the layers of a model that can be checkpointed, in the order in which a forward pass meets them."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]


def narrow_checkpointing(model: Any, stage: StageConfig) -> Any:
    """Return the model; where its settled stage names a share of the layers, checkpointing reaches only these."""
    if isinstance(stage.gradient_checkpointing, float):
        checkpoint_layers(model, count_layers(stage, len(checkpointed_modules(model))))
    return model
