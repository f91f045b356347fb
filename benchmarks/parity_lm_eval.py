"""Our reading and scoring of task files beside EleutherAI's lm-evaluation-harness, item by item.

    python -m benchmarks.parity_lm_eval [--quick]

A tiny model with a BPE tokenizer is built on the spot, and task files are written: choices by log-likelihood (texts, and
letters with few-shot examples), exact match by generation with two filters, the last word of a sentence, and perplexity of
texts longer than the model reads. Both score all of them. An item is equal if every metric of it is equal, the text
is equal, and log-likelihoods differ by less than 1e-3. A third run asks our model through the harness (`lm_eval_bridge`).
Last line: JSON {items, equal, bridge_equal, items_per_s, lm_eval_items_per_s}.
"""

import argparse
import contextlib
import io
import json
import logging
import os
import random
import re
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

WORDS = ["tea", "cup", "boat", "oar", "rudder", "sail", "north", "south", "stone", "river", "green", "small", "old", "warm"]
WORDS += ["seven", "three", "wind", "rain", "harbour", "light"]
CHOICES = ("acc", "acc_norm", "acc_bytes")
TOLERANCE = 1e-3


class Tasks(NamedTuple):
    """A folder with task files, and the model that answers."""

    folder: Path
    model: Path
    names: tuple[str, ...]


OPTIONS = "{% for option in options %}{{ 'ABCD'[loop.index0] }}. {{ option }}\n{% endfor %}"
FILES: dict[str, dict[str, Any]] = {
    "texts": {
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_target": "{{answer}}",
        "doc_to_choice": "{{choices}}",
        "metric_list": [{"metric": name} for name in CHOICES],
    },
    "letters": {
        "output_type": "multiple_choice",
        "description": "Choose the letter.\n\n",
        "doc_to_text": "{{question}}\n" + OPTIONS + "Answer:",
        "doc_to_target": "label",
        "doc_to_choice": ["A", "B", "C", "D"],
        "num_fewshot": 3,
        "fewshot_split": "train",
        "training_split": "train",
        "metric_list": [{"metric": name} for name in CHOICES],
    },
    "words": {
        "output_type": "generate_until",
        "doc_to_text": "Q: {{question}}\nA:",
        "doc_to_target": "answer",
        "generation_kwargs": {"until": ["\n", "Q:"], "max_gen_toks": 12, "do_sample": False},
        "metric_list": [{"metric": "exact_match", "ignore_case": True, "regexes_to_ignore": [",", "\\.$"]}],
        "filter_list": [
            {"name": "first", "filter": [{"function": "regex", "regex_pattern": "([a-z]+)"}, {"function": "take_first"}]},
            {"name": "whole", "filter": [{"function": "remove_whitespace"}, {"function": "take_first"}]},
        ],
    },
    "last_word": {
        "output_type": "loglikelihood",
        "doc_to_text": "{{text.split(' ')[:-1]|join(' ')}}",
        "doc_to_target": "{{' '+text.split(' ')[-1]}}",
        "metric_list": [{"metric": "perplexity"}, {"metric": "acc"}],
    },
    "rolling": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "page",
        "metric_list": [{"metric": name} for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")],
    },
}


def write_tasks(folder: Path, num_items: int) -> Tasks:
    """Build the model, and write task files of which each has so many documents."""
    import yaml

    draw = random.Random(7)
    model = build_model(folder / "model", draw)
    rows = make_rows(draw, num_items)
    _choose_reachable_answers(model, rows["words"])
    for name, content in FILES.items():
        data = {"test": str(_write(folder / f"{name}.jsonl", rows[name]))}
        if "training_split" in content:
            shots = [dict(row, question=_sentence(draw, 9)) for row in rows[name][:20]]
            data["train"] = str(_write(folder / f"{name}_shots.jsonl", shots))
        source = {"dataset_path": "json", "dataset_kwargs": {"data_files": data}, "test_split": "test"}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({**content, **source, "task": f"parity_{name}"}))
    return Tasks(folder, model, tuple(FILES))


def make_rows(draw: random.Random, num_items: int) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of each task."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in FILES}
    for _ in range(num_items):
        options = [_sentence(draw, draw.randint(1, 9)) for _ in range(4)]
        rows["texts"].append({"question": _sentence(draw, 12), "choices": options, "answer": draw.randrange(4)})
        rows["letters"].append({"question": _sentence(draw, 20), "options": options, "label": draw.choice("ABCD")})
        rows["words"].append({"question": _sentence(draw, 10), "answer": draw.choice(WORDS)})
        rows["last_word"].append({"text": _sentence(draw, 15)})
        rows["rolling"].append({"page": _sentence(draw, draw.randint(3, 400))})
    return rows


def _sentence(draw: random.Random, length: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(length))


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def build_model(folder: Path, draw: random.Random) -> Path:
    """Write a random Llama of two layers, and a BPE tokenizer that puts BOS in front."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<pad>", "<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([" ".join(draw.choice(WORDS) for _ in range(20)) for _ in range(50)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    shape: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=512, initializer_range=0.25, **shape)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=0)
    model.save_pretrained(folder)
    return folder


def _choose_reachable_answers(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Make every second answer one that such a model gives, by transformers alone, so that both outcomes occur."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    for row in rows[::2]:
        ids = torch.tensor([tokenizer(f"Q: {row['question']}\nA:")["input_ids"]])
        text = tokenizer.decode(model.generate(ids, do_sample=False, max_new_tokens=12)[0, ids.shape[1] :])
        row["answer"] = next(iter(re.findall("([a-z]+)", text)), "none")


def score_by_harness(tasks: Tasks, model: Any) -> dict[str, Any]:
    """Return what `simple_evaluate` finds."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks.folder), include_defaults=False)
    names = [f"parity_{name}" for name in tasks.names]
    with contextlib.redirect_stderr(io.StringIO()):
        found = lm_eval.simple_evaluate(model=model, tasks=names, task_manager=manager, bootstrap_iters=0, log_samples=True)
    assert found is not None
    return dict(found["samples"])


def compare(mine: Any, samples: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return how many items of a task are equal, and what differs in the others."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for sample in samples:
        rows.setdefault(int(sample["doc_id"]), []).append(sample)
    problems = []
    for number, item in enumerate(mine.items):
        found = [problem for sample in rows[number] for problem in _differences(item, sample)]
        problems += [f"{item.key}: {found[0]}"] if found else []
    assert len(rows) == len(mine.items)
    return len(mine.items) - len(problems), problems


def _differences(item: Any, sample: dict[str, Any]) -> list[str]:
    found = []
    if item.error:
        found.append(item.error)
    prompt = sample["arguments"]["gen_args_0"]["arg_0"] if isinstance(sample["arguments"], dict) else sample["arguments"][0][0]
    if item.prompt and prompt != item.prompt:
        found.append(f"prompt {item.prompt!r} and {prompt!r}")
    responses = [response[0] for response in sample["resps"]]
    if isinstance(responses[0], str) and responses[0] != item.answer:
        found.append(f"text {item.answer!r} and {responses[0]!r}")
    for score, (value, is_greedy) in zip(item.choices, [r for r in responses if isinstance(r, (tuple, list))], strict=True):
        if abs(score.log_likelihood - float(value)) > TOLERANCE or score.is_greedy != (str(is_greedy) == "True"):
            found.append(f"log-likelihood {score.log_likelihood} {score.is_greedy} and {value} {is_greedy}")
    for metric in sample["metrics"]:
        key = metric if sample["filter"] == "none" else f"{metric},{sample['filter']}"
        value = sample[metric]
        theirs = value if isinstance(value, (tuple, list)) else (value, item.weights.get(key, 1.0))
        ours = (item.scores.get(key, float("nan")), item.weights.get(key, 1.0))
        if any(not abs(one - float(other)) <= TOLERANCE for one, other in zip(ours, theirs, strict=True)):
            found.append(f"{key} {ours} and {value}")
    return found


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run both and print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="40 documents a task instead of 300")
    parser.add_argument("--items", type=int, default=0, help="documents a task")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_CACHE": folder,
            "TOKENIZERS_PARALLELISM": "false",
            "TQDM_DISABLE": "1",
        }
        return measure(Path(folder), given.items or (40 if given.quick else 300))


def measure(folder: Path, num_items: int) -> dict[str, Any]:
    """Run both on so many documents a task, and print what comes out."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import datasets
    from lm_eval.models.huggingface import HFLM

    from evaluation.answering.language_model import load_model
    from evaluation.harness_tasks.lm_eval_bridge import build_harness_model
    from evaluation.harness_tasks.score import score_task
    from evaluation.harness_tasks.task_file import read_task

    datasets.disable_progress_bars()
    tasks = write_tasks(folder, num_items)
    mine = load_model("tiny", str(tasks.model), max_new_tokens=12)
    theirs = HFLM(pretrained=mine._model, tokenizer=mine._tokenizer, batch_size=16)
    score_task(read_task(folder / "texts.yaml"), mine, limit=4)  # warm
    began = time.monotonic()
    ours = {name: score_task(read_task(folder / f"{name}.yaml"), mine, batch_size=16) for name in tasks.names}
    seconds = time.monotonic() - began
    began = time.monotonic()
    found = score_by_harness(tasks, theirs)
    their_seconds = time.monotonic() - began
    bridged = score_by_harness(tasks, build_harness_model(mine))
    num_equal = num_bridged = 0
    print(f"{'task':12} {'items':>6} {'equal':>6} {'through the harness':>20}  totals")
    for name in tasks.names:
        equal, problems = compare(ours[name], found[f"parity_{name}"])
        bridge_equal, _ = compare(ours[name], bridged[f"parity_{name}"])
        num_equal, num_bridged = num_equal + equal, num_bridged + bridge_equal
        totals = {key: round(value, 4) for key, value in ours[name].totals.items()}
        print(f"{name:12} {len(ours[name].items):6} {equal:6} {bridge_equal:20}  {totals}")
        print("".join(f"    differs: {problem[:300]}\n" for problem in problems[:3]), end="")
    num_all = num_items * len(tasks.names)
    result = {
        "items": num_all,
        "equal": num_equal,
        "bridge_equal": num_bridged,
        "items_per_s": round(num_all / seconds, 1),
        "lm_eval_items_per_s": round(num_all / their_seconds, 1),
    }
    print(json.dumps(result))
    return result


if __name__ == "__main__":
    main()
