"""Known values that stand again where no context tells: a name used later on, a password repeated in the answer.

values = Values(); values.add(prompt, findings)
find_echoes("Of course, Alice Weber!", values)     PERSON, span 11 to 22, detector "echo"
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from curation.privacy.entities import is_secret
from curation.privacy.finding import Finding

_WORD = re.compile(r"\w+")
_SCORE = 0.1  # below every recogniser, which tells more
_SHORTEST = 4
_MOST_SECRETS = 1000
_ANYWHERE = 8


class Values:
    """What was found in a text or a record, to be found again; held in memory only."""

    def __init__(self) -> None:
        self.by_word: dict[str, set[tuple[int, str, str]]] = defaultdict(set)
        self.secrets: dict[str, str] = {}

    def add(self, text: str, findings: Iterable[Finding]) -> None:
        """Take over the values of findings; of a name also its words of 4 letters or more."""
        for finding in findings:
            value = text[finding.start : finding.end]
            if is_secret(finding.entity) and len(value) >= _ANYWHERE:
                self.secrets.setdefault(value, finding.entity)
            self._add(value, finding.entity)
            if finding.entity == "PERSON":
                for word in _WORD.findall(value):
                    self._add(word, "PERSON") if word[0].isupper() else None

    def _add(self, value: str, entity: str) -> None:
        word = _WORD.search(value)
        if word is not None and len(value) >= _SHORTEST:
            self.by_word[word[0]].add((word.start(), value, entity))


def find_echoes(text: str, values: Values) -> Iterator[Finding]:
    """Find the values as whole words, and secrets of 8 characters or more anywhere."""
    if values.by_word:
        for word in _WORD.finditer(text):
            for offset, value, entity in values.by_word.get(word[0], ()):
                start = word.start() - offset
                if start >= 0 and text.startswith(value, start) and not _goes_on(text, start + len(value), value):
                    yield Finding(entity, start, start + len(value), "echo", _SCORE)
    for secret, entity in list(values.secrets.items())[:_MOST_SECRETS]:
        start = text.find(secret)
        while start >= 0:
            yield Finding(entity, start, start + len(secret), "echo", _SCORE)
            start = text.find(secret, start + len(secret))


def _goes_on(text: str, end: int, value: str) -> bool:
    return value[-1:].isalnum() and text[end : end + 1].isalnum()
