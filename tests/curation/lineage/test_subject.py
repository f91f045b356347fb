"""What a withdrawal names."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import WithdrawalRefusedError
from curation.lineage.subject import Subject

KEYS = [
    "docs/a.md",
    "docs/a.md#3",
    "docs/a.mdx",
    "docs/sub/a.md",
    "documents/a.md",
    "docs",
    "a.md",
    "docs/a+b(1).md",
    "x\ny/a.md",
]


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("docs", ["docs/a.md", "docs/a.md#3", "docs/a.mdx", "docs/sub/a.md", "docs/a+b(1).md"]),
        ("docs/a.md", ["docs/a.md", "docs/a.md#3"]),
        ("docs/*/a.md", ["docs/sub/a.md"]),
        ("*.md", [key for key in KEYS if key not in ("docs/a.mdx", "docs")]),
        ("docs/a+b(1)*", ["docs/a+b(1).md"]),
    ],
)
def test_subject_covers(text: str, covered: list[str]) -> None:
    subject = Subject.parse(text)
    assert [key for key in KEYS if subject.covers(key)] == covered
    assert [key for key, hit in zip(KEYS, subject.mask(pa.array(KEYS)).to_pylist(), strict=True) if hit] == covered


@given(text=st.text("ab*/.#(+\\$", min_size=1, max_size=8), keys=st.lists(st.text("ab/.#(+\\$\n", max_size=8), max_size=8))
def test_one_key_and_many_keys_agree(text: str, keys: list[str]) -> None:
    try:
        subject = Subject.parse(text)
    except WithdrawalRefusedError:
        return
    assert subject.mask(pa.array(keys, pa.string())).to_pylist() == [subject.covers(key) for key in keys]
    for key in keys:
        if subject.covers(key) and "/" in key:
            assert subject.may_touch(key.partition("/")[0])


@pytest.mark.parametrize("text", ["", " ", "*", "/", "*/*", "a\x00b", "a" * 3000])
def test_subject_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(WithdrawalRefusedError):
        Subject.parse(text)
