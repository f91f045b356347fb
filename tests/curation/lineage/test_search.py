"""The lineage index: what is found is what a plain look at every row finds."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.lineage import index
from curation.lineage.index import part_path
from curation.lineage.search import find_descendants, open_table
from curation.lineage.subject import Subject
from curation.records import Example, Rejection, record_hash
from curation.store import Store
from tests.curation.lineage.rows import example

ROWS = [
    example("docs/a.md#qa/0", "docs/a.md", requests=("r1", "r2")),
    example("docs/a.md#qa/0#variation/0", parents=("docs/a.md#qa/0",), requests=("r2",)),
    example("made/deep", parents=("docs/a.md#qa/0#variation/0",)),
    example("docs/b.md#qa/0", "docs/b.md"),
    example("other/mixed", "docs/b.md", parents=("made/deep", "nobody")),
    example("docs/a.md.bak#qa/0", "docs/a.md.bak"),
]


def keys_of(store: Store, root: str, text: str) -> set[str]:
    table = open_table(store, root)
    return set(table.keys(find_descendants([table], [Subject.parse(text)])[0]))


def plain_descendants(rows: list[Example], subject: Subject) -> set[str]:
    found: set[str] = set()
    while True:
        more = {
            row.key
            for row in rows
            if subject.covers(row.key)
            or any(subject.covers(span.document_key) for span in row.provenance.spans)
            or found.intersection(row.provenance.parents)
        }
        if more == found:
            return found
        found = more


def test_rows_are_found_by_key_hash_and_request(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    table = open_table(store, store.write_table(Example, ROWS).root)
    for row in ROWS:
        assert [table.read(place) for place in table.find_key(row.key)] == [row]
        digest = record_hash(row)
        for length in (8, 15, 16, 20, 32):
            assert row in [table.read(place) for place in table.find_hash(digest[:length])]
    assert {table.key_at(place) for place in table.find_request("r2")} == {ROWS[0].key, ROWS[1].key}
    assert {table.key_at(place) for place in table.find_parent("made/deep")} == {"other/mixed"}
    assert table.find_key("docs/a.md#qa") == table.find_request("r3") == table.find_hash("zz") == []


@pytest.mark.parametrize("text", ["docs/a.md", "docs", "docs/*", "docs/a.md*", "*/b.md", "made", "made/deep", "doc", "*.bak"])
def test_descendants_are_those_of_a_plain_look(tmp_path: Path, text: str) -> None:
    store = Store(str(tmp_path))
    root = store.write_table(Example, ROWS).root
    assert keys_of(store, root, text) == plain_descendants(ROWS, Subject.parse(text))


def test_descendants_cross_tables_and_circles(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    one = [example("x/1", "docs/a.md"), example("x/3", parents=("x/2",))]
    two = [example("x/2", parents=("x/1", "x/3")), example("x/4", parents=("x/9",))]
    tables = [open_table(store, store.write_table(Example, rows).root) for rows in (one, two)]
    found = find_descendants(tables, [Subject.parse("docs/a.md")])
    assert [sorted(table.keys(rows)) for table, rows in zip(tables, found, strict=True)] == [["x/1", "x/3"], ["x/2"]]


@given(edges=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=25), roots=st.sets(st.integers(0, 14)))
def test_any_graph(tmp_path_factory: pytest.TempPathFactory, edges: list[tuple[int, int]], roots: set[int]) -> None:
    rows = [
        example(f"k/{n}", "docs/a.md" if n in roots else "docs/z.md", tuple(f"k/{p}" for c, p in edges if c == n))
        for n in range(15)
    ]
    store = Store(str(tmp_path_factory.mktemp("graph")))
    root = store.write_table(Example, rows).root
    assert keys_of(store, root, "docs/a.md") == plain_descendants(rows, Subject.parse("docs/a.md"))


def test_index_that_is_missing_or_damaged_is_built_from_the_shards(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    root = store.write_table(Example, ROWS).root
    path = tmp_path / part_path([shard["hash"] for shard in store.read_manifest(root)["shards"]])
    whole = path.read_bytes()
    wanted = keys_of(store, root, "docs/a.md")
    for damaged in (None, b"", whole[: len(whole) // 2], b"no index at all"):
        path.unlink()
        if damaged is not None:
            path.write_bytes(damaged)
        assert keys_of(store, root, "docs/a.md") == wanted
        assert path.read_bytes() == whole


def test_index_of_many_parts_and_of_a_remote_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curation.table_layout.ROWS_PER_SHARD", 8)
    monkeypatch.setattr(index, "SHARDS_PER_PART", 3)
    monkeypatch.setattr("curation.lineage.search.SHARDS_PER_PART", 3)
    store = Store("memory://lineage-parts")
    rows = [example(f"docs/{n}.md#qa/0", f"docs/{n}.md", (f"docs/{n - 1}.md#qa/0",) if n % 3 else ()) for n in range(200)]
    root = store.write_table(Example, rows).root
    table = open_table(store, root)
    assert len(table.parts) > 3
    assert [table.read(place) for row in rows for place in table.find_key(row.key)] == rows
    assert keys_of(store, root, "docs/30.md") == {f"docs/{n}.md#qa/0" for n in (30, 31, 32)}


def test_tables_without_a_lineage_have_no_index(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_table(Rejection, [Rejection(key="k", stage="s", reason="r", detail="", record_hash="", excerpt="")])
    assert not (tmp_path / "lineage").exists()


def test_writing_the_same_rows_again_writes_no_index_again(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.write_table(Example, ROWS)
    (path,) = (tmp_path / "lineage").rglob("*.arrow")
    before = path.stat().st_mtime_ns
    store.write_table(Example, ROWS[::-1])
    assert path.stat().st_mtime_ns == before
