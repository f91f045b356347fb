r"""HTML -> its readable text: headings, paragraphs, lists, tables and code; scripts, styles, navigation and forms left out.

read_html("<nav>Home</nav><h1>Guide</h1><p>Run <b>it</b>.</p>", "guide").text     "# Guide\n\nRun it."

If there is one `<main>` (or one `<article>`) with text, that is the document. Hidden elements are left out.
"""

import codecs
import re
from typing import Any

from curation.ingest.readers.limits import Fault
from curation.ingest.readers.prose import Prose, ProseWriter

DROPPED = frozenset(
    ("script", "style", "noscript", "template", "nav", "footer", "aside", "form", "button", "select", "svg", "canvas")
    + ("iframe", "object", "embed", "audio", "video", "dialog", "title", "menu", "math")
)
DROPPED_ROLES = frozenset(("navigation", "search", "contentinfo", "complementary", "banner", "dialog", "menu", "alert"))
HEADINGS = {f"h{level}": level for level in range(1, 7)}
BLOCKS = frozenset(
    ("p", "div", "section", "article", "main", "header", "body", "ul", "ol", "dl", "dt", "dd", "blockquote", "table")
    + ("figure", "figcaption", "address", "details", "summary", "hr", "li", "tr", "caption", "fieldset", "thead", "tbody")
)
CHARSET_BYTES = 2048
_CHARSET = re.compile(rb"""<meta\s[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_-]{1,40})""", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_PERMALINKS = frozenset(("#", "\u00b6", "\u00a7", "\uf0c1"))


def declared_charset(head: bytes) -> str:
    """Return the encoding that a page declares in its head, as browsers read it, or nothing if it is none."""
    found = _CHARSET.search(head[:CHARSET_BYTES])
    try:
        name = codecs.lookup(found[1].decode("ascii")).name if found else ""
    except LookupError:
        return ""
    return "cp1252" if name in ("iso8859-1", "ascii") else name


def read_html(text: str, fallback_title: str) -> Prose:
    """Return the readable text of a page.

    Raises:
        Fault: `empty_text` if it has none; `invalid_html` if it cannot be parsed at all.
    """
    from lxml import etree, html

    parser = html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, encoding="utf-8")
    try:
        root = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise Fault("empty_text" if not text.strip() else "invalid_html", f"The page cannot be parsed ({error}).") from error
    page = _Page(fallback_title)
    page.read(_main_of(root))
    return page.writer.finish(_title_of(root) if not page.has_heading else "")


def _main_of(root: Any) -> Any:
    for name in ("main", "article"):
        found = list(root.iter(name))
        if len(found) == 1 and found[0].text_content().strip():
            return found[0]
    return root


def _title_of(root: Any) -> str:
    found = root.find(".//title")
    return "" if found is None else str(found.text_content())


class _Page:
    """Walks a tree without recursion and writes a block wherever one ends."""

    def __init__(self, fallback_title: str) -> None:
        self.writer = ProseWriter(fallback_title)
        self.has_heading = False
        self._inline: list[str] = []
        self._prefix = ""
        self._pre = 0

    def read(self, root: Any) -> None:
        """Write everything below an element."""
        todo: list[tuple[Any, bool]] = [(root, True)]
        while todo:
            element, opens = todo.pop()
            if not opens:
                self._end(element)
                if element is not root:
                    self._text(element.tail)
            elif _is_dropped(element):
                self._text(element.tail)
            else:
                self._start(element)
                todo.append((element, False))
                todo.extend((child, True) for child in reversed(element))
        self._flush()

    def _start(self, element: Any) -> None:
        name = element.tag
        if name in BLOCKS or name in HEADINGS or name == "pre":
            self._flush()
        if name == "li":
            self._prefix = "- "
        elif name == "br":
            self._inline.append("\n")
        elif name in ("td", "th") and any(part.strip() for part in self._inline):
            self._inline.append(" | ")
        elif name == "img" and element.get("alt"):
            self._inline.append(str(element.get("alt")))
        self._pre += name == "pre"
        self._text(element.text)

    def _end(self, element: Any) -> None:
        name = element.tag
        if name in HEADINGS:
            self.has_heading = True
            self.writer.heading(HEADINGS[name], self._take())
        elif name == "pre":
            self._pre -= 1
            code = "".join(self._inline).strip("\n")
            self._inline.clear()
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
            self.writer.block(f"{fence}\n{code}\n{fence}" if code.strip() else "")
        elif name in BLOCKS:
            self._flush()

    def _text(self, text: str | None) -> None:
        if text:
            self._inline.append(text if self._pre else _SPACE.sub(" ", text))

    def _take(self) -> str:
        lines = "".join(self._inline).split("\n")
        self._inline.clear()
        return "\n".join(_SPACE.sub(" ", line).strip() for line in lines).strip()

    def _flush(self) -> None:
        text = self._take()
        if text:
            self.writer.block(self._prefix + text)
            self._prefix = ""


def _is_dropped(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in DROPPED:
        return True
    hidden = element.get("hidden") is not None or element.get("role") in DROPPED_ROLES
    permalink = element.tag == "a" and len(element) == 0 and (element.text or "").strip() in _PERMALINKS
    return hidden or permalink
