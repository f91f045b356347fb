"""Chunks are verbatim, disjoint, in order, and no longer than asked for."""

import dataclasses

import hypothesis
from hypothesis import strategies as st

from curation.ingest.markdown import parse_markdown
from curation.records import Document, Section
from curation.synthesis.chunks import MIN_CHUNK_CHARS, cut_chunks

PIECES = ("# Head", "## Part", "A sentence of some length. And another one.", "```", "x" * 400, "\n", "word " * 60, "---")
markdown = st.lists(st.sampled_from(PIECES), max_size=30).map("\n\n".join)


def document_of(text: str, *, with_sections: bool = True) -> Document:
    outline = parse_markdown(text, "Guide")
    return Document(
        key="guide/a",
        source="guide",
        title=outline.title,
        kind="markdown",
        text=text,
        sections=outline.sections if with_sections else (),
        group="a",
        license="",
        output_terms="",
    )


@hypothesis.given(markdown, st.booleans(), st.integers(200, 700))
def test_chunks_are_disjoint_and_no_longer_than_asked(text: str, with_sections: bool, max_chars: int) -> None:
    end = 0
    for chunk in cut_chunks(document_of(text, with_sections=with_sections), max_chars=max_chars):
        assert end <= chunk.start < chunk.end <= len(text)
        assert MIN_CHUNK_CHARS <= chunk.end - chunk.start <= max_chars
        assert text[chunk.start : chunk.end] == text[chunk.start : chunk.end].strip()
        end = chunk.end


def test_every_long_paragraph_is_in_a_chunk() -> None:
    paragraphs = [f"Paragraph {number} says something that is long enough to be asked about. " * 3 for number in range(30)]
    text = "# Guide\n\n" + "\n\n".join(f"## Part {n}\n\n{paragraph.strip()}" for n, paragraph in enumerate(paragraphs))
    chunks = cut_chunks(document_of(text), max_chars=600)
    together = "\n".join(text[chunk.start : chunk.end] for chunk in chunks)
    assert all(paragraph.strip() in together for paragraph in paragraphs)
    assert chunks[3].title == "Guide: Part 3"


def test_code_is_not_cut_where_prose_can_be() -> None:
    code = "```\n" + "\n\n".join(f"call({number})" for number in range(24)) + "\n```"
    text = f"{'A first paragraph. ' * 20}\n\n{code}\n\n{'A last paragraph. ' * 30}"
    chunks = cut_chunks(document_of(text, with_sections=False), max_chars=600)
    assert text.index(code) + len(code) > 600, "the code reaches over the first cut"
    assert any(code in text[chunk.start : chunk.end] for chunk in chunks)


def test_sections_that_overlap_are_not_told_twice() -> None:
    text = "The first sentence is said once and at some length here. " * 12
    document = document_of(text)
    twice = tuple(Section(heading_path=(name,), kind="body", start=start, end=500) for name, start in (("a", 0), ("b", 200)))
    chunks = cut_chunks(dataclasses.replace(document, sections=twice), max_chars=600)
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(0, 499)]


def test_short_sections_are_joined() -> None:
    text = (
        "# A\n\nShort.\n\n## B\n\n"
        + "Long enough to stand by itself in any case. " * 6
        + "\n\n## C\n\n"
        + "More words here. " * 40
    )
    first = cut_chunks(document_of(text), max_chars=600)[0]
    assert text[first.start : first.end].startswith("Short.")
    assert "Long enough" in text[first.start : first.end]
