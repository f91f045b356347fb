"""Numpydoc and Google sections, and text that only looks like one."""

import inspect

from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.docstrings import find_sections


def _texts(text: str) -> list[tuple[str, str]]:
    return [(section.kind, text[section.start : section.end]) for section in find_sections(text)]


def test_numpydoc_sections() -> None:
    text = inspect.cleandoc("""Sort rows.

        Longer text.

        Parameters
        ----------
        by
            Column.

        See Also
        --------
        reverse

        Examples
        --------
        >>> sort()
        a
        """)
    assert _texts(text) == [
        ("summary", "Sort rows."),
        ("body", "Longer text."),
        ("parameters", "by\n    Column."),
        ("see also", "reverse"),
        ("examples", ">>> sort()\na"),
    ]


def test_google_sections() -> None:
    text = inspect.cleandoc("""Sort rows.

        Args:
            by: Column.

        Returns:
            Rows.

        Note:
        not indented, so not a section
        """)
    assert _texts(text) == [
        ("summary", "Sort rows."),
        ("parameters", "    by: Column."),
        ("returns", "    Rows.\n\nNote:\nnot indented, so not a section"),
    ]


def test_tables_and_rules_are_no_sections() -> None:
    text = "Summary.\n\nShape\n--- ---\na   b\n\nsome words here, of any kind\n---------\n"
    assert [kind for kind, _ in _texts(text)] == ["summary", "body"]


def test_a_docstring_that_begins_with_a_section() -> None:
    assert _texts("Returns\n-------\nNothing.") == [("returns", "Nothing.")]


@given(st.text(st.sampled_from("Aa:-=\n \t")))
def test_sections_are_ordered_and_within_the_text(text: str) -> None:
    position = 0
    for section in find_sections(text):
        assert position <= section.start < section.end <= len(text)
        assert text[section.start : section.end].strip()
        position = section.end
