"""Markdown that holds whatever text comes: tables, lists, and one-line texts without markup of their own.

table(("Name", "Value"), [("a", "1")])      three lines: | Name | Value |, | --- | --- |, | a | 1 |
"""

from collections.abc import Iterable, Sequence

MAX_LINE = 2000


def plain(text: object) -> str:
    """Return a text as one printable line in which Markdown and HTML have no effect beyond emphasis."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())[:MAX_LINE]
    flat = flat.encode("utf-8", "replace").decode()
    for char in ("\\", "|", "[", "]", "`"):
        flat = flat.replace(char, f"\\{char}")
    return flat.replace("&", "&amp;").replace("<", "&lt;")


def code(text: object) -> str:
    """Return a text as code in one line; as plain text where a table could not hold the code."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())[:MAX_LINE]
    return f"`{flat}`".replace("|", "\\|") if flat and "`" not in flat and "\\|" not in flat else plain(flat) or "-"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of cells that are Markdown already; an empty text if it has no rows."""
    lines = [f"| {' | '.join(cell or '-' for cell in row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *lines]) if lines else ""


def bullets(texts: Iterable[str]) -> str:
    """Return a list of texts that are Markdown already."""
    return "\n".join(f"- {text}" for text in texts)


def paragraphs(*parts: str) -> str:
    """Join what is not empty."""
    return "\n\n".join(part for part in parts if part)


def ask_for(key: str) -> str:
    """Return what stands where nobody stated something: which key of the recipe states it."""
    return f"not stated: set `{key}` in the recipe"
