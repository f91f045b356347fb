"""What a withdrawal names, and which keys that covers.

Subject.parse("news")                kind source:   news/...
Subject.parse("docs/intro.md")       kind document: that document, its rows (docs/intro.md#12) and what is named after it
Subject.parse("docs/*/draft-*")      kind pattern:  `*` stands for any characters
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, Self

import pyarrow as pa

from curation.errors import WithdrawalRefusedError

Kind = Literal["source", "document", "pattern"]
MAX_LENGTH = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A source, a document (or row), or all documents of a pattern."""

    kind: Kind
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what a person wrote. Raises WithdrawalRefusedError."""
        text = text.strip()
        if not text.strip("/* ") or len(text) > MAX_LENGTH or not text.isprintable():
            raise WithdrawalRefusedError(problem=f"'{text[:80]}' names no source, document or pattern of documents")
        if "*" in text:
            return cls(kind="pattern", text=text)
        return cls(kind="document" if "/" in text.rstrip("/") else "source", text=text.rstrip("/"))

    def covers(self, key: str) -> bool:
        """Tell whether the document or row with this key is meant."""
        if self.kind == "pattern":
            return re.fullmatch(self.regex, key, re.DOTALL) is not None
        if self.kind == "source":
            return key.startswith(f"{self.text}/")
        return key == self.text or key.startswith(f"{self.text}#")

    def may_touch(self, source: str) -> bool:
        """Tell whether a document of this source could be meant."""
        if self.kind == "pattern":
            head = self.text.partition("*")[0]
            return head.startswith(f"{source}/") or f"{source}/".startswith(head)
        return self.text.partition("/")[0] == source

    @property
    def regex(self) -> str:
        """The pattern as a regular expression over whole keys, in the syntax that Python and RE2 share."""
        return "(?:" + ".*".join(map(re.escape, self.text.split("*"))) + ")(?:#.*)?"

    def mask(self, keys: pa.Array) -> pa.Array:
        """Return which of many keys are covered, as `covers` says."""
        import pyarrow.compute as pc

        if self.kind == "pattern":
            return pc.match_substring_regex(keys, rf"(?s)\A{self.regex}\z")
        starts: Any = pc.starts_with(keys, f"{self.text}{'/' if self.kind == 'source' else '#'}")
        return starts if self.kind == "source" else pc.or_(starts, pc.equal(keys, self.text))
