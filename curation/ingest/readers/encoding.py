r"""Which character encoding a text file has, never guessed in silence.

detect_encoding(b"\xff\xfeh\0i\0", whole=True)     Encoding(name="utf-16", confidence=1.0, how="byte order mark")
detect_encoding(b"caf\xe9", whole=True)            Fault("not_utf8", "Byte 0xe9 at offset 3 is not UTF-8; it may be ...")
"""

import codecs
import re
from typing import NamedTuple

from curation.ingest.readers.limits import Fault

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
DETECTION_BYTES = 64 * 1024
"""How many bytes the detection by statistics looks at, from the first that is not ASCII."""
MIN_WIDE_BYTES = 12
"""So many bytes that are not ASCII are needed before statistics say anything."""
RIVAL_CHAOS = 0.1
"""A candidate rivals the best one if it makes hardly more of a mess. With 0.1, chosen on 193 real texts, none of
them was taken for another one; Western texts in one of the 8-bit code pages are nearly always refused: too many fit."""
CANDIDATES = (
    "cp1252", "iso8859_15", "mac_roman", "cp850", "cp437", "cp1250", "iso8859_2", "mac_latin2", "cp852", "cp1251", "koi8_r",
    "cp866", "mac_cyrillic", "cp1253", "iso8859_7", "cp1254", "cp1255", "cp1256", "cp1257", "cp932", "euc_jp", "gb18030",
    "big5", "euc_kr", "cp874",
)  # fmt: skip
"""The legacy encodings that real files have, the most frequent first."""
MAX_CANDIDATES = 8
_WIDE_BYTE = re.compile(rb"[\x80-\xff]")


class Encoding(NamedTuple):
    """The encoding of a text: Python's name, how sure it is (1.0 where it follows from the bytes), and how it was found."""

    name: str
    confidence: float
    how: str
    """`declared`, `valid`, `byte order mark`, `detected`, `valid but for some rows`, `ascii rows only`."""
    candidates: tuple[str, ...] = ()
    """What it may be besides, best first."""


def detect_encoding(head: bytes, *, whole: bool, declared: str = "") -> Encoding:
    """Return the encoding of a text of which `head` is the start, or with `whole` all.

    UTF-8 is tried first and strictly, then byte order marks, then statistics (charset-normalizer). Statistics decide only
    if every plausible encoding gives the same text.

    Raises:
        Fault: `binary_file` if it is no text; `not_utf8`, with the first bad byte and the candidates, if it is ambiguous.
    """
    if declared:
        return Encoding(codecs.lookup(declared).name, 1.0, "declared")
    marked = marked_encoding(head)
    if marked and marked != "utf-8":
        return Encoding(marked, 1.0, "byte order mark")
    nul = head.find(b"\0")
    if nul >= 0:
        raise Fault("binary_file", f"The file is not text: there is a NUL byte at offset {nul}.")
    offset = first_bad_byte(head, whole=whole)
    if offset < 0:
        return Encoding("utf-8", 1.0, "byte order mark" if marked else "valid")
    return _detect_by_statistics(head, offset)


def marked_encoding(head: bytes) -> str:
    """Return the encoding that a byte order mark names, or nothing."""
    return next((name for bom, name in _BOMS if head.startswith(bom)), "")


def first_bad_byte(data: bytes, *, whole: bool) -> int:
    """Return the offset of the first byte that is not UTF-8, or -1; a character cut off by the end of a head is none."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(data, final=whole)
    except UnicodeDecodeError as error:
        return error.start
    return -1


def looks_damaged(head: bytes) -> bool:
    """Tell whether the head is UTF-8 with a few bad lines, rather than a text in another encoding."""
    if marked_encoding(head):
        return False
    wide = [line for line in head.split(b"\n") if _WIDE_BYTE.search(line)]
    bad = sum(first_bad_byte(line, whole=True) >= 0 for line in wide)
    return 0 < bad * 2 <= len(wide)


def _detect_by_statistics(head: bytes, offset: int) -> Encoding:
    from charset_normalizer import from_bytes

    sample = head[max(0, offset - 1024) : offset + DETECTION_BYTES]
    found = list(from_bytes(sample, cp_isolation=list(CANDIDATES), enable_fallback=False))
    where = f"Byte 0x{head[offset]:02x} at offset {offset} is not UTF-8"
    if not found:
        raise Fault("not_utf8", f"{where}, and no other encoding fits; save the file as UTF-8.")
    named = {name for match in found for name in (match.encoding, *match.could_be_from_charset)}
    candidates = tuple(name for name in CANDIDATES if name in named)[:MAX_CANDIDATES]
    rivals = [match for match in found[1:] if match.chaos <= found[0].chaos + RIVAL_CHAOS]
    if len(_WIDE_BYTE.findall(sample)) < MIN_WIDE_BYTES or any(str(rival) != str(found[0]) for rival in rivals):
        detail = f"{where}; it may be {', '.join(candidates)}. Save the file as UTF-8, or declare `encoding`."
        raise Fault("not_utf8", detail, candidates)
    confidence = round(min(0.99, 1.0 - found[0].chaos), 3)
    return Encoding(codecs.lookup(found[0].encoding).name, confidence, "detected")
