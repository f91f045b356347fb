r"""A JSON text of any length, value by value, in bounded memory: what a whole-file parser cannot do.

scan = JsonScan(stream, Limits())
scan.expect("[")
scan.next_value()        the next value as text and as a Python value, wherever its end is in the stream
"""

import codecs
import json
import re
from typing import Any, BinaryIO, NamedTuple

from curation.ingest.readers.json_text import DECODER, Wrong
from curation.ingest.readers.limits import Fault, Limits

_SPACE = re.compile(r"[ \t\r\n]*+")
_TO_BRACKET = re.compile(r'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
"""From one bracket to the next, over whole strings; possessive, so that it is linear."""
_SCALAR = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^\s,{}\[\]"]++', re.DOTALL)
_CHUNK_BYTES = 256 * 1024
_MARGIN = 16
"""An error this close to the end of what was read may come from a value that goes on."""


class Value(NamedTuple):
    """One value: its text, where it begins, and what it is or why it cannot be parsed."""

    text: str
    line: int
    parsed: Any
    may_be_damaged: bool = False
    """Whether some bytes of the stream so far were not UTF-8; they are surrogates in the text."""


class JsonScan:
    """A window on a UTF-8 stream. `line` is the line of the position, from 1; bytes that are no UTF-8 are surrogates."""

    def __init__(self, stream: BinaryIO, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._ended = False
        self._damaged = False
        self.line = 1

    def peek(self) -> str:
        """Skip white space; return the next character, or nothing at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            assert found is not None
            self._go_to(found.end())
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ""

    def expect(self, characters: str) -> str:
        """Take the next character.

        Raises:
            Fault: `damaged_file` if it is none of these.
        """
        found = self.peek()
        if not found or found not in characters:
            wanted = " or ".join(f"'{character}'" for character in characters)
            raise Fault("damaged_file", f"Line {self.line}: expecting {wanted}, found {found!r}.")
        self._go_to(self._at + 1)
        return found

    def next_value(self) -> Value:
        """Take the next value; one that cannot be parsed is taken up to its closing bracket, as a `Wrong`.

        Raises:
            Fault: if the value has no end that can be told, or is too long.
        """
        self.peek()
        line = self.line
        while True:
            try:
                parsed, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _MARGIN
                if cut and self._can_grow() and self._fill():
                    continue
                place = self.line + self._text.count("\n", self._at, error.pos)
                return self._take_wrong(line, Wrong("invalid_json", f"{error.msg} (line {place})."))
            except (ValueError, RecursionError) as error:
                reason = "duplicate_column" if "stands twice" in str(error) else "invalid_json"
                return self._take_wrong(line, Wrong(reason, f"{error}"))
            if end == len(self._text) and self._can_grow() and self._fill():
                continue
            text = self._text[self._at : end]
            self._go_to(end)
            return Value(text, line, parsed, self._damaged)

    def skip_value(self) -> None:
        """Pass over the next value without keeping it."""
        self._find_end(keep=False)

    def _take_wrong(self, line: int, wrong: Wrong) -> Value:
        start = self._find_end(keep=True)
        text = self._text[start : self._at]
        return Value(text, line, wrong, self._damaged)

    def _find_end(self, *, keep: bool) -> int:
        """Move to the end of the value; return where it began in the window, if it is kept there."""
        if self.peek() not in ("{", "["):
            return self._skip_scalar()
        depth, start, position = 0, self._at, self._at
        while True:
            found = _TO_BRACKET.match(self._text, position)
            if found is None:
                if not keep:
                    self._go_to(position)
                before = self._at
                if not self._can_grow() or not self._fill():
                    raise Fault("damaged_file", f"Line {self.line}: the value that begins here has no end.")
                position, start = position - before, start - before
                continue
            depth += 1 if found[1] in "{[" else -1
            position = found.end()
            if depth == 0:
                begin = start if keep else 0
                self._go_to(position)
                return begin

    def _skip_scalar(self) -> int:
        while True:
            found = _SCALAR.match(self._text, self._at)
            if found is not None and found.end() < len(self._text) or self._ended:
                break
            if not self._can_grow() or not self._fill():
                break
        if found is None:
            raise Fault("damaged_file", f"Line {self.line}: expecting a value.")
        start = self._at
        self._go_to(found.end())
        return start

    def _go_to(self, position: int) -> None:
        if position > self._at:
            self.line += self._text.count("\n", self._at, position)
            self._at = position

    def _can_grow(self) -> bool:
        return len(self._text) - self._at <= self._limits.row_bytes

    def _fill(self) -> bool:
        """Read on, as much again as is waiting, and drop what lies behind; False at the end of the stream."""
        waiting = len(self._text) - self._at
        while not self._ended:
            chunk = self._stream.read(max(_CHUNK_BYTES, waiting))
            self._ended = not chunk
            more = self._decoder.decode(chunk, final=not chunk)
            if more:
                self._damaged = self._damaged or _is_damaged(more)
                self._text = self._text[self._at :] + more
                self._at = 0
                return True
        return False


def _is_damaged(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
