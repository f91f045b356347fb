"""How much of a hostile file is read before it is refused, and the exception that refuses it.

raise Fault("too_large", "The row has more than 67,108,864 bytes.")
"""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Caps, in bytes unless they say otherwise. Beyond one, the row or the file is a rejection that names it."""

    row_bytes: int = 64 * MEBIBYTE
    """One row of a record file, and one document."""
    head_bytes: int = 256 * 1024
    """How much of a file is looked at to tell its encoding, its delimiter and the place of its records."""
    unpacked_bytes: int = 64 * 1024 * MEBIBYTE
    """What one compressed file or archive may unpack to."""
    unpacked_ratio: int = 200
    """How many times its size a compressed file may unpack to, once it has given `ratio_free_bytes`."""
    ratio_free_bytes: int = 64 * MEBIBYTE
    """Output that is always allowed, whatever the ratio: small files of repeated text compress very well."""
    members: int = 100_000
    """Files in one archive."""
    directory_bytes: int = 32 * MEBIBYTE
    """Size of an archive's table of contents, which is read as a whole."""
    spool_bytes: int = 16 * 1024 * MEBIBYTE
    """What is copied to a temporary file when a format needs to seek and the stream cannot."""
    nesting: int = 100
    """Depth of lists and objects in one row."""
    wrappers: int = 2
    """Layers of .gz, .zst and .zip around a file."""
    pages: int = 20_000
    """Pages of a PDF file."""


class Fault(Exception):
    """Why a file cannot be read (further): a short reason and one sentence. Readers turn it into a `BadRow`."""

    def __init__(self, reason: str, detail: str, candidates: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.candidates = candidates
        """What it may be instead, best first."""
