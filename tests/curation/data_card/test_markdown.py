"""The card as Markdown: the whole text of a small card, and texts that try to break out."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from curation.data_card.card import CardSource, DataCard
from curation.data_card.front_matter import front_matter
from curation.data_card.markdown import escape_text, render_markdown
from curation.data_card.sections import MAX_ROWS
from tests.curation.data_card.conftest import HOSTILE, hostile_card

GOLDEN = Path(__file__).parent / "golden" / "README.md"


def read_head(text: str) -> dict[str, object]:
    head = yaml.safe_load(text.split("---\n")[1])
    assert isinstance(head, dict)
    return head


def test_the_whole_card(full_card: DataCard) -> None:
    """To renew the golden file, write `render_markdown(full_card)` to it and read the difference."""
    assert render_markdown(full_card) == GOLDEN.read_text()


def test_what_is_unknown_is_left_out() -> None:
    assert render_markdown(DataCard(name="bare")).count("\n## ") == 0
    assert read_head(render_markdown(DataCard(name="bare"))) == {
        "pretty_name": "bare",
        "task_categories": ["text-generation"],
        "tags": ["tunewright"],
    }


def test_the_hub_reads_the_front_matter(full_card: DataCard) -> None:
    from huggingface_hub import DatasetCard

    data = DatasetCard(render_markdown(full_card)).data
    assert data.license == ["cc-by-4.0", "mit"]
    assert data.language == ["de", "en"]
    assert data.size_categories == ["1K<n<10K"]
    assert data.pretty_name == "sdk_assistant"
    assert data.configs[0]["data_files"] == [{"split": "train", "path": "data/examples-train.parquet"}]


@pytest.mark.parametrize(
    ("licenses", "expected"),
    [
        (["MIT"], {"license": "mit"}),
        (["MIT OR Apache-2.0", "MIT"], {"license": ["apache-2.0", "mit"]}),
        (["GPL-3.0-or-later"], {"license": "gpl-3.0"}),
        (["MIT", "own"], {"license": "other", "license_name": "MIT, own"}),
        ([""], {}),
    ],
)
def test_licences_of_the_front_matter(licenses: list[str], expected: dict[str, object]) -> None:
    sources = tuple(CardSource(name=str(index), license=text) for index, text in enumerate(licenses))
    head = front_matter(DataCard(name="x", sources=sources))
    assert {name: head[name] for name in ("license", "license_name") if name in head} == expected


@pytest.mark.parametrize(
    ("rows", "expected"), [(1, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (5_000_000, "1M<n<10M")]
)
def test_size_categories(rows: int, expected: str) -> None:
    assert front_matter(DataCard(name="x", rows=rows))["size_categories"] == [expected]


def widths_of_tables(tokens: list[Token]) -> set[tuple[int, ...]]:
    """Return for each table the number of cells of each of its rows."""
    tables: list[list[int]] = []
    for token in tokens:
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append(0)
        elif token.type in ("th_open", "td_open"):
            tables[-1][-1] += 1
    return {tuple(rows) for rows in tables}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_text(text: str) -> None:
    written = render_markdown(hostile_card(text))
    head, _, body = written.removeprefix("---\n").partition("\n---\n\n")
    assert set(yaml.safe_load(head)) <= {"license", "license_name", "pretty_name", "size_categories", "task_categories", "tags"}
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(body)
    kinds = {token.type for token in tokens} | {child.type for token in tokens for child in token.children or ()}
    assert not kinds & {"html_block", "html_inline", "link_open", "image", "strong_open", "s_open", "fence", "hr", "code_block"}
    assert sum(token.type == "heading_open" and token.tag == "h1" for token in tokens) == 1
    assert widths_of_tables(tokens) == {(width, width) for (width, *_) in widths_of_tables(tokens)} | {(4, 4, 4)}
    assert not any(char in written for char in "\u202e\u200b\x00\x1b")


def check_cell(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(f"| a |\n| --- |\n| {escape_text(text)} |")
    (cell,) = [tokens[index + 1] for index, token in enumerate(tokens) if token.type == "td_open"]
    assert {child.type for child in cell.children or ()} <= {"text", "text_special"}
    shown = "".join(child.content for child in cell.children or ())
    assert shown == " ".join(text.split()) or not text.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_cell_shows_as_itself(text: str) -> None:
    check_cell(text)
    check_cell(text.replace("\n", " "))


@given(st.one_of(st.text(max_size=60), st.text("|\\`*_[]()<>&#$~!-+=1.) a", max_size=30)))
def test_any_cell_shows_as_itself(text: str) -> None:
    check_cell(text)


def test_long_tables_say_what_they_leave_out() -> None:
    sources = tuple(CardSource(name=f"s{number}", license="MIT") for number in range(MAX_ROWS + 7))
    assert "7 further rows are left out here." in render_markdown(DataCard(name="x", sources=sources))
