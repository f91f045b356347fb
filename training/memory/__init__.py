"""How much memory a training stage needs, which setting fits, and what to do when it does not.

    shape = ModelShape.from_config(json.loads(Path("config.json").read_text()))
    run = RunShape(tokens_per_micro_batch=8192, longest_row=4096, tuning="lora", is_liger=True, is_head_fused=True)
    estimate_peak(shape, run).allocated / 2**30        # 52.8 GiB for Llama 3.1 8B

Nothing here loads a weight or imports torch.
"""

from training.memory.estimate import MemoryEstimate, estimate_peak
from training.memory.model_shape import ModelShape
from training.memory.run_shape import RunShape

__all__ = ["MemoryEstimate", "ModelShape", "RunShape", "estimate_peak"]
