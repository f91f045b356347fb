r"""Markdown that a teacher wrote, as HTML with a handful of elements, no attribute that it could choose, and nothing left out.

render("# Prices\n\n2024. *Free* <b>x</b>")
    Markup('<p class="heading">Prices</p>\n<ul><li><span class="marker">2024.</span> <p><em>Free</em> &lt;b&gt;...')
render("[" * 100_000)
    Markup('<p class="note">Shown as plain text: it is too long to be formatted.</p><pre class="text">[[[...</pre>')

Links, images and HTML stay as the text they are, entities too. Numbers of lists are shown as written, since browsers count
anew. What stands in the text stands on the page: Markdown drops the cells of a row that has too many and whatever is nested too
deep, and a reviewer would approve what nobody saw; such a text is shown plain. So is what takes too long: 64 KiB, 50 ms.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from curation.review.web.show import is_hidden, named, reveal, shorten_for_page

MAX_BYTES = 64 * 1024
MAX_SECONDS = 0.05
"""Processor time of the thread, so that a busy machine shows the same as an idle one."""

TAGS = (
    frozenset(("p", "ul", "li", "em", "strong", "code", "pre", "blockquote", "hr", "br"))
    | frozenset(("table", "thead", "tbody", "tr", "th", "td", "span"))
)  # fmt: skip
CLASSES = {"p": {"heading", "subheading", "language"}, "span": {"marker"}}
"""The only attribute, and its only values; `show.reveal` adds `<span class="hidden" title="...">` around what is invisible."""

_MAX_LEVEL = 32
_MAX_DELIMITERS = 1_000
_MAX_COLUMNS = 64
_STEPS_A_LOOK = 8
"""How many steps pass between two looks at the clock."""
_BREAKS = {"softbreak": "\n", "hardbreak": "<br>\n", "hr": "<hr>\n"}
_SYNTAX = re.compile(r"[\s\\`*_#+\-|>~=:]+")
_HIDDEN_MARK = re.compile("\ue000([0-9A-F]{1,6})\ue001")


class _TooComplexError(Exception):
    """The text is no use as Markdown; says why."""


class _Budget:
    """The time that one text may take."""

    def __init__(self, max_seconds: float) -> None:
        self._end = time.thread_time() + max_seconds
        self._steps = 0

    def spend(self) -> None:
        """Count a step. Raises _TooComplexError once the time is over."""
        self._steps += 1
        if self._steps % _STEPS_A_LOOK == 0 and time.thread_time() > self._end:
            raise _TooComplexError("it takes too long to be formatted")


def render(text: str, *, max_seconds: float = MAX_SECONDS) -> Markup:
    """Return Markdown as HTML for a page, or as plain text under a note if it is too long or too complex.

    Plain text beyond what `show.shorten_for_page` shows is cut, which the note says.
    """
    try:
        return _format(text, max_seconds)
    except _TooComplexError as problem:
        return _plain(text, str(problem))


def _plain(text: str, problem: str) -> Markup:
    short = shorten_for_page(text)
    note = f" These are the first {len(short.text):,} of {short.num_chars:,} characters." if short.is_cut else ""
    html = Markup('<p class="note">Shown as plain text: {}.{}</p><pre class="text">{}</pre>')
    return html.format(problem, note, reveal(short.text))


def _format(text: str, max_seconds: float) -> Markup:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _TooComplexError("it is too long to be formatted")
    source = _mark_hidden(text.replace("\r\n", "\n"))
    if len(source) > 2 * MAX_BYTES:
        raise _TooComplexError("too much of it is invisible")
    if any(line.count("|") > _MAX_COLUMNS for line in text.split("\n")):
        raise _TooComplexError("it has too many columns to be formatted")
    budget = _Budget(max_seconds)
    try:
        pieces = list(_html(_PARSER.parse(source, {"budget": budget}), budget))
    except (RecursionError, RuntimeError, IndexError, ValueError) as error:
        raise _TooComplexError("it cannot be formatted") from error
    if _letters(source) != _letters("".join(shown for _, shown in pieces)):
        raise _TooComplexError("formatting would leave some of it out")
    clean = nh3.clean("".join(html for html, _ in pieces), tags=set(TAGS), attributes={}, allowed_classes=CLASSES)
    return Markup(_HIDDEN_MARK.sub(lambda mark: str(named(chr(int(mark[1], 16)))), clean))  # noqa: S704 - cleaned above


def _mark_hidden(text: str) -> str:
    """Write invisible characters as marks of private characters, which are invisible characters too, so none can be forged."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "".join(f"\ue000{ord(character):X}\ue001" if is_hidden(character) else character for character in text)


def _letters(text: str) -> str:
    """Return a text without blanks and the signs that Markdown is made of."""
    return _SYNTAX.sub("", text)


def _watch_blocks(state: Any, start: int, end: int, silent: bool) -> bool:
    state.env["budget"].spend()
    if state.level > _MAX_LEVEL:
        raise _TooComplexError("it is nested too deep to be formatted")
    return False


def _watch_inline(state: Any, silent: bool) -> bool:
    state.env["budget"].spend()
    if len(state.delimiters) > _MAX_DELIMITERS:
        raise _TooComplexError("it is too complex to be formatted")
    return False


def _build_parser() -> MarkdownIt:
    """Return the parser. It keeps no state between texts, so threads may share it."""
    options = {"html": False, "linkify": False, "typographer": False, "maxNesting": 10 * _MAX_LEVEL}
    parser = MarkdownIt("commonmark", options).enable("table")
    parser.disable(["link", "image", "autolink", "reference", "entity", "html_block", "html_inline"])
    parser.block.ruler.before("table", "watch", _watch_blocks, {"alt": ["paragraph", "blockquote", "list"]})
    parser.inline.ruler.before("text", "watch", _watch_inline)
    return parser


_PARSER = _build_parser()


def _html(tokens: Iterable[Token], budget: _Budget) -> Iterator[tuple[str, str]]:
    """Yield pieces of HTML, each with the text that it shows; no attribute comes from the text."""
    for token in tokens:
        budget.spend()
        if token.type == "inline":
            yield from _html(token.children or (), budget)
        elif token.type in _TEXTS:
            yield _TEXTS[token.type](token)
        elif token.type in _BREAKS:
            yield _BREAKS[token.type], "\n"
        elif not token.hidden:
            yield _tag(token)


def _tag(token: Token) -> tuple[str, str]:
    """Return the tag that opens or closes an element; lists are not counted by the browser, headings are paragraphs."""
    is_open = token.nesting == 1
    name, shown = {"ol": "ul"}.get(token.tag, token.tag), ""
    if token.type.startswith("heading"):
        html = f'<p class="{"heading" if token.tag in ("h1", "h2") else "subheading"}">' if is_open else "</p>\n"
    elif token.type == "list_item_open" and token.info:
        shown = f"{token.info}{token.markup} "
        html = f'<li><span class="marker">{escape(shown.strip())}</span> '
    else:
        html = f"<{name}>" if is_open else f"</{name}>\n" if token.block else f"</{name}>"
    return html, shown


def _code(token: Token) -> tuple[str, str]:
    language = f'<p class="language">{escape(token.info.strip())}</p>' if token.info.strip() else ""
    return f"{language}<pre><code>{escape(token.content)}</code></pre>\n", f"{token.info}\n{token.content}\n"


def _inline_code(token: Token) -> tuple[str, str]:
    return f"<code>{escape(token.content)}</code>", token.content


def _text(token: Token) -> tuple[str, str]:
    return str(escape(token.content)), token.content


_TEXTS: dict[str, Callable[[Token], tuple[str, str]]] = {
    "text": _text,
    "text_special": _text,
    "code_inline": _inline_code,
    "fence": _code,
    "code_block": _code,
}
