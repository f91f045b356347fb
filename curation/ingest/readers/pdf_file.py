r"""PDF: the text of each page is a section. Files without a text layer and locked files are refused, saying so.

read_pdf(data, "manual", Limits()).sections[0].heading_path     ("manual", "Page 1")
"""

import io
import logging
import time
import warnings

from curation.ingest.readers.limits import Fault, Limits
from curation.ingest.readers.prose import Prose, ProseWriter

MAX_SECONDS = 600.0
"""Between pages, reading is given up after so long: a hostile file can cost minutes a page."""


def read_pdf(data: bytes, fallback_title: str, limits: Limits) -> Prose:
    """Return the text of a PDF file, page by page.

    Raises:
        Fault: `not_pdf`, `encrypted_file`, `no_text_layer`, `damaged_file` (a page cannot be read), `file_too_large`,
            `took_too_long`.
    """
    logger = logging.getLogger("pypdf")
    level, before = logger.level, time.monotonic()
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(data, fallback_title, limits, before)
    finally:
        logger.setLevel(level)


def _read(data: bytes, fallback_title: str, limits: Limits, started: float) -> Prose:
    from pypdf import PasswordType, PdfReader

    try:
        reader = PdfReader(io.BytesIO(data))
        locked = reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED
        num_pages = 0 if locked else len(reader.pages)
    except Exception as error:  # pypdf raises what it likes at damaged files
        raise Fault("not_pdf", f"The file is no PDF that can be read ({type(error).__name__}: {error}).") from error
    if locked:
        raise Fault("encrypted_file", "The PDF is encrypted; save it without its password first.")
    if num_pages > limits.pages:
        raise Fault("file_too_large", f"The PDF has {num_pages:,} pages, more than {limits.pages:,}; cut it into several.")
    writer = ProseWriter(fallback_title)
    size = 0
    for number in range(num_pages):
        try:
            text = reader.pages[number].extract_text()
        except Exception as error:
            raise Fault("damaged_file", f"Page {number + 1} cannot be read ({type(error).__name__}: {error}).") from error
        size += len(text)
        if size > limits.row_bytes:
            raise Fault("file_too_large", f"The PDF has more than {limits.row_bytes:,} characters up to page {number + 1}.")
        if time.monotonic() - started > MAX_SECONDS:
            raise Fault("took_too_long", f"Reading stopped after page {number + 1}: it took more than {MAX_SECONDS:.0f} s.")
        writer.divide(f"Page {number + 1}")
        writer.block(text)
    return _finish(writer, num_pages)


def _finish(writer: ProseWriter, num_pages: int) -> Prose:
    try:
        return writer.finish()
    except Fault as fault:
        detail = f"None of its {num_pages} pages has text; if it is a scan, add a text layer with OCR first."
        raise Fault("no_text_layer", detail) from fault
