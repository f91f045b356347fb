"""The process that runs an embedding model, so that nobody else has to import torch.

python -m curation.embedding.worker FOLDER THREADS          frames on stdin and stdout (see `curation.embedding.frames`)

It loads a model folder without any network, answers blocks of texts until its input ends, and dies with its parent.
"""

import os
import sys
import threading
import time
from typing import Any

from curation.embedding.frames import write_frame

BATCH_TOKENS = 4_096
"""Padded tokens a batch: bounds the memory whatever the lengths."""
PARENT_POLL_SECONDS = 1.0


def main(folder: str, num_threads: int) -> None:
    """Serve one parent until it closes the pipe."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    threading.Thread(target=leave_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        model = _load(folder, num_threads)
    except Exception as error:  # whatever a model library raises, the parent has to hear of it
        write_frame(replies, {"error": f"{type(error).__name__}: {error}"})
        return
    write_frame(replies, {"dimension": int(model.get_embedding_dimension())})
    for line in sys.stdin.buffer:
        vectors = _embed(model, _texts_of(line))
        header = {"rows": int(vectors.shape[0]), "dimension": int(vectors.shape[1])}
        write_frame(replies, header, vectors.astype("<f4").tobytes())


def leave_with_parent(parent: int) -> None:
    """Wait until somebody else is the parent, then end at once."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_SECONDS)
    os._exit(1)


def _load(folder: str, num_threads: int) -> Any:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(num_threads)
    return SentenceTransformer(folder, device="cpu", local_files_only=True, trust_remote_code=False)


def _texts_of(line: bytes) -> list[str]:
    import json

    texts = json.loads(line)["texts"]
    return [str(text) for text in texts]


def _embed(model: Any, texts: list[str]) -> Any:
    """Return (num_texts, dimension) numpy rows of length 1; batches are cut by tokens, the texts come sorted by length."""
    import numpy as np

    longest = max((len(text) for text in texts), default=1)
    tokens = max(8, min(int(model.max_seq_length or 512), longest // 3 + 2))
    return np.asarray(
        model.encode(texts, batch_size=max(1, BATCH_TOKENS // tokens), normalize_embeddings=True, show_progress_bar=False)
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
