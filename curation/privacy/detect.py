"""Find what is private in a text: a prefilter, then only the recognisers that can match.

find_findings("Mail ann.lee@corp.com", PrivacyConfig())     (Finding(entity="EMAIL", start=5, end=21, ...),)
screen_texts(["Sort a list", "Call 212-736-5000"], config)   [(), (Finding(entity="PHONE_NUMBER", ...),)]
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from curation.privacy.clues import Clues, clues_of
from curation.privacy.config import PrivacyConfig
from curation.privacy.contacts import find_addresses_of_machines, find_emails, find_phones, find_urls
from curation.privacy.echoes import Values, find_echoes
from curation.privacy.entities import DEFAULT_ACTIONS, SECRETS, is_secret
from curation.privacy.finding import Finding, Recogniser, without_overlaps
from curation.privacy.names import find_names
from curation.privacy.ner import load_ner
from curation.privacy.numbers import (
    find_accounts,
    find_ages,
    find_births,
    find_cards,
    find_dates,
    find_papers,
    find_zip_codes,
)
from curation.privacy.pieces import pieces_of
from curation.privacy.placeholders import is_placeholder
from curation.privacy.secret_values import find_private_keys, find_secrets
from curation.privacy.streets import find_streets
from curation.privacy.word_lists import words_of

_PAPER_CUES = words_of("paper_cues")
_BIRTH_CUES = ("born", "birth", "dob", "d.o.b", "geboren")
_AGE_CUES = frozenset(("age", "aged", "year", "years", "turn", "turned", "turns", "y", "yo", "m", "am", "was", "is"))
_ZIP_CUES = frozenset(("zip", "zipcode", "postal", "post", "postcode", "plz"))
_WALLET = re.compile(r"(?:bc1|[13]|0x)[a-zA-Z0-9]{25}")
_IBAN = re.compile(r"[0-9][0-9](?<=[A-Za-z]{2}[0-9]{2})[ \-]?[A-Za-z0-9]{4}")
_IPV4 = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_COLONS = re.compile(r"[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}")


def _may_hold_account(text: str, clues: Clues) -> bool:
    has_iban = clues.num_digits >= 8 and _IBAN.search(text) is not None
    return has_iban or (clues.num_digits >= 2 and _WALLET.search(clues.long_tokens) is not None)


def _may_hold_machine(text: str, clues: Clues) -> bool:
    has_dots = clues.num_digits >= 4 and text.count(".") >= 3 and _IPV4.search(text) is not None
    return has_dots or text.count(":") >= 2 and _COLONS.search(text) is not None or _MAC.search(clues.long_tokens) is not None


@dataclass(frozen=True, slots=True)
class _Rule:
    entities: tuple[str, ...]
    may_match: Callable[[str, Clues], bool]
    find: Callable[[str, Clues, PrivacyConfig], Iterable[Finding]]
    is_long: bool = False
    """What it finds can be longer than the overlap of two pieces, so it looks at the whole text."""


_RULES = (
    _Rule(("EMAIL",), lambda text, clues: clues.has_at, lambda text, clues, config: find_emails(text)),
    _Rule(
        ("PHONE_NUMBER",),
        lambda text, clues: clues.has_number,
        lambda text, clues, config: find_phones(text, config.phone_regions),
    ),
    _Rule(("CREDIT_CARD",), lambda text, clues: clues.has_number, lambda text, clues, config: find_cards(text)),
    _Rule(("IBAN", "CRYPTO_WALLET"), _may_hold_account, lambda text, clues, config: find_accounts(text)),
    _Rule(("IP_ADDRESS", "MAC_ADDRESS"), _may_hold_machine, lambda text, clues, config: find_addresses_of_machines(text)),
    _Rule(
        ("NATIONAL_ID", "PASSPORT", "DRIVER_LICENSE"),
        lambda text, clues: clues.num_digits >= 5 and clues.has_word(_PAPER_CUES),
        lambda text, clues, config: find_papers(text, clues, config.countries),
    ),
    _Rule(
        ("DATE_OF_BIRTH",),
        lambda text, clues: clues.num_digits > 0 and clues.has_part(_BIRTH_CUES),
        lambda text, clues, config: find_births(text),
    ),
    _Rule(("PERSON",), lambda text, clues: True, lambda text, clues, config: find_names(text, clues)),
    _Rule(("STREET_ADDRESS",), lambda text, clues: clues.num_digits > 0, lambda text, clues, config: find_streets(text, clues)),
    _Rule(
        ("ZIP_CODE",),
        lambda text, clues: clues.num_digits > 0 and clues.has_word(_ZIP_CUES),
        lambda text, clues, config: find_zip_codes(text),
    ),
    _Rule(
        ("AGE",),
        lambda text, clues: clues.num_digits > 0 and clues.has_word(_AGE_CUES),
        lambda text, clues, config: find_ages(text),
    ),
    _Rule(("DATE_TIME",), lambda text, clues: clues.num_digits > 0, lambda text, clues, config: find_dates(text)),
    _Rule(("URL",), lambda text, clues: "." in text, lambda text, clues, config: find_urls(text)),
    _Rule(
        tuple(SECRETS),
        lambda text, clues: bool(clues.long_tokens) or clues.has_assignment,
        lambda text, clues, config: find_secrets(text, clues),
    ),
    _Rule(
        ("PRIVATE_KEY",),
        lambda text, clues: "PRIVATE KEY" in text or "PuTTY" in text,
        lambda text, clues, config: find_private_keys(text),
        is_long=True,
    ),
)


class Detector:
    """Everything that a recipe wants found, made ready once.

    Left out: entities whose action is `ignore`, scores below `min_score`, placeholders. A value that was found once is found
    wherever it stands again in the text.
    """

    def __init__(self, config: PrivacyConfig, recognisers: Sequence[Recogniser] = ()) -> None:
        self.config = config
        self.recognisers = (*recognisers, *load_ner(config.ner)) if config.ner is not None else tuple(recognisers)
        rules = [rule for rule in _RULES if any(config.action_for(entity) != "ignore" for entity in rule.entities)]
        self.rules = tuple(rule for rule in rules if not rule.is_long)
        self.long_rules = tuple(rule for rule in rules if rule.is_long)
        self.ignored = frozenset(entity for entity in DEFAULT_ACTIONS if config.action_for(entity) == "ignore")
        self.weak = frozenset(entity for entity in DEFAULT_ACTIONS if config.action_for(entity) == "keep")
        self.allowed = frozenset(value.casefold() for value in config.placeholders)

    def find(self, text: str) -> tuple[Finding, ...]:
        """Return what is private in a text, sorted by start, without overlaps; time is linear in the text."""
        found: list[Finding] = []
        for start, end in pieces_of(text):
            piece = text if end - start == len(text) else text[start:end]
            clues = clues_of(piece)
            items = [
                item for rule in self.rules if rule.may_match(piece, clues) for item in rule.find(piece, clues, self.config)
            ]
            found += items if not start else [replace(item, start=item.start + start, end=item.end + start) for item in items]
        found.extend(
            item for rule in self.long_rules if rule.may_match(text, clues) for item in rule.find(text, clues, self.config)
        )
        for recogniser in self.recognisers:
            found.extend(item for item in recogniser.find(text) if 0 <= item.start < item.end <= len(text))
        likely = [item for item in found if self._is_likely(item, text)]
        if not likely or all(self._is_placeholder(item, text) for item in likely):
            return ()
        values = Values()
        values.add(text, (item for item in likely if not self._is_placeholder(item, text)))
        return self.with_echoes(text, likely, values)

    def with_echoes(self, text: str, found: Iterable[Finding], values: Values) -> tuple[Finding, ...]:
        """Add the places where known values stand again, in this text or another one of the same record.

        A placeholder keeps what it covers from weaker findings: the digits of a test card are no phone number.
        """
        disjoint = without_overlaps(text, [*found, *find_echoes(text, values)], self.weak)
        return tuple(item for item in disjoint if not self._is_placeholder(item, text))

    def _is_likely(self, item: Finding, text: str) -> bool:
        if item.score < self.config.min_score or item.entity in self.ignored:
            return False
        return not is_secret(item.entity) or not self._is_placeholder(item, text)

    def _is_placeholder(self, item: Finding, text: str) -> bool:
        value = text[item.start : item.end]
        return value.casefold() in self.allowed or is_placeholder(item.entity, value)


def find_findings(text: str, config: PrivacyConfig, recognisers: Sequence[Recogniser] = ()) -> tuple[Finding, ...]:
    """Return what is private in one text (see `Detector`); `recognisers` come on top of the patterns."""
    return Detector(config, recognisers).find(text)


def screen_texts(
    texts: Sequence[str], config: PrivacyConfig, recognisers: Sequence[Recogniser] = ()
) -> list[tuple[Finding, ...]]:
    """Return the findings of each text, in the order of the texts; made for many short rows, most of which hold nothing."""
    detector = Detector(config, recognisers)
    return [detector.find(text) for text in texts]
