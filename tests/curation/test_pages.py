"""Which stored files have an address: those of pages that a snapshot names, and nothing else of the store."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.pages import FILES, PREFIX, page_address, read_page
from curation.store import Snapshot, Store

REPORT = "toy/evaluation_report"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


def put(store: Store, folder: Path, asset: str, name: str, text: str = "page", *, fingerprint: str = "") -> str:
    """Store a folder as part of a snapshot, and return its hash."""
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text(text)
    found = store.put_folder(folder)
    store.put_snapshot(Snapshot(asset=asset, partition="", version="1", folders={name: found}, fingerprint=fingerprint))
    return found


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        (REPORT, "report"),
        ("toy/dataset_card", "card"),
        ("toy/quality_report", "report"),
        ("toy/sft_model", "preflight"),
        ("toy/dpo_model", "preflight"),
    ],
)
def test_pages_are_read_at_their_address(store: Store, tmp_path: Path, asset: str, name: str) -> None:
    found = put(store, tmp_path / "page", asset, name)
    assert read_page(store, page_address(asset, found)) == b"page"


@pytest.mark.parametrize(
    ("asset", "name"), [("toy/sft_model", "model"), ("toy/sft_model", "report"), (REPORT, "card"), ("toy/model_card", "card")]
)
def test_what_is_no_page_is_not_read(store: Store, tmp_path: Path, asset: str, name: str) -> None:
    """A model's folder holds weights, and might hold an index.html that somebody else wrote."""
    assert read_page(store, page_address(asset, put(store, tmp_path / "page", asset, name))) is None


def test_a_folder_that_no_snapshot_names_is_not_read(store: Store, tmp_path: Path) -> None:
    put(store, tmp_path / "page", REPORT, "report")
    (tmp_path / "page" / "index.html").write_text("stray")
    assert read_page(store, page_address(REPORT, store.put_folder(tmp_path / "page"))) is None


def test_the_page_of_another_asset_is_not_read(store: Store, tmp_path: Path) -> None:
    found = put(store, tmp_path / "page", REPORT, "report")
    assert read_page(store, page_address("toy/quality_report", found)) is None
    assert read_page(store, page_address("other/evaluation_report", found)) is None


def test_earlier_pages_stay_readable_until_they_are_collected(store: Store, tmp_path: Path) -> None:
    first = put(store, tmp_path / "page", REPORT, "report", "first", fingerprint="a")
    second = put(store, tmp_path / "page", REPORT, "report", "second", fingerprint="b")
    assert [read_page(store, page_address(REPORT, found)) for found in (first, second)] == [b"first", b"second"]
    store.files.remove(f"folders/{first}")
    assert [read_page(store, page_address(REPORT, found)) for found in (first, second)] == [None, b"second"]


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b"{}", b'{"folders": 3}', b'{"folders": null}', b'{"folders": {"report": []}}']
)
def test_a_broken_build_hides_no_other_page(store: Store, tmp_path: Path, broken: bytes) -> None:
    first = put(store, tmp_path / "page", REPORT, "report", "first", fingerprint="z")
    put(store, tmp_path / "page", REPORT, "report", "second")
    store.files.write_bytes(f"builds/{REPORT}/a.json", broken)
    assert read_page(store, page_address(REPORT, first)) == b"first"
    store.files.write_bytes(f"snapshots/{REPORT}/latest.json", broken)
    assert read_page(store, page_address(REPORT, first)) == b"first"


def test_rows_beside_a_page_and_links_out_of_it_are_not_read(store: Store, tmp_path: Path) -> None:
    (tmp_path / "page" / "data").mkdir(parents=True)
    (tmp_path / "page" / "data" / "index.html").write_text("nested")
    (tmp_path / "page" / "train.jsonl").write_text("rows")
    (tmp_path / "secret").write_text("secret")
    found = put(store, tmp_path / "page", "toy/dataset_card", "card")
    where = page_address("toy/dataset_card", found).removesuffix("index.html")
    assert [read_page(store, where + file) for file in ("train.jsonl", "data/index.html", "data", "", "README.md")] == [
        None
    ] * 5
    (store.get_folder(found) / "README.md").symlink_to(tmp_path / "secret")
    assert read_page(store, f"{where}README.md") is None


TRICKS = ["..", ".", "%2e%2e", "..%2f", "\\..", "\0", "\n", "//", "~", "index.html", "store", "folders", "snapshots", *FILES]


@given(steps=st.lists(st.sampled_from(TRICKS), max_size=8), joint=st.sampled_from(["/", "", "%2f", "\\"]))
def test_no_address_leads_out_of_the_page(tmp_path_factory: pytest.TempPathFactory, steps: list[str], joint: str) -> None:
    folder = tmp_path_factory.getbasetemp() / "walled"
    store = Store(str(folder / "store"))
    folder.mkdir(exist_ok=True)
    found = put(store, folder / "page", REPORT, "report")
    for file in FILES:
        (folder / file).write_text("outside")
        (folder / "store" / file).write_text("outside")
    tail = joint.join(steps)
    for start in (PREFIX, f"{PREFIX}/toy", f"{PREFIX}/{REPORT}", f"{PREFIX}/{REPORT}/{found}"):
        assert read_page(store, f"{start}/{tail}") in (None, b"page")
        assert read_page(store, f"{start}{joint}{tail}") in (None, b"page")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        PREFIX,
        f"{PREFIX}/",
        f"{PREFIX}/toy/evaluation_report/index.html",
        f"{PREFIX}/../toy/{'0' * 32}/index.html",
        f"{PREFIX}/toy/evaluation_report/{'0' * 31}/index.html",
        f"{PREFIX}/toy/evaluation_report/{'A' * 32}/index.html",
        f"{PREFIX}/toy/evaluation_report/{'0' * 32}/index.html\n",
        f"/x{PREFIX}/toy/evaluation_report/{'0' * 32}/index.html",
    ],
)
def test_other_addresses_name_nothing(store: Store, path: str) -> None:
    assert read_page(store, path) is None
