"""The card as Markdown with the front matter of the Hugging Face Hub (README.md of a data set).

    render_markdown(card)

Every text of a source, key or licence is escaped: it can neither break out of a table nor become a link, an image or HTML.
"""

import re
from collections.abc import Iterable, Sequence

import yaml

from curation.data_card.card import DataCard
from curation.data_card.front_matter import front_matter
from curation.data_card.sections import Section, sections_of

MAX_CELL = 500
MAX_PARAGRAPH = 10_000
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")
_SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BLOCK = re.compile(r"^(?=[#=+:-])|(?<=^)(\d{1,9})(?=[.)](?:\s|$))")


def render_markdown(card: DataCard) -> str:
    """Return the whole file."""
    head = yaml.safe_dump(front_matter(card), sort_keys=False, allow_unicode=False, width=1000)
    parts = [f"# {escape_text(card.name)}", escape_text(card.description, MAX_PARAGRAPH), *_byline(card)]
    parts += [_render_section(section) for section in sections_of(card)]
    return f"---\n{head}---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _byline(card: DataCard) -> list[str]:
    facts = [
        f"{card.rows:,} rows" if card.rows else "",
        f"{card.tokens:,} {escape_text(card.unit)}" if card.tokens else "",
        f"version {_code(card.version)}" if card.version else "",
        f"made {escape_text(card.created_at[:10])}" if card.created_at else "",
        escape_text(card.owner),
    ]
    return [", ".join(fact for fact in facts if fact)]


def _render_section(section: Section) -> str:
    text = escape_text(section.text, MAX_PARAGRAPH)
    if len(section.head) == 1:
        body = "\n".join(f"- {escape_text(row[0], MAX_PARAGRAPH)}" for row in section.rows)
    else:
        body = _table(section.head, section.rows, section.code)
    return "\n\n".join(part for part in (f"## {section.title}", text, body) if part)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], code: Sequence[int]) -> str:
    lines = [f"| {' | '.join(_cell(cell, index in code) for index, cell in enumerate(row))} |" for row in rows]
    titles = " | ".join(escape_text(title) for title in head)
    return "\n".join([f"| {titles} |", "|" + " --- |" * len(head), *lines]) if lines else ""


def _cell(text: str, is_code: bool) -> str:
    return _code(text) if is_code and re.fullmatch(r"[\w./#-]{1,300}", text, re.ASCII) else escape_text(text)


def _code(text: str) -> str:
    return f"`{text}`" if re.fullmatch(r"[\w./#-]{1,300}", text, re.ASCII) else escape_text(text)


def escape_text(text: str, limit: int = MAX_CELL) -> str:
    """Return a text as one line that Markdown shows as it is; invisible characters become a replacement mark."""
    flat = _INVISIBLE.sub(lambda found: " " if found.group().isspace() else "\ufffd", text)
    flat = " ".join(flat.split())
    shown = flat if len(flat) <= limit else f"{flat[: limit - 3]}..."
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _SPECIAL.sub(lambda found: "\\" + found.group(), shown)
    return _BLOCK.sub(lambda found: f"{found.group(1) or ''}\\", shown, count=1)
