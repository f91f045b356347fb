from hypothesis import given
from hypothesis import strategies as st

from evaluation.papers.markup import code, plain, table


@given(st.text())
def test_any_text_is_one_line_without_markup(text: str) -> None:
    for shown in (plain(text), code(text)):
        assert len(shown.splitlines()) <= 1
        shown.encode()
    assert "<" not in plain(text)
    assert not plain(text).replace("\\`", "").count("`")
    cells = table(("a", "b"), [(plain(text), code(text))]).splitlines()[-1].replace("\\\\", "").replace("\\|", "")
    assert cells.count("|") == 3


def test_a_table_without_rows_is_nothing() -> None:
    assert table(("a",), []) == ""
    assert code("") == "-"
    assert code("a `b`") == "a \\`b\\`"
    assert code("a|b") == "`a\\|b`"
    assert code("a\\|b") == "a\\\\\\|b"
