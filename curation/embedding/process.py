"""An embedder that runs a sentence-transformers model in a child process.

    with ProcessEmbedder("offline-minilm") as embedder:
        vectors = embedder.embed(texts)                    (num_texts, 384) float32

The process starts with the first call and is stopped by `close`, or when its parent ends in whatever way. Texts are sent
in blocks, short ones first, each distinct text once.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from curation.embedding.embedder import Vectors
from curation.embedding.frames import FrameReader
from curation.embedding.model_files import hash_model, locate_model
from curation.errors import EmbeddingFailedError
from curation.ids import content_hash

MAX_CHARS = 4_000
"""A model reads 256 to 512 tokens; what is far beyond is not sent."""
WORKER = ("-m", "curation.embedding.worker")
BLOCK_TEXTS = 256
START_SECONDS = 300.0
BLOCK_SECONDS = 900.0
EXIT_SECONDS = 5.0
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "USE_TF": "0",
    "MALLOC_ARENA_MAX": "2",
}
_RECIPE = ["sentence-transformers", 1, MAX_CHARS]

Progress = Callable[[int, int], None]
"""Called with the number of texts done and the number in all."""


class ProcessEmbedder:
    """Runs a model given by name, folder or `offline-minilm`; nothing is ever downloaded. Not safe for several threads.

    Raises:
        EmbeddingModelMissingError: if the model is not on this machine.
    """

    _worker: "_Worker | None" = None

    def __init__(self, model: str, *, num_threads: int | None = None, progress: Progress | None = None) -> None:
        self._name = model
        self._folder = locate_model(model)
        self._num_threads = num_threads or max(1, min(4, os.cpu_count() or 1))
        self._progress = progress
        self._revision = ""

    @property
    def name(self) -> str:
        """The model as it was asked for."""
        return self._name

    @property
    def revision(self) -> str:
        """Hash of the model's files and of how texts are prepared."""
        self._revision = self._revision or content_hash([*_RECIPE, hash_model(self._folder)])
        return self._revision

    @property
    def dimension(self) -> int:
        """Length of a vector; starts the process."""
        return self._start().dimension

    @property
    def process_id(self) -> int | None:
        """The worker's process, if it runs."""
        return self._worker.process.pid if self._worker else None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return (num_texts, dimension) float32 rows of length 1.

        Raises:
            EmbeddingFailedError: if the process dies, hangs, or cannot run the model.
        """
        prepared = [_prepare(text) for text in texts]
        distinct = sorted(set(prepared), key=lambda text: (len(text), text))
        worker = self._start()
        vectors = np.zeros((len(distinct), worker.dimension), dtype=np.float32)
        for start in range(0, len(distinct), BLOCK_TEXTS):
            block = distinct[start : start + BLOCK_TEXTS]
            vectors[start : start + len(block)] = self._ask(worker, block)
            if self._progress:
                self._progress(start + len(block), len(distinct))
        places = {text: place for place, text in enumerate(distinct)}
        return vectors[[places[text] for text in prepared]]

    def _ask(self, worker: "_Worker", block: list[str]) -> Vectors:
        try:
            return worker.ask(block)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            reason = worker.explain(error)
            self.close()
            raise EmbeddingFailedError(model=self._name, reason=reason) from error

    def _start(self) -> "_Worker":
        if self._worker is None:
            worker = _Worker(self._folder, self._num_threads)
            try:
                worker.wait_until_ready()
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                reason = worker.explain(error)
                worker.stop()
                raise EmbeddingFailedError(model=self._name, reason=reason) from error
            self._worker = worker
        return self._worker

    def close(self) -> None:
        """Stop the process; the next call starts another one."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def __enter__(self) -> "ProcessEmbedder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _prepare(text: str) -> str:
    return text[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")


class _Worker:
    """The process and both ends of its pipe."""

    def __init__(self, folder: Path, num_threads: int) -> None:
        self.dimension = 0
        self._log: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        root = Path(__file__).parent.parent.parent
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = {"OMP_NUM_THREADS": str(num_threads), "MKL_NUM_THREADS": str(num_threads)}
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *WORKER, str(folder), str(num_threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **_OFFLINE, **threads, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self._reader = FrameReader(self.process.stdout.fileno())

    def wait_until_ready(self) -> None:
        header, _ = self._reader.read(START_SECONDS)
        _raise_if_refused(header)
        self.dimension = int(header["dimension"])

    def ask(self, texts: list[str]) -> Vectors:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"texts": texts}).encode() + b"\n")
        self.process.stdin.flush()
        header, body = self._reader.read(BLOCK_SECONDS)
        _raise_if_refused(header)
        vectors = np.frombuffer(body, dtype="<f4").reshape(len(texts), self.dimension)
        if not np.isfinite(vectors).all():
            raise ValueError("the model gave numbers that are not finite")
        return vectors.astype(np.float32)

    def explain(self, error: Exception) -> str:
        """Say in one sentence why the worker gave no answer."""
        if isinstance(error, ValueError):
            return str(error)
        if isinstance(error, TimeoutError):
            return "it did not answer in time"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=EXIT_SECONDS)
        code = self.process.poll()
        self._log.seek(0)
        lines = self._log.read()[-4_000:].decode("utf-8", "replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return f"its process ended (exit {code})" + (f": {said[-1][:300]}" if said else "")

    def stop(self) -> None:
        """End the process and close the pipes."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self._log):
            if pipe is not None:
                _close(pipe)


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return


def _raise_if_refused(header: dict[str, Any]) -> None:
    if "error" in header:
        raise ValueError(str(header["error"])[:500])
