"""One training stage in its own process: `python -m training.run SPEC.json`.

Exit codes: 0 done; 3 failed, with one sentence in WORK/error.json; 143 and 130 after SIGTERM and SIGINT, with a checkpoint.
Run again with the same work folder, it goes on where it was.
"""

import contextlib
import errno
import json
import logging
import os
import shutil
import sys
import time
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from curation.errors import DeviceLostError, EmptyDatasetError, StoreFullError, TrainingFailedError, TunewrightError
from curation.files import write_atomically
from curation.garbage import relax_collector
from curation.records import Document, Example, PreferencePair, Rejection, UnpairedPreference, VerifiableTask
from curation.store import Store
from training.base_model import build_small_llama, load_named_model, load_tokenizer
from training.chat_format import ChatFormat
from training.checkpoints import remove_checkpoints
from training.config import BaseModelConfig, StageConfig
from training.held_out import RecordSource, split_groups
from training.launch import SILENT, usable_cores
from training.learning import learn, resolved_stage
from training.methods.adapters import check_quantization
from training.output import ADAPTER, Trained, is_finished, write_output, write_timings
from training.parent_watch import Stop
from training.preflight.stage import pass_preflight
from training.progress import Progress, Say, open_voice
from training.rows import Rows, read_rows
from training.scale.ranks import is_first_rank, prepare_ranks
from training.spec import RunSpec
from training.trackers import require_trackers
from training.utilization import note_use

FAILED = 3
NO_SPACE = ("No space left on device", "os error 28", "StorageFull", "PytorchStreamWriter", "inline_container.cc")
"""How the writers of safetensors and torch say that a write was refused."""
DEVICE_LOST = (
    "unspecified launch failure",
    "uncorrectable ECC error",
    "GPU is lost",
    "fallen off the bus",
    "no CUDA-capable device",
    "CUDA-capable device(s) is/are busy or unavailable",
    "device is unavailable",
    "hardware stack error",
    "CUDA driver error: unknown error",
    "CUDA error: unknown error",
    "ncclRemoteError",
    "ncclSystemError",
)
"""How CUDA and NCCL say that a device, or the one of another process, is gone; not what wrong code provokes."""
RECORD_OF: dict[str, type] = {
    "documents": Document,
    "examples": Example,
    "pairs": PreferencePair,
    "unpaired": UnpairedPreference,
    "tasks": VerifiableTask,
}
"""Table -> the class of its records."""


def main(arguments: list[str]) -> int:
    """Run the stage of a spec file and return the exit code."""
    relax_collector()
    prepare_ranks()
    stop = Stop()
    stop.install()
    os.environ.update({name: value for name, value in SILENT.items() if name not in os.environ})
    warnings.simplefilter("ignore", FutureWarning)  # of the libraries, about each other
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it misses kernels for inference
    try:
        spec = RunSpec.read(Path(arguments[0]))
    except (TunewrightError, OSError, IndexError) as error:
        print(f"usage: python -m training.run SPEC.json\n{error}", file=sys.stderr)  # noqa: T201 - a terminal is watching
        return FAILED
    work = Path(spec.work_folder)
    with open_voice() as say:
        try:
            work.mkdir(parents=True, exist_ok=True)
            run(spec, say, stop)
            return 0
        except Exception as error:
            known = explain(spec, error)
            for half_written in ("staging", ".output.part", ADAPTER):  # on a full disk this makes room for the error file
                shutil.rmtree(work / half_written, ignore_errors=True)
            _leave_error(work, known)
            print(f"error: {known}", file=sys.stderr)  # noqa: T201
            return FAILED


def run(spec: RunSpec, say: Say, stop: Stop) -> Path:
    """Run a stage and return its output folder; a finished one is not run again.

    Raises:
        EmptyDatasetError: if there is nothing to learn from.
        ModelNotFoundError: if the base model cannot be loaded.
        ChatFormatError: if the chat template cannot be trained with.
        PreflightFailedError: if something about rows, template or tokenizer would spoil the training.
        TrainingFailedError: if training breaks off.
    """
    work = Path(spec.work_folder)
    progress = Progress(spec.stage, work / "progress.jsonl", say)
    (work / "error.json").unlink(missing_ok=True)
    if is_finished(spec):
        remove_checkpoints(work)  # still there if it was killed right after its output was in place
        progress.phase("already finished")
        return work / "output"
    started = time.monotonic()
    shutil.rmtree(work / ADAPTER, ignore_errors=True)
    trained = _build_base(spec, progress) if isinstance(spec.config, BaseModelConfig) else _train(spec, progress, stop)
    if not is_first_rank():
        return work / "output"
    progress.phase("writing the model")
    output = write_output(spec, trained)
    remove_checkpoints(work)
    shutil.rmtree(work / ADAPTER, ignore_errors=True)
    progress.phase(f"done in {time.monotonic() - started:.0f} s")
    return output


def _build_base(spec: RunSpec, progress: Progress) -> Trained:
    assert isinstance(spec.config, BaseModelConfig)
    started = time.monotonic()
    if spec.config.model is not None:
        progress.phase(f"loading {spec.config.model}")
        model, tokenizer = load_named_model(spec.config)
    else:
        texts = _corpus_texts(spec)
        progress.phase(f"training a vocabulary on {len(texts)} texts")
        _choose_threads()
        model, tokenizer = build_small_llama(spec.config, texts, seed=spec.seed)
    write_timings(spec, seconds=round(time.monotonic() - started, 3), tokens_per_s=0.0)
    return Trained(model=model, tokenizer=tokenizer)


def _corpus_texts(spec: RunSpec) -> list[str]:
    store = Store(spec.store_url)
    texts = [document.text for document in store.read_table(Document, spec.tables["documents"], asset="dapt_corpus")]
    if "examples" in spec.tables:
        examples = store.read_table(Example, spec.tables["examples"], asset="sft_dataset")
        texts += [message.content for example in examples for message in example.messages]
    if not any(text.strip() for text in texts):
        raise EmptyDatasetError(dataset="dapt_corpus", reason="a vocabulary needs text to be trained on")
    return sorted(texts)


def _train(spec: RunSpec, progress: Progress, stop: Stop) -> Trained:
    store = Store(spec.store_url)
    assert isinstance(spec.config, StageConfig)
    data = spec.config.data
    root = spec.tables.get(data.table, "")
    if not root or not store.sample_rows(RECORD_OF[data.table], root, 1):  # before anything heavy is imported
        raise EmptyDatasetError(dataset=data.dataset, reason="nothing was kept for training")
    check_quantization(spec.config)
    require_trackers(spec.trackers)
    progress.phase("reading the data")
    _choose_threads()
    stage = resolved_stage(spec)
    tokenizer = load_tokenizer(spec.parent_model)
    source, held_out = _sides(store, root, ChatFormat(tokenizer), stage, seed=spec.stage_seed)
    rows = read_rows(source, root, ChatFormat(tokenizer), stage, seed=spec.stage_seed)
    if rows.rejections:
        progress.phase(f"{len(rows.rejections)} rows rejected, the first because: {rows.rejections[0].detail}")
    if os.environ.get("RANK", "0") == "0":
        records: Iterable[Any] = source.read_table(RECORD_OF[data.table], root, asset=data.dataset)
        pass_preflight(spec, stage, rows, tokenizer, records=records, say=progress.phase)
    trained = learn(spec, stage, rows, tokenizer, progress, stop, held_out=held_out)
    if is_first_rank():
        note_use(spec, stage, lengths=rows.lengths)
    rejections = rows.rejections + (held_out.rejections if held_out else ())
    return replace(trained, rejections=store.write_table(Rejection, rejections))


class _Sides(NamedTuple):
    source: RecordSource
    """What is learnt."""
    held_out: Rows | None


def _sides(store: Store, root: str, chat: ChatFormat, stage: StageConfig, *, seed: int) -> _Sides:
    if stage.early_stopping is None:
        return _Sides(store, None)
    split = split_groups(store, share=stage.early_stopping.held_out_share)
    return _Sides(split.learnt, read_rows(split.held_out, root, chat, stage, seed=seed))


def _choose_threads() -> None:
    """Leave one core to the processes around us: threads that wait for one that got no core make a step ten times slower."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, usable_cores() - 1))


def explain(spec: RunSpec, error: Exception) -> TunewrightError:
    """Return what broke a run as one sentence for people; what nobody foresaw is printed in full as well."""
    if isinstance(error, TunewrightError):
        return error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return StoreFullError(path=error.filename or spec.work_folder, reason=error.strerror)
    if any(sign in str(error) for sign in NO_SPACE):  # torch and safetensors wrap it
        return StoreFullError(path=spec.work_folder, reason=os.strerror(errno.ENOSPC))
    traceback.print_exception(error)
    if any(sign in str(error) for sign in DEVICE_LOST):
        first = str(error).strip().splitlines()[0].rstrip(".")  # CUDA's advice about debugging follows
        return DeviceLostError(stage=spec.stage, reason=first[:300], folder=spec.work_folder)
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
    return TrainingFailedError(stage=spec.stage, reason=reason, folder=spec.work_folder)


def _leave_error(work: Path, error: TunewrightError) -> None:
    fields = {name: str(value) for name, value in error.fields.items()}
    said = {"error": type(error).__name__, "message": str(error), "fields": fields}
    with contextlib.suppress(OSError):
        write_atomically(work / "error.json", json.dumps(said, indent=1, sort_keys=True).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
