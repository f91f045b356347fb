"""The chain of a row: found by key, hash and call, in a store where most of the rows are not looked at."""

from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import UnknownIdError
from curation.home import Home
from curation.records import Document, Example, SourceSpan, record_hash
from curation.store import Snapshot, Store
from pipelines.trace import trace_id
from tests.curation.lineage.rows import example
from tests.pipelines.toy_recipe import toy_home

TEXT = "The oar belongs to boats."


def put(store: Store, asset: str, name: str, rows: list, cls: type) -> None:
    tables = {name: store.write_table(cls, rows)}
    store.put_snapshot(Snapshot(asset=f"toy/{asset}", partition="", version="1", tables=tables))


def document(key: str, text: str) -> Document:
    return Document(
        key=key, source="docs", title=key, kind="text", text=text, sections=(), group=key, license="", output_terms=""
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = toy_home(tmp_path)
    store, oar = home.store(), document("docs/oar.md", TEXT)
    span = SourceSpan(document_key=oar.key, document_hash=record_hash(oar), start=4, end=7)
    row = example("docs/oar.md#qa/0", oar.key)
    row = replace(row, provenance=replace(row.provenance, spans=(span,)))
    put(store, "documents", "documents", [oar, document("docs/keel.md", "Another.")], Document)
    put(store, "candidates", "examples", [row, *(example(f"docs/{n}.md#qa/0", f"docs/{n}.md") for n in range(50))], Example)
    put(store, "curated_examples", "examples", [example("docs/oar.md#variation/0", parents=(row.key,))], Example)
    return home


def test_row_leads_to_its_parent_and_the_very_words_of_the_source(home: Home) -> None:
    chain = trace_id(home, "docs/oar.md#variation/0")
    (parent,) = chain.origins
    assert (chain.facts["asset"], parent.facts["asset"]) == ("toy/curated_examples", "toy/candidates")
    assert parent.id == "docs/oar.md#qa/0"
    (source,) = parent.origins
    assert (source.id, source.facts["text"]) == ("docs/oar.md 4..7", "oar")


def test_row_is_found_by_a_prefix_of_its_hash_but_not_by_one_too_short(home: Home) -> None:
    digest = record_hash(example("docs/7.md#qa/0", "docs/7.md"))
    for length in (8, 20, 32):
        assert trace_id(home, digest[:length]).id == "docs/7.md#qa/0"
    for wrong in (digest[:7], digest[:31] + "z", "docs/7.md#qa"):
        with pytest.raises(UnknownIdError):
            trace_id(home, wrong)


def test_one_shard_is_read_for_a_row(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Store.read_shard

    def counted(store: Store, cls: type, shard: dict) -> object:
        read.append(cls.__name__)
        return original(store, cls, shard)

    monkeypatch.setattr(Store, "read_shard", counted)
    trace_id(home, "docs/7.md#qa/0")
    assert read == ["Example"]


def test_rows_that_descend_from_each_other_end(home: Home) -> None:
    rows = [example("x/1", parents=("x/2",)), example("x/2", parents=("x/1",))]
    put(home.store(), "verified_examples", "examples", rows, Example)
    (parent,) = trace_id(home, "x/1").origins
    assert (parent.id, parent.origins) == ("x/2", ())
