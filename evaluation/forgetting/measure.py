"""The measuring child process: the base, the model of every stage and the candidate, on the items of one suite.

    python -m evaluation.forgetting.measure WORK_FOLDER/spec.json

It needs torch, transformers and pyarrow only. What was measured before is reused; killed at any time, it goes on from the last
finished batch. It leaves result.json (see `ProbeOutcome`), or error.json and exit code 3.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from curation.errors import EvaluationError, StoreFullError
from curation.store import Store
from evaluation.answering.child import Progress, die_with_parent, run_as_child, write_result
from evaluation.answering.engines import Engine, load_engine
from evaluation.forgetting.cache import MeasureCache
from evaluation.forgetting.probe import ProbeSettings, cache_settings, probe_items
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.forgetting.spec import ProbedModel, ProbeOutcome, ProbeSpec, read_spec
from evaluation.memorisation import probe as memorisation
from evaluation.memorisation.probe import ProbedRow, probe_rows, read_sides
from evaluation.memorisation.records import RowProbe


def build_command(spec_path: Path) -> list[str]:
    """Return the command line of a run."""
    return [sys.executable, "-m", "evaluation.forgetting.measure", str(spec_path)]


class Measuring:
    """One run of the child: the items, the rows, and what was measured so far."""

    def __init__(self, spec: ProbeSpec, progress: Progress) -> None:
        self._spec, self._progress = spec, progress
        self._cache = Path(spec.work_folder) / "measured"
        store = Store(spec.store_url)
        self._items = sorted(store.read_table(SuiteItem, spec.items, asset="forgetting"), key=lambda item: item.key)
        self._rows = _read_rows(spec, store)
        self.results: list[ProbeResult] = []
        self.rows: list[RowProbe] = []
        self.num_measured = 0

    def measure(self, model: ProbedModel, *, with_rows: bool) -> None:
        """Measure one model; it is loaded only if something was not measured before."""
        loaded: list[Engine] = []

        def load() -> Engine:
            if not loaded:
                limit = self._spec.max_new_tokens
                loaded.append(load_engine(self._spec.engine, model.name, model.path, max_new_tokens=limit))
            return loaded[0]

        settings = ProbeSettings(
            model=model.name,
            model_hash=model.model_hash,
            vocabulary=read_vocabulary(Path(model.path)),
            max_new_tokens=self._spec.max_new_tokens,
            batch_size=self._spec.batch_size,
        )
        by = {} if self._spec.engine == "transformers" else {"engine": self._spec.engine}
        cache = MeasureCache(self._cache, cache_settings(settings) | by)
        results, num_measured = probe_items(load, self._items, settings, cache, tell=self._teller(model.name, "items"))
        self.results += results
        self.num_measured += num_measured
        limits = self._spec.memorisation
        if with_rows and limits is not None and self._rows:
            rows, num_measured = probe_rows(
                load,
                self._rows,
                limits,
                model=model.name,
                model_hash=model.model_hash,
                batch_size=self._spec.batch_size,
                cache=MeasureCache(self._cache, memorisation.cache_settings(limits, model.model_hash) | by),
                tell=self._teller(model.name, "rows"),
            )
            self.rows += rows
            self.num_measured += num_measured

    def _teller(self, name: str, what: str) -> Callable[[int, int], None]:
        began = time.monotonic()

        def tell(done: int, total: int) -> None:
            left = (time.monotonic() - began) / max(done, 1) * (total - done)
            line = f"{name}: {done} of {total} {what} measured, about {left:.0f} s left for it"
            values = {"model": name, "done": done, "total": total, "seconds_left": round(left, 1)}
            self._progress.tell(line, values, is_last=done == total)

        return tell


def run(spec: ProbeSpec, progress: Progress) -> ProbeOutcome:
    """Measure everything in the spec, store the tables, and write result.json.

    Raises:
        EvaluationError: if a model is broken.
        MissingTableError: if items or rows are not in the store.
        StoreFullError: if a result cannot be written.
    """
    began, store = time.monotonic(), Store(spec.store_url)
    work = Measuring(spec, progress)
    try:
        for model in spec.models:
            work.measure(model, with_rows=model in (spec.models[0], spec.models[-1]))
        results, rows = store.write_table(ProbeResult, work.results), store.write_table(RowProbe, work.rows)
        outcome = ProbeOutcome(
            results=results.root,
            num_results=results.num_rows,
            rows=rows.root,
            num_rows=rows.num_rows,
            num_measured=work.num_measured,
            num_reused=len(work.results) + len(work.rows) - work.num_measured,
            seconds=round(time.monotonic() - began, 2),
        )
        write_result(outcome, Path(spec.work_folder))
    except OSError as error:
        raise StoreFullError(path=spec.work_folder, reason=error.strerror or str(error)) from error
    return outcome


def read_vocabulary(folder: Path) -> int:
    """Return how many tokens a model chooses from. Raises EvaluationError if its configuration does not say."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        return int((config.get("text_config") or config)["vocab_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EvaluationError(reason=f"the model in {folder} does not say how large its vocabulary is ({error}).") from error


def _read_rows(spec: ProbeSpec, store: Store) -> list[ProbedRow]:
    if spec.memorisation is None:
        return []
    tables = spec.rows
    return read_sides(
        store,
        training=tables.training,
        held_out=tables.held_out,
        documents=tables.documents,
        config=spec.memorisation,
        seed=spec.seed,
    )


def main(arguments: Sequence[str], *, watch_parent: Callable[[], None] = die_with_parent) -> int:
    """Run the spec named on the command line; see `run_as_child` for what it returns."""
    watch_parent()
    return run_as_child(Path(arguments[0]), _say_run)


def _say_run(path: Path, progress: Progress) -> str:
    outcome = run(read_spec(path), progress)
    return f"{outcome.num_measured} measured, {outcome.num_reused} reused"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
