r"""Text normalisation: one text for everything that differs in white space only.

normalise_text("\ufeffHead  \r\n\r\n\r\n    indented\n")    "Head\n\n    indented"
"""

import re
import unicodedata

_BLANK_RUN = re.compile(r"\n{3,}")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_INNER_SPACE = re.compile(r"(?<=\S)[ \t]+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def normalise_text(text: str) -> str:
    """Return the text in NFC with LF line ends, no trailing white space, single blank lines and no outer blank lines.

    Indentation survives, so code stays code. Lone surrogates, which no UTF-8 file can hold, become U+FFFD.
    Idempotent: normalising twice changes nothing more.
    """
    if not text.isascii():
        if _SURROGATE.search(text):
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = unicodedata.normalize("NFC", text).lstrip("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" not in text:
        return text.rstrip()
    lines = "\n".join([line.rstrip() for line in text.split("\n")])
    return (_BLANK_RUN.sub("\n\n", lines) if "\n\n\n" in lines else lines).strip("\n")


def normalise_markdown(text: str) -> str:
    """Normalise Markdown: as `normalise_text`, and runs of spaces inside a line outside of code become one space."""
    lines: list[str] = []
    fence = ""
    for line in normalise_text(text).split("\n"):
        found = _FENCE.fullmatch(line)
        if fence:
            closes = found is not None and found[1].startswith(fence) and not found[2].strip()
            fence = "" if closes else fence
            lines.append(line)
            continue
        fence = found[1] if found is not None and not (found[1][0] == "`" and "`" in found[2]) else ""
        is_code = line.startswith(("    ", "\t"))
        lines.append(line if is_code or "`" in line else _INNER_SPACE.sub(_one_space, line))
    return "\n".join(lines)


def _one_space(_: re.Match[str]) -> str:
    return " "


def excerpt_of(text: str, limit: int = 500) -> str:
    """Return the start of a text for people: at most `limit` characters, valid Unicode, no control characters."""
    return _UNPRINTABLE.sub("\ufffd", text[:limit])
