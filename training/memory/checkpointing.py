"""How many layers have to be computed again in the backward pass: as few as the device's memory allows.

    num = fewest_checkpointed(shape, run, budget=75 * GIB)     # 7 of 32; 0: none; None: not even all of them are enough
    settle(stage, 7, 32)                                       # `gradient_checkpointing: auto` becomes 7 / 32

Checkpointing costs one more forward pass of the layers that are computed again (Chen et al. 2016, arXiv:1604.06174); each that
is left out gives its share of that back.
"""

from dataclasses import replace

from training.config import StageConfig
from training.memory.estimate import estimate_peak
from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape

AUTO = "auto"


def with_checkpointed(run: RunShape, num_checkpointed: int, num_layers: int) -> RunShape:
    """Return a setting with so many of its layers checkpointed, 0 to all."""
    some = num_checkpointed if 0 < num_checkpointed < num_layers else None
    return replace(run, is_checkpointed=num_checkpointed > 0, is_offloaded=False, num_checkpointed=some)


def fewest_checkpointed(shape: ModelShape, run: RunShape, *, budget: int) -> int | None:
    """Return the fewest layers that have to be checkpointed for a setting to fit, found by bisection.

    Args:
        shape: the model.
        run: the setting; what it says of checkpointing does not count.
        budget: bytes of the device that may be used.

    Returns:
        0 to all layers; None if the setting does not fit with any number.
    """
    num_layers = shape.num_layers

    def fits(number: int) -> bool:
        return estimate_peak(shape, with_checkpointed(run, number, num_layers)).device <= budget

    if fits(0):
        return 0
    low, high = 0, num_layers  # low does not fit
    if not fits(high):
        high = num_layers - 1  # the layer next to the loss is needed at once, so checkpointing it saves nothing
        if not high or not fits(high):
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def settle(stage: StageConfig, num_checkpointed: int, num_layers: int) -> StageConfig:
    """Return a stage that checkpoints so many layers."""
    share = {0: False, num_layers: True}.get(num_checkpointed, num_checkpointed / num_layers)
    return replace(stage, gradient_checkpointing=share)


def count_layers(stage: StageConfig, num_layers: int) -> int:
    """Return how many layers a settled stage checkpoints: at least one where it names a share."""
    share = stage.gradient_checkpointing
    assert share != AUTO, "settle it first"
    return max(1, round(float(share) * num_layers)) if share else 0
