"""`python -m training.run SPEC` as a child process, as the graph starts it, on a model folder of a real architecture.

measured = run_entry_point("8b", stage, folder, device)      # tokens/s between two lines of its own progress file

Weights are random, rows are examples with answers of log-normal length, the vocabulary is small (ids do not matter).
"""

import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu.architectures import build_model
from benchmarks.gpu.workload import draw_lengths
from curation.records import Example, Message, Provenance
from curation.store import Store
from training.config import StageConfig
from training.scale.config import Layout
from training.scale.launch_command import build_launch
from training.spec import RunSpec

WORDS = [f"{one}{two}{three}" for one in "bdfgklmnprstvz" for two in "aeiou" for three in "lmnrst"]


class Run(NamedTuple):
    """What a run of the entry point says of itself."""

    tokens_per_s: float
    """Trained tokens a second from the line at `first_step` to the last, steps alone."""
    trained_tokens: int
    lengths: list[int]
    """Tokens of the rows, about."""
    wall_s: float
    """Of the whole process: imports, loading, training, merging, writing."""
    loss: float
    peak_gib: float
    """Most memory of live tensors, as the run wrote it; 0 on a CPU."""
    log: str


def make_folder(size: str, folder: Path, device: str, num_rows: int, longest: int) -> tuple[Path, str, str, list[int]]:
    """Write a model folder and a store; return both, the root of the table, and the lengths of its rows in words."""
    import torch

    from training.base_model import train_tokenizer

    rng = random.Random(0)
    lengths = draw_lengths(num_rows, longest=longest - 40)
    texts = [" ".join(rng.choices(WORDS, k=length - 12 if length > 28 else 16)) for length in lengths]
    tokenizer = train_tokenizer(texts[:300], vocab_size=1000, context_length=8192)
    model = build_model(size, device, torch.bfloat16 if device != "cpu" else torch.float32)
    for config in (model.config, model.generation_config):
        config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    parent = folder / "model"
    model.save_pretrained(parent)
    tokenizer.save_pretrained(parent)
    del model
    if device != "cpu":
        torch.cuda.empty_cache()
    made = Provenance(origin="synthetic", method="benchmark")
    store = Store(str(folder / "store"))
    table = store.write_table(
        Example,
        [
            Example(
                key=f"row/{number}", task="routing", group=str(number), split="train", provenance=made,
                messages=(Message(role="user", content="Say it."), Message(role="assistant", content=text)),
            )
            for number, text in enumerate(texts)
        ],
    )  # fmt: skip
    return parent, store.url, table.root, lengths


def run_entry_point(
    size: str, stage: dict[str, Any], folder: Path, device: str, *, num_rows: int, first_step: int, longest: int = 4096,
    layout: Layout | None = None,
) -> Run:  # fmt: skip
    """Train in a child process, or in one for each device of a layout, and read its progress.

    Raises RuntimeError with the end of its output if it fails.
    """
    parent, url, root, lengths = make_folder(size, folder, device, num_rows, longest)
    work = folder / "work"
    work.mkdir()
    spec = RunSpec(
        config=StageConfig(**stage), store_url=url, tables={"examples": root}, parent_model=str(parent), work_folder=str(work)
    )
    started = time.perf_counter()
    launch = build_launch(spec.write(work / "spec.json"), layout or Layout())
    launch.write()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(launch.command, capture_output=True, text=True, check=False, env=environment)
    wall = time.perf_counter() - started
    log = (done.stdout + done.stderr)[-3000:]
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {log}")
    lines = [json.loads(line) for line in (work / "progress.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["phase"] == "train"]
    manifest = json.loads((work / "output" / "manifest.json").read_text())
    rate = steady_rate([line for line in steps if line["step"] >= first_step])
    peak = json.loads((work / "timings.json").read_text()).get("peak_gib", 0.0)
    return Run(rate, manifest["trained_tokens"], lengths, wall, steps[-1]["loss"], peak, log)


def steady_rate(steps: list[dict[str, Any]]) -> float:
    """Return tokens a second between the first and the last line that tell both tokens and time."""
    told = [(tokens, seconds) for line in steps if line["step"] < line["total"] for tokens, seconds in [_so_far(line)]]
    if len(told) < 2:
        return 0.0
    (tokens_before, seconds_before), (tokens, seconds) = told[0], told[-1]
    return (tokens - tokens_before) / (seconds - seconds_before)


def _so_far(line: dict[str, Any]) -> tuple[float, float]:
    seconds = line["seconds_left"] / (line["total"] - line["step"]) * line["step"]
    return line["tokens_per_second"] * seconds, seconds
