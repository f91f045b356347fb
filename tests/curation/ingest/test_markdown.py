"""Heading paths, spans, and what is not a heading."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.ingest.markdown import parse_markdown
from curation.ingest.text import normalise_markdown


def _outline(text: str) -> tuple[str, list[tuple[tuple[str, ...], str]]]:
    title, sections = parse_markdown(text, "file")
    return title, [(section.heading_path, text[section.start : section.end]) for section in sections]


def test_heading_paths_and_spans() -> None:
    text = "before\n\n# Guide\n\nintro\n\n## Install `it`\n\nrun\n\n### Deep\n\ndeep\n\n## Use\n\nuse\n\nSetext\n======\nend"
    assert _outline(text) == (
        "Guide",
        [
            (("Guide",), "before"),
            (("Guide",), "intro"),
            (("Guide", "Install it"), "run"),
            (("Guide", "Install it", "Deep"), "deep"),
            (("Guide", "Use"), "use"),
            (("Setext",), "end"),
        ],
    )


def test_fences_quotes_and_lists_hold_no_headings() -> None:
    text = "# T\n\n```sh\n# comment\n```\n\n> # quoted\n\n- # item"
    assert _outline(text) == ("T", [(("T",), "```sh\n# comment\n```\n\n> # quoted\n\n- # item")])


def test_front_matter_is_a_section_of_its_own() -> None:
    assert _outline("---\ntitle: x\n---\n# T\n\ntext") == (
        "T",
        [(("Front matter",), "---\ntitle: x\n---"), (("T",), "text")],
    )


def test_without_headings_the_file_name_is_the_title() -> None:
    assert _outline("only text") == ("file", [(("file",), "only text")])


@given(st.text(st.sampled_from("#-=> `\n\tab1.*[]()")))
def test_spans_are_ordered_disjoint_and_not_empty(text: str) -> None:
    clean = normalise_markdown(text)
    position = 0
    for section in parse_markdown(clean, "file").sections:
        assert position <= section.start < section.end <= len(clean)
        position = section.end


@pytest.mark.parametrize("text", ["![[" * 60_000, ">" * 100_000, "- " * 50_000, "[a]: <" * 20_000, "```\n" * 20_000])
def test_hostile_markdown_is_parsed_quickly(text: str) -> None:
    start = time.monotonic()
    parse_markdown(text, "file")
    assert time.monotonic() - start < 60
