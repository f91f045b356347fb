"""What the rows are for, and what is known about the terms of sources and teachers (recipe section `terms`).

terms:
  use: commercial
  redistribute_model: true
  sources:
    tickets: {license: own}
    news: {license: CC-BY-4.0, url: "https://example.org/terms", retrieved: "2026-11-03", attribution: "Example News"}
  teachers:
    gpt-5-mini: {confirmed_by: "Ada Okafor", reason: "contract 2026-17, section 3"}
"""

import dataclasses
import datetime
import re
from typing import Literal

from curation.config import check, config
from curation.terms.expression import MAX_LENGTH

MAX_TEXT = 10_000


@config
class AllowedUses:
    """What was granted beyond, or is forbidden within, what the catalogue says; what is left out stays as it is there."""

    train: bool | None = None
    """Train a model on it."""

    commercial: bool | None = None
    """Use it for commercial advantage."""

    redistribute_data: bool | None = None
    """Hand on rows that were made from it."""

    redistribute_model: bool | None = None
    """Hand on a model that was trained on it."""

    compete: bool | None = None
    """Train a model that competes with the one who gave the terms."""


@config
class TermsStatement:
    """What is known about the terms of one source or one teacher."""

    license: str = ""
    """SPDX expression, a licence name of the Hugging Face Hub, `own`, `public-domain` or `proprietary`.

    Empty: the `license` of the source, or for a teacher the catalogue."""

    url: str = ""
    """Where the terms stand (http or https)."""

    retrieved: str = ""
    """When they were read, YYYY-MM-DD."""

    sha256: str = ""
    """SHA-256 of the text as read, 64 hexadecimal digits."""

    output_terms: str = ""
    """Terms of use beside the licence, words of `curation.terms.output` (`no_competing_models`, ...) joined by commas."""

    attribution: str = ""
    """The text by which the author wants to be named. Empty: name, licence and address."""

    allowed: AllowedUses | None = None
    """What a person found to be allowed, against or beyond the catalogue; needs `reason` and `confirmed_by`."""

    reason: str = ""
    """Why: the clause, the contract, the mail."""

    confirmed_by: str = ""
    """Who read the terms and stands by this statement."""

    def __post_init__(self) -> None:
        check(len(self.license) <= MAX_LENGTH, "license", f"must have at most {MAX_LENGTH} characters", len(self.license))
        check(
            re.fullmatch(r"(https?://\S{1,2000})?", self.url) is not None,
            "url",
            "must start with http:// or https://",
            self.url,
        )
        check(
            self.retrieved == "" or _is_date(self.retrieved), "retrieved", "must be a date such as 2026-11-03", self.retrieved
        )
        is_hash = re.fullmatch(r"([0-9a-fA-F]{64})?", self.sha256) is not None
        check(is_hash, "sha256", "must be 64 hexadecimal digits", self.sha256)
        for name in ("output_terms", "attribution", "reason", "confirmed_by"):
            check(
                len(getattr(self, name)) <= MAX_TEXT, name, f"must have at most {MAX_TEXT} characters", len(getattr(self, name))
            )
        for name in ("reason", "confirmed_by"):
            is_given = getattr(self, name).strip() != ""
            check(self.allowed is None or is_given, name, "must say so when 'allowed' is given", getattr(self, name))


@config
class TermsConfig:
    """The declared use of the rows, and the terms that they stand under."""

    use: Literal["internal", "research", "commercial"] = "internal"
    """`internal`: within the organisation; `research`: not for profit; `commercial`: in or for a product or service."""

    redistribute_data: bool = False
    """Whether the rows will be handed to others."""

    redistribute_model: bool = False
    """Whether the model will be handed to others (to serve it is not to hand it on)."""

    competes_with_teacher: bool = False
    """Whether the model will compete with the models of whoever runs the teacher."""

    sources: dict[str, TermsStatement] = dataclasses.field(default_factory=dict)
    """Statements by source name, beside the `license` of the source itself."""

    teachers: dict[str, TermsStatement] = dataclasses.field(default_factory=dict)
    """Statements by model name as the rows carry it. The extractive teacher needs none: it copies."""

    action: Literal["block", "drop", "warn"] = "block"
    """What happens to rows that are not allowed: stop the data set, drop them with a reason, or only say so."""


def _is_date(text: str) -> bool:
    try:
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None and datetime.date.fromisoformat(text) is not None
    except ValueError:
        return False
