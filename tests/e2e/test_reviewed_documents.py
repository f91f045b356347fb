"""With `review.documents: all` nothing is trained before people have decided, and nothing rests on a rejected document."""

from pathlib import Path

import pytest

from assets.review import pass_review_gate
from curation.errors import ReviewGateError
from curation.home import Home
from curation.records import Document, Example, Rejection
from curation.review.queue import open_queue
from pipelines.console import quiet_warnings
from pipelines.recipe import load_recipe
from tests.e2e.tiny_recipe import STEPS, make_project
from training.config.methods import DOCUMENTS

pytestmark = pytest.mark.slow
TRAINING = {
    "base": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 400, "context_length": 256},
    "stages": [{"method": "sft", **STEPS}],
}


@pytest.mark.filterwarnings("ignore")
def test_what_rests_on_a_rejected_document_is_not_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_warnings()
    project = make_project(tmp_path, review={"policy": "none", "documents": "all"}, training=TRAINING)
    code, output = project.call("run", str(project.recipe))
    assert code == 1
    assert "12 items wait for a verdict" in output
    assert "base_model           done" not in output

    monkeypatch.setenv("TUNEWRIGHT_HOME", str(project.home))
    home, recipe = Home.from_environment(), load_recipe(project.recipe)
    store = home.store()
    with open_queue(home, "tiny") as queue:
        entries = queue.list_items("open", kind="document")
        by_key = {entry.item.record_key: entry.item.key for entry in entries}
        assert len(by_key) == queue.counts().num_open == 12
        bad = next(key for key in by_key if key.endswith("boats-keel.md"))
        for key, item in by_key.items():
            queue.submit(item, "reject" if key == bad else "approve", "Ada", reason="private" if key == bad else "")
    summary = project.run()
    assert summary["stages_trained"] == ["base_model", "sft_model"], "the base model learns from the documents as well"
    corpus = store.read_table(Document, store.snapshot("tiny/dapt_corpus").tables["documents"].root)
    kept = {document.key for document in corpus}
    assert kept
    assert bad not in kept
    rows = list(store.read_table(Example, store.snapshot("tiny/verified_examples").tables["examples"].root))
    assert rows
    assert all(span.document_key != bad for row in rows for span in row.provenance.spans)
    rejected = list(store.read_table(Rejection, store.snapshot("tiny/rejections").tables["rejected_rows"].root))
    assert {row.reason for row in rejected if bad in row.detail or row.key == bad} >= {"document_rejected"}
    assert any(row.key == bad and row.reason == "rejected_by_reviewer" for row in rejected)

    with open_queue(home, "tiny") as queue:
        queue.submit(by_key[sorted(kept)[0]], "reject", "Ada", reason="private")
    with pytest.raises(ReviewGateError, match="rejected_by_reviewer"):
        pass_review_gate(recipe, home, DOCUMENTS)
