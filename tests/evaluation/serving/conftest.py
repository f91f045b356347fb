"""Champions in a release ledger, small enough to serve: real models for a real engine, and folders that only need a name."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.home import Home
from evaluation.release.registry import LedgerEntry, open_release_ledger

Promote = Callable[[str], LedgerEntry]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    path = tmp_path / "home"
    return Home(path=path, store_url=str(path / "store"), database_url="", review_url="http://127.0.0.1:3001")


@pytest.fixture
def promote(home: Home) -> Promote:
    """Return a function that makes a model hash the champion of `toy`."""

    def make(model_hash: str) -> LedgerEntry:
        ledger = open_release_ledger(home)
        try:
            return ledger.append(
                recipe="toy", action="promote", model_hash=model_hash, evidence_hash="e" * 32, who="a test",
                reason="it is better", expected_head=ledger.head("toy"),
            )  # fmt: skip
        finally:
            ledger.close()

    return make


@pytest.fixture
def put_model(home: Home, tmp_path: Path) -> Callable[[str], str]:
    """Return a function that stores a model folder in name only, and gives its hash."""

    def put(name: str) -> str:
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"name": name}))
        return home.store().put_folder(folder)

    return put
