r"""CSV cells that no spreadsheet takes for a formula, and the way back.

neutralise("=1+1")       "'=1+1"
neutralise("fine")       "fine"
restore("'=1+1")         "=1+1"
neutralise("'=1+1")      "''=1+1"     what looks neutralised already gets one more, so that `restore` is exact

A spreadsheet calculates a cell that begins with `=`, `+`, `-` or `@`, also in full width, and some skip blanks, a byte order
mark or a tab first. Write such cells with `csv.QUOTE_ALL`: an unquoted `;` starts a new cell in half of Europe.
"""

import unicodedata

_FORMULA_STARTS = frozenset("=+-@\u2212")
_LINE_STARTS = ("\t", "\r", "\n")
_APOSTROPHE = "'"


def neutralise(cell: str) -> str:
    """Return a cell that no spreadsheet calculates: an apostrophe stands before what one might. `restore` takes it away."""
    return _APOSTROPHE + cell if _is_risky(cell) else cell


def restore(cell: str) -> str:
    """Return the cell that `neutralise` was given; a cell that it never touched comes back unchanged."""
    return cell[1:] if cell.startswith(_APOSTROPHE) and _is_risky(cell[1:]) else cell


def _is_risky(cell: str) -> bool:
    """Tell whether a cell could be calculated; apostrophes in front change nothing, which makes `restore` exact."""
    if cell.lstrip(_APOSTROPHE).startswith(_LINE_STARTS):
        return True
    first = next((character for character in cell if not _is_skipped(character)), "")
    return any(character in _FORMULA_STARTS for character in unicodedata.normalize("NFKC", first)[:1])


def _is_skipped(character: str) -> bool:
    return character == _APOSTROPHE or character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Zs")
