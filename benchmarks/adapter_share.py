"""How small adapters are: rank 8 on the attention of a 7B architecture, counted on the real modules without their weights.

python -m benchmarks.adapter_share        the last line is JSON
"""

import json

from benchmarks.gpu.architectures import build_model


def count(size: str, rank: int, targets: list[str]) -> dict[str, float]:
    """Return trainable and all parameters of an architecture with adapters, and the share in percent."""
    import peft
    import torch

    model = build_model(size, "meta", torch.bfloat16)
    config = peft.LoraConfig(r=rank, target_modules=targets, task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(model, config, low_cpu_mem_usage=True)
    trainable, total = adapted.get_nb_trainable_parameters()
    return {"trainable": trainable, "total": total, "percent": round(100 * trainable / total, 4)}


def main() -> None:
    """Print the shares."""
    attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
    figures = {f"{size}, rank 8, attention": count(size, 8, attention) for size in ("7b", "8b")}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
