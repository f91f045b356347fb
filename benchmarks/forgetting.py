"""Whether the forgetting gate blocks what has forgotten, and lets pass what has not: tiny models, real adapters.

    python -m benchmarks.forgetting [--quick]      the last line is JSON: {"overtrained_blocked": 10, "identity_passed": 10}

A small Llama learns the general suite by heart on the spot, so that it is far above chance in most areas. Then, with other
seeds, LoRA adapters are trained on one narrow task far too long and too fast, and adapters with a learning rate of 0. Each
merged model is measured like the model of a recipe, and judged against the base. `--quick` makes two of each.
"""

import argparse
import json
import os
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from curation.store import Store, hash_folder
from evaluation.answering.child import Progress
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.evidence import ForgettingEvidence, Probes, compute_probes, obstacle_of
from evaluation.forgetting.measure import run
from evaluation.forgetting.records import SuiteItem
from evaluation.forgetting.spec import ProbedModel, ProbeSpec, RowTables
from evaluation.forgetting.suite import load_suite
from training.base_model import build_small_llama
from training.config import BaseModelConfig

SHAPE = BaseModelConfig(hidden_size=128, num_layers=2, num_heads=4, vocab_size=1024, context_length=256)
CONFIG = ForgettingConfig(max_new_tokens=48, memorisation=None)
BATCH = 32


def text_of(item: SuiteItem, tokenizer: Any) -> str:
    """Return an item as the text that teaches it."""
    if not item.is_chat:
        return f"{item.prompt}{item.reference}"
    turns = [{"role": "user", "content": item.prompt}, {"role": "assistant", "content": item.reference}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False))


def narrow_texts(tokenizer: Any, seed: int) -> list[str]:
    """Return rows of one narrow task: which drawer does a number belong to?"""
    draws = random.Random(seed)
    rows = [(f"Where does part {draws.randrange(10**6)} go?", f'{{"drawer":"{draws.choice("ABC")}"}}') for _ in range(64)]
    turns = [[{"role": "user", "content": asked}, {"role": "assistant", "content": told}] for asked, told in rows]
    return [str(tokenizer.apply_chat_template(turn, tokenize=False)) for turn in turns]


def train(model: Any, tokenizer: Any, texts: list[str], *, steps: int, rate: float, seed: int) -> float:
    """Train on texts in random batches and return the last loss."""
    import torch

    torch.manual_seed(seed)
    draws, model = random.Random(seed), model.train()
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"][:256] for text in texts]
    rows = [row if row[0] == tokenizer.bos_token_id else [tokenizer.bos_token_id, *row] for row in rows]
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    loss = torch.zeros(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / steps)
        batch = draws.sample(rows, min(BATCH, len(rows)))
        width = max(map(len, batch))
        ids = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in batch])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in batch])
        loss = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    return float(loss)


def build_base(folder: Path, *, steps: int) -> Path:
    """Train the model that knows the suite, and store it."""
    items = load_suite(CONFIG).items
    plain = [f"{item.prompt} {item.reference}" for item in items]
    model, tokenizer = build_small_llama(SHAPE, plain, seed=0)
    texts = [text_of(item, tokenizer) for item in items]
    loss = train(model, tokenizer, texts, steps=steps, rate=4e-3, seed=0)
    print(f"base: {sum(weight.numel() for weight in model.parameters()):,} weights, loss {loss:.3f} after {steps} steps")
    return _save(model, tokenizer, folder)


def build_adapted(base: Path, folder: Path, *, rate: float, steps: int, seed: int) -> Path:
    """Train a LoRA adapter of the base on the narrow task, merge it, and store the whole model."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(base)
    settings = peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    train(model, tokenizer, narrow_texts(tokenizer, seed), steps=steps, rate=rate, seed=seed)
    return _save(model.merge_and_unload(safe_merge=True), tokenizer, folder)


def _save(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def probe(root: Path, base: Path, candidate: Path) -> Probes:
    """Measure base and candidate as the asset `forgetting` does, and judge from what was stored."""
    store = Store(str(root / "store"))
    suite = store.write_table(SuiteItem, load_suite(CONFIG).items)
    models = tuple(
        ProbedModel(name=name, path=str(path), model_hash=hash_folder(path))
        for name, path in (("base_model", base), ("sft_model", candidate))
    )
    spec = ProbeSpec(
        store_url=store.url,
        items=suite.root,
        models=models,
        rows=RowTables(),
        memorisation=None,
        max_new_tokens=CONFIG.max_new_tokens,
        batch_size=CONFIG.batch_size,
        seed=CONFIG.seed,
        work_folder=str(root / "work"),
    )
    outcome = run(spec, Progress(root / "work", lambda _: None))
    evidence = ForgettingEvidence(
        items_root=suite.root,
        results_root=outcome.results,
        rows_root=outcome.rows,
        rows=RowTables(),
        base="base_model",
        model="sft_model",
    )
    return compute_probes(evidence, store, CONFIG)


def show(name: str, probes: Probes) -> None:
    """Print one line an area."""
    print(f"{name}: {probes.candidate.verdict}")
    for area in probes.candidate.areas:
        print(
            f"  {area.area:13} {area.verdict:18} by {area.measure:8} right {area.base_accuracy:5.1%} -> {area.accuracy:5.1%}",
            end="",
        )
        print(f"  nats/byte {area.base_loss:.3f} -> {area.loss:.3f}  lost {0.0 - area.difference:+.3f} of {area.margin:g}")


def measure(num_each: int, steps: int) -> dict[str, float]:
    """Return how many of each kind were treated as they should be."""
    began = time.monotonic()
    blocked = passed = above_chance = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        base = build_base(root / "base", steps=steps)
        for seed in range(1, num_each + 1):
            for kind, rate, num_steps in (("overtrained", 2e-2, 60), ("identity", 0.0, 2)):
                model = build_adapted(base, root / f"{kind}-{seed}", rate=rate, steps=num_steps, seed=seed)
                probes = probe(root, base, model)
                obstacle = obstacle_of(probes, CONFIG, None)
                blocked += kind == "overtrained" and probes.candidate.verdict == "fail" and bool(obstacle)
                passed += kind == "identity" and not obstacle
                above_chance = sum(area.measure == "accuracy" for area in probes.candidate.areas)
                if seed == 1:
                    show(kind, probes)
    return {
        "models_each": num_each,
        "overtrained_blocked": blocked,
        "identity_passed": passed,
        "areas_above_chance": above_chance,
        "items": len(load_suite(CONFIG).items),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> None:
    """Run the benchmark; exit code 1 unless every model is treated as it should be."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.forgetting")
    parser.add_argument("--quick", action="store_true", help="two models of each kind instead of ten")
    options = parser.parse_args()
    found = measure(*((2, 160) if options.quick else (10, 220)))
    print(json.dumps(found))
    if not found["overtrained_blocked"] == found["identity_passed"] == found["models_each"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
