"""The hash chain: every column counts, rows of older versions keep their hashes, and the first bad entry is named."""

from typing import Any

import pytest

from curation.errors import LedgerTamperedError
from curation.records import Verdict
from curation.review.queue.chain import as_verdict, check_chain, hash_row

ROW: dict[str, Any] = {
    "recipe": "demo",
    "sequence": 1,
    "item_key": "ab" * 16,
    "decision": "edit",
    "reviewer": "Ada",
    "reviewer_kind": "human",
    "reason": "wrong",
    "edited_answer": "better",
    "created_at": "2026-11-23T10:00:00+00:00",
    "token": "t",
    "previous_hash": "",
    "role": "review",
    "supersedes": 0,
    "details": "",
}
OLD = ROW | {"role": None, "supersedes": None, "details": None}


def chain(num: int, first: dict[str, Any] = ROW) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number in range(1, num + 1):
        row = first | {"sequence": number, "previous_hash": rows[-1]["hash"] if rows else ""}
        rows.append(row | {"hash": hash_row(row)})
    return rows


@pytest.mark.parametrize("name", sorted(ROW))
@pytest.mark.parametrize("row", [ROW, OLD], ids=["new", "old"])
def test_every_column_is_part_of_the_hash(row: dict[str, Any], name: str) -> None:
    assert hash_row(row | {name: "something else"}) != hash_row(row)
    assert hash_row(row | {"hash": "x"}) == hash_row(row)


def test_rows_keep_the_hashes_that_they_were_given() -> None:
    """Recorded chains have to verify for ever: these are the hashes of the version that wrote the first ones."""
    assert hash_row(ROW) == "b22e1a256ef5662db10d7b9c56f3afe8"
    assert hash_row(OLD) == "baa0d536c681c41a376eebf881d09fdf"


@pytest.mark.parametrize("first", [ROW, OLD], ids=["new", "old"])
@pytest.mark.parametrize("num", [0, 1, 4])
def test_a_chain_that_was_left_alone_is_intact(first: dict[str, Any], num: int) -> None:
    rows = chain(num, first)
    check_chain(rows, length=num, head=rows[-1]["hash"] if rows else "")


def entry(rows: list[dict[str, Any]], length: int, head: str) -> int:
    with pytest.raises(LedgerTamperedError, match="The review ledger is not intact") as raised:
        check_chain(rows, length=length, head=head)
    return int(raised.value.fields["entry"])


def test_the_first_entry_that_does_not_follow_is_named() -> None:
    rows = chain(4)
    head = rows[-1]["hash"]
    for number in range(4):
        changed = [*rows]
        changed[number] = rows[number] | {"decision": "reject"}
        assert entry(changed, 4, head) == number + 1
    rehashed = rows[1] | {"reviewer": "Eve"}
    rehashed["hash"] = hash_row(rehashed)
    assert entry([rows[0], rehashed, *rows[2:]], 4, head) == 3
    for odd in (b"a", object(), float("nan")):  # SQLite stores whatever is written into a column
        assert entry([rows[0], rows[1] | {"supersedes": odd}, *rows[2:]], 4, head) == 2
    assert entry([rows[0], *rows[2:]], 3, head) == 3
    assert entry(rows[1:], 3, head) == 2


def test_entries_that_are_missing_or_too_many_at_the_end_are_found() -> None:
    rows = chain(3)
    head = rows[-1]["hash"]
    assert entry(rows[:2], 3, head) == 3
    assert entry(rows, 2, rows[1]["hash"]) == 4
    assert entry(rows, 3, rows[1]["hash"]) == 4
    assert entry(rows, 2, head) == 4
    assert entry([], 1, head) == 1
    assert entry([], 0, head) == 1


def test_a_row_becomes_a_record_and_what_older_rows_lack_is_empty() -> None:
    record = Verdict(
        key="ab" * 16,
        sequence=1,
        decision="edit",
        reviewer="Ada",
        reviewer_kind="human",
        reason="wrong",
        edited_answer="better",
        created_at="2026-11-23T10:00:00+00:00",
    )
    assert as_verdict(OLD) == as_verdict(ROW) == record
    later = as_verdict(ROW | {"role": "adjudication", "supersedes": 3, "details": "{}"})
    assert (later.role, later.supersedes, later.details) == ("adjudication", 3, "{}")
