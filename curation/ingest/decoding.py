r"""Bytes -> text, strictly UTF-8, with the place of the first byte that is not.

decode_utf8(b"caf\xe9")    Undecodable(reason="not_utf8", detail="Byte 0xe9 at offset 3 is not UTF-8.")
"""

from typing import NamedTuple

_UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = {b"\xff\xfe": "UTF-16 or UTF-32, little endian", b"\xfe\xff": "UTF-16, big endian"}


class Undecodable(NamedTuple):
    """Why bytes are no text: `not_utf8` or `binary_file`, and one sentence for people."""

    reason: str
    detail: str


def strip_bom(data: bytes) -> bytes:
    """Return the bytes without a UTF-8 byte order mark."""
    return data.removeprefix(_UTF8_BOM)


def decode_utf8(data: bytes) -> str | Undecodable:
    """Decode a whole file. NUL bytes, which no text holds, mark it as binary."""
    wrong = find_binary(data)
    if wrong is not None:
        return wrong
    try:
        return strip_bom(data).decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start + len(data) - len(strip_bom(data))
        return Undecodable("not_utf8", f"Byte 0x{data[offset]:02x} at offset {offset} is not UTF-8; save the file as UTF-8.")


def find_binary(data: bytes) -> Undecodable | None:
    """Return what is wrong with bytes that cannot be a UTF-8 text file at all; None if they may be one."""
    for bom, encoding in _OTHER_BOMS.items():
        if data.startswith(bom):
            return Undecodable("not_utf8", f"Byte 0x{bom[0]:02x} at offset 0 begins {encoding}; save the file as UTF-8.")
    nul = data.find(b"\0")
    if nul >= 0:
        return Undecodable("binary_file", f"The file is not text: there is a NUL byte at offset {nul}.")
    return None
