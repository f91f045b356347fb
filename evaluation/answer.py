"""The answering child process: every comparator answers the same held-out items, greedily.

    python -m evaluation.answer WORK_FOLDER/spec.json

It needs torch, transformers and pyarrow only. Answers given before are reused; killed at any time, it goes on from the
last finished batch. It leaves result.json (see `AnswerResult`), or error.json and exit code 3.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from curation.errors import StoreFullError
from curation.ids import content_hash
from curation.record_rows import as_row
from curation.records import Example, record_hash
from curation.store import Store
from evaluation.answer_cache import AnswerCache
from evaluation.answer_spec import EXIT_ERROR, MAJORITY, AnswerResult, AnswerSpec, ComparatorSpec, read_spec, write_result
from evaluation.child import Progress, die_with_parent, leave_error, reporting
from evaluation.items import assert_held_out, most_frequent_answer, question_text, shots_hash, spread_shots
from evaluation.language_model import Encoded, Generated, LanguageModel, load_model
from evaluation.records import EvalAnswer

FORMAT = 1
"""Raise it when prompts are rendered or answers cut differently: answers stored before then do not count."""


class Answering:
    """One run of the child: the items, the shots, and what was generated so far."""

    def __init__(self, spec: AnswerSpec, progress: Progress) -> None:
        self._spec = spec
        self._progress = progress
        store = Store(spec.store_url)
        self.items = sorted(store.read_table(Example, spec.items, asset="eval_set"), key=lambda row: row.key)
        self._training = list(store.read_table(Example, spec.training_examples, asset="sft_dataset"))
        assert_held_out(self.items, self._training)
        self._model: tuple[str, LanguageModel] | None = None
        self._started = time.monotonic()
        self._generating_seconds = 0.0
        self._num_tokens = 0
        self.num_generated = 0
        self.num_reused = 0
        self.notes: list[str] = []

    def answer(self, comparator: ComparatorSpec) -> list[EvalAnswer]:
        """Return the answers of one comparator, in the order of the items."""
        if comparator.name == MAJORITY:
            text = most_frequent_answer(self._training)
            answered = [Generated(text, 0) for _ in self.items]
            model_hash = content_hash({"majority": text, "training_examples": self._spec.training_examples})
        else:
            answered = self._ask(comparator)
            model_hash = comparator.model_hash or content_hash(comparator.model)
        return [_record(comparator.name, model_hash, *pair) for pair in zip(self.items, answered, strict=True)]

    def _ask(self, comparator: ComparatorSpec) -> list[Generated]:
        shots = spread_shots(self._training, comparator.shots, self._spec.generation.seed)
        cache = AnswerCache(Path(self._spec.work_folder) / "answers", _settings_hash(comparator, self._spec, shots))
        keys = [content_hash(as_row(item.prompt)) for item in self.items]
        waiting = {key: item for key, item in zip(keys, self.items, strict=True) if cache.get(key) is None}
        self.num_reused += sum(key not in waiting for key in keys)
        self.num_generated += sum(key in waiting for key in keys)
        if waiting:
            self._generate(comparator, shots, waiting, cache)
        answers = [cache.get(key) for key in keys]
        assert all(answer is not None for answer in answers), "every prompt was answered"
        return [answer for answer in answers if answer is not None]

    def _generate(
        self, comparator: ComparatorSpec, shots: Sequence[Example], waiting: dict[str, Example], cache: AnswerCache
    ) -> None:
        model = self._load(comparator)
        encoded = {key: model.encode(item.prompt, shots) for key, item in waiting.items()}
        self._note(comparator, model, list(encoded.values()))
        order = sorted(encoded, key=lambda key: (len(encoded[key].tokens), key))
        size = self._spec.generation.batch_size
        began = time.monotonic()
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            answers = model.answer([encoded[key].tokens for key in batch])
            cache.put(dict(zip(batch, answers, strict=True)))
            self._num_tokens += sum(answer.num_tokens for answer in answers)
            self._tell(comparator.name, min(start + size, len(order)), len(order), began)
        self._generating_seconds += time.monotonic() - began

    def _load(self, comparator: ComparatorSpec) -> LanguageModel:
        if self._model is None or self._model[0] != comparator.model:
            self._model = None
            limit = self._spec.generation.max_new_tokens
            self._model = (comparator.model, load_model(comparator.name, comparator.model, max_new_tokens=limit))
        return self._model[1]

    def _note(self, comparator: ComparatorSpec, model: LanguageModel, encoded: Sequence[Encoded]) -> None:
        if not model.has_chat_template:
            self.notes.append(
                f"{comparator.name}: the tokenizer has no chat template, so prompts were written as 'role: content'."
            )
        shortened = sum(item.num_left_out > 0 for item in encoded)
        if shortened:
            self.notes.append(f"{comparator.name}: {shortened} prompts left examples out, because the context is too short.")

    def _tell(self, name: str, done: int, total: int, began: float) -> None:
        seconds = max(time.monotonic() - began, 1e-6)
        left = seconds / done * (total - done)
        rate = self._num_tokens / max(self._generating_seconds + seconds, 1e-6)
        line = f"{name}: {done} of {total} items answered, {rate:,.0f} tokens/s, about {left:.0f} s left for it"
        values = {
            "comparator": name,
            "done": done,
            "total": total,
            "tokens_per_s": round(rate, 1),
            "seconds_left": round(left, 1),
        }
        self._progress.tell(line, values, is_last=done == total)

    def result(self, table: str, num_rows: int) -> AnswerResult:
        """Return what result.json says."""
        rate = self._num_tokens / self._generating_seconds if self._generating_seconds else 0.0
        return AnswerResult(
            table=table,
            num_rows=num_rows,
            num_generated=self.num_generated,
            num_reused=self.num_reused,
            tokens_per_s=round(rate, 1),
            seconds=round(time.monotonic() - self._started, 2),
            notes=tuple(self.notes),
        )


def run(spec: AnswerSpec, progress: Progress) -> AnswerResult:
    """Answer everything in the spec, store the table of EvalAnswer, and write result.json.

    Raises:
        EvaluationError: if an item was trained on, or a model is broken.
        MissingTableError: if the items or training rows are not in the store.
        StoreFullError: if an answer cannot be written.
    """
    work = Answering(spec, progress)
    try:
        answers = [answer for comparator in spec.comparators for answer in work.answer(comparator)]
        table = Store(spec.store_url).write_table(EvalAnswer, answers)
        result = work.result(table.root, table.num_rows)
        write_result(result, Path(spec.work_folder))
    except OSError as error:
        raise StoreFullError(path=spec.work_folder, reason=error.strerror or str(error)) from error
    return result


def _settings_hash(comparator: ComparatorSpec, spec: AnswerSpec, shots: Sequence[Example]) -> str:
    model = comparator.model_hash or comparator.model
    settings = {"model": model, "max_new_tokens": spec.generation.max_new_tokens, "shots": shots_hash(shots), "format": FORMAT}
    return content_hash(settings)


def _record(comparator: str, model_hash: str, item: Example, generated: Generated) -> EvalAnswer:
    return EvalAnswer(
        key=f"{comparator}/{item.key}",
        comparator=comparator,
        model_hash=model_hash,
        item_key=item.key,
        item_hash=record_hash(item),
        group=item.group,
        prompt=question_text(item),
        reference=item.answer,
        answer=generated.text,
        num_tokens=generated.num_tokens,
    )


def main(arguments: Sequence[str], *, watch_parent: Callable[[], None] = die_with_parent) -> int:
    """Run the spec named on the command line; 0, or 3 with error.json written, or 130 when interrupted."""
    watch_parent()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    path = Path(arguments[0])
    try:
        spec = read_spec(path)
        with reporting(path.parent) as progress:
            result = run(spec, progress)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception as error:
        leave_error(error, path.parent)
        return EXIT_ERROR
    sys.stdout.write(f"{result.num_generated} answers generated, {result.num_reused} reused\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
