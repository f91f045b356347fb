"""TRL's trainers on the same rows and models: as they come, and well tuned. Also the two DPO losses on the same pairs."""

import gc
import tempfile
import time
from typing import Any

from benchmarks.gpu.architectures import CONFIGS, build_model
from benchmarks.gpu.loop import ALL_LINEAR
from benchmarks.gpu.measure import GIB, Measured, Report, operations_per_token
from benchmarks.gpu.workload import draw_lengths, draw_rows

NUM_WARM = 3


def build_tokenizer(vocab_size: int) -> Any:
    """Return a tokenizer of as many words as the model has embeddings."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {f"t{number}": number for number in range(vocab_size - 4)}
    words |= {word: vocab_size - 4 + number for number, word in enumerate(("<pad>", "<s>", "</s>", "<unk>"))}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", bos_token="<s>", unk_token="<unk>"
    )


def make_clock(device: str) -> Any:
    """Return a callback that knows seconds and tokens after the warm-up."""
    import torch
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Waits for the GPU after each step, which costs a trainer that asks it anyway nothing."""

        started = ended = 0.0
        tokens_before = tokens = 0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if device != "cpu":
                torch.cuda.synchronize()
            if state.global_step == NUM_WARM:
                self.started, self.tokens_before = time.perf_counter(), state.num_input_tokens_seen
            self.ended, self.tokens = time.perf_counter(), state.num_input_tokens_seen

    return Clock()


def run_sft(name: str, size: str, report: Report, device: str, **choices: Any) -> None:
    """Measure TRL's SFTTrainer; see `_sft` for the choices."""
    row = Measured(name, size, settings={key: str(value) for key, value in choices.items()})
    _guarded(row, report, device, lambda: _sft(row, report, device, **choices))


def _guarded(row: Measured, report: Report, device: str, measure: Any) -> None:
    import torch

    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        measure()
    except Exception as error:
        row.error = f"{type(error).__name__}: {error}"[:400]
    gc.collect()
    if device != "cpu":
        row.peak_gib = torch.cuda.max_memory_allocated() / GIB
        torch.cuda.empty_cache()
    report.add(row)


def _sft(
    row: Measured,
    report: Report,
    device: str,
    *,
    dtype: Any,
    targets: list[str] | None,
    batch_size: int,
    packing: bool,
    checkpointing: bool,
    num_steps: int = 6,
    longest: int = 4096,
) -> None:
    import peft
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    vocab = CONFIGS[row.size]["vocab_size"]
    lengths = draw_lengths(batch_size * (num_steps + NUM_WARM) * (12 if packing else 1) + 64, longest=longest)
    data = Dataset.from_dict({"input_ids": draw_rows(lengths, vocab - 4)})
    lora = peft.LoraConfig(r=16, lora_alpha=32, task_type="CAUSAL_LM", **({"target_modules": targets} if targets else {}))
    clock = make_clock(device)
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(
            **_shared(folder, num_steps, device), per_device_train_batch_size=batch_size, max_length=longest, packing=packing,
            gradient_checkpointing=checkpointing, include_num_input_tokens_seen="non_padding",
        )  # fmt: skip
        trainer = SFTTrainer(
            model=build_model(row.size, device, dtype), args=args, train_dataset=data, processing_class=build_tokenizer(vocab),
            peft_config=lora, callbacks=[clock],
        )  # fmt: skip
        row.loss = trainer.train().training_loss
    row.step_s = (clock.ended - clock.started) / num_steps
    row.tokens_per_s = (clock.tokens - clock.tokens_before) / (clock.ended - clock.started)
    work = operations_per_token(row.size, lengths, is_full=False, is_checkpointed=checkpointing)
    row.share = row.tokens_per_s * work / (report.head["matmul_tflops"] * 1e12)


def _shared(folder: str, num_steps: int, device: str) -> dict[str, Any]:
    return {
        "output_dir": folder, "max_steps": num_steps + NUM_WARM, "bf16": device != "cpu", "logging_steps": 1000,
        "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "gradient_accumulation_steps": 1,
        "use_cpu": device == "cpu",
    }  # fmt: skip


def run_dpo(name: str, size: str, report: Report, device: str, pairs: list[Any], **choices: Any) -> None:
    """Measure TRL's DPOTrainer in pairs a second (reported as tokens a second over the tokens of a pair)."""
    row = Measured(name, size, settings={key: str(value) for key, value in choices.items()})
    _guarded(row, report, device, lambda: _dpo(row, report, device, pairs, **choices))


def build_dpo_trainer(model: Any, pairs: list[Any], device: str, folder: str, *, num_steps: int, **choices: Any) -> Any:
    """Return TRL's trainer on pairs of token ids, with new adapters; the reference is the model without them."""
    import peft
    import torch
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        """Takes pairs that are tokenised already."""

        def _prepare_dataset(self, dataset: Any, *_args: Any, **_kwargs: Any) -> Any:
            return dataset

    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    data = Dataset.from_dict({name: [list(pair[part]) for pair in pairs] for part, name in enumerate(names)})
    shared = _shared(folder, num_steps, device) | {"bf16": model.dtype == torch.bfloat16}
    args = DPOConfig(**shared, max_length=None, beta=0.1, **choices)
    lora = peft.LoraConfig(r=16, lora_alpha=32, target_modules=ALL_LINEAR, task_type="CAUSAL_LM")
    tokenizer = build_tokenizer(model.config.vocab_size)
    return PairTrainer(model=model, args=args, train_dataset=data, processing_class=tokenizer, peft_config=lora)


def _dpo(row: Measured, report: Report, device: str, pairs: list[Any], *, num_steps: int = 4, **choices: Any) -> None:
    import torch

    model = build_model(row.size, device, torch.bfloat16 if device != "cpu" else torch.float32)
    clock = make_clock(device)
    with tempfile.TemporaryDirectory() as folder:
        trainer = build_dpo_trainer(model, pairs, device, folder, num_steps=num_steps, **choices)
        trainer.add_callback(clock)
        row.loss = trainer.train().training_loss
    row.step_s = (clock.ended - clock.started) / num_steps
    row.settings["pairs_per_s"] = choices["per_device_train_batch_size"] / row.step_s
    row.tokens_per_s = row.settings["pairs_per_s"] * sum(map(len, pairs[0]))
