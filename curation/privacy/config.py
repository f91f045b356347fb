"""What a recipe says about personal data and secrets.

privacy:
  entities: {EMAIL: pseudonym, PERSON: pseudonym, AWS_KEY: reject, IP_ADDRESS: keep}
  placeholders: ["acme-support@acme.test"]
  phone_regions: [US, DE]
"""

import os
import re
from dataclasses import field
from typing import Literal

from curation.config import check, config
from curation.errors import PrivacySaltMissingError
from curation.privacy.entities import DEFAULT_ACTIONS, PSEUDONYMOUS, Action, is_secret

ACTIONS = ("reject", "mask", "pseudonym", "keep", "ignore")
COUNTRIES = ("au", "ca", "de", "es", "fi", "in", "it", "pl", "se", "sg", "uk", "us")


def default_labels() -> dict[str, str]:
    """Return which label of the usual models means which entity."""
    people = dict.fromkeys(("PERSON", "PER", "person", "full name"), "PERSON")
    places = dict.fromkeys(("GPE", "LOC", "FAC", "location"), "LOCATION")
    streets = dict.fromkeys(("address", "street address"), "STREET_ADDRESS")
    return {**people, **places, **streets, **dict.fromkeys(("ORG", "organization"), "ORGANIZATION")}


@config
class NerConfig:
    """A model that finds names, places and organisations, which patterns cannot. It is loaded from this machine only."""

    model: str
    """Folder of the model, or the name of an installed spaCy package or of a model in the local Hugging Face cache."""

    kind: Literal["spacy", "gliner"] = "spacy"
    """Library that reads the model: spaCy, or GLiNER (optional extra)."""

    labels: dict[str, str] = field(default_factory=default_labels)
    """Entity for each label of the model; other labels are passed over. GLiNER is asked for exactly these labels."""

    min_score: float = 0.5
    """Findings of a model that scores are dropped below this, 0 to 1."""

    def __post_init__(self) -> None:
        check(bool(self.model.strip()), "model", "must not be empty", self.model)
        check(bool(self.labels), "labels", "must name at least one label", self.labels)
        for entity in self.labels.values():
            check(entity in DEFAULT_ACTIONS, "labels", f"must map to one of {', '.join(DEFAULT_ACTIONS)}", entity)
        check(0 <= self.min_score <= 1, "min_score", "must lie in [0, 1]", self.min_score)


@config
class PrivacyConfig:
    """How documents and rows are screened."""

    entities: dict[str, Action] = field(default_factory=dict)
    """What to do about an entity where it is not the default: `reject` the row, `mask` it ("[EMAIL]"), replace it by a
    consistent `pseudonym`, `keep` it and report it, or `ignore` it."""

    min_score: float = 0.5
    """Findings below this are dropped: 1 passed a checksum, 0.85 has an unmistakable form, 0.75 has a telling word beside
    it, 0.5 has a plausible form, lower ones are guesses."""

    phone_regions: tuple[str, ...] = ("US", "GB", "DE", "FR", "ES", "IT")
    """Regions (ISO 3166, two letters) whose national phone numbers are known; numbers with "+" are known everywhere."""

    countries: tuple[str, ...] = ("us", "uk")
    """Whose national identity numbers are looked for (a telling word must stand near): au, ca, de, es, fi, in, it, pl, se,
    sg, uk, us."""

    salt: str = ""
    """Key of the pseudonyms, 8 characters or more; who has it can test guesses, so prefer `salt_env`."""

    salt_env: str = "TUNEWRIGHT_PRIVACY_SALT"
    """Environment variable that holds the key of the pseudonyms; it goes before `salt`."""

    placeholders: tuple[str, ...] = ()
    """Values that are left alone though they look private (compared without case)."""

    ner: NerConfig | None = None
    """A model for names, places and organisations; none by default, and then only names in a telling context are found."""

    max_chars: int = 5_000_000
    """A row with a longer text is rejected, because nobody has looked through it."""

    def __post_init__(self) -> None:
        for entity, action in self.entities.items():
            check(entity in DEFAULT_ACTIONS, "entities", f"knows only {', '.join(DEFAULT_ACTIONS)}", entity)
            check(action in ACTIONS, f"entities.{entity}", f"must be one of {', '.join(ACTIONS)}", action)
            can_replace = action != "pseudonym" or entity in PSEUDONYMOUS
            kind = "a secret has no pseudonym, use mask or reject" if is_secret(entity) else "has no pseudonym, use mask"
            check(can_replace, f"entities.{entity}", kind, action)
        check(0 < self.min_score <= 1, "min_score", "must lie in (0, 1]", self.min_score)
        for region in self.phone_regions:
            check(bool(re.fullmatch("[A-Z]{2}", region)), "phone_regions", "must hold ISO 3166 codes such as US", region)
        for country in self.countries:
            check(country in COUNTRIES, "countries", f"knows only {', '.join(COUNTRIES)}", country)
        check(not self.salt or len(self.salt) >= 8, "salt", "must have 8 characters or more", "*" * len(self.salt))
        check(bool(self.salt_env), "salt_env", "must not be empty", self.salt_env)
        check(self.max_chars >= 1000, "max_chars", "must be at least 1000", self.max_chars)

    def action_for(self, entity: str) -> Action:
        """Return what is to be done about an entity."""
        return self.entities.get(entity, DEFAULT_ACTIONS[entity])

    def key_of_pseudonyms(self) -> bytes:
        """Return the key from the environment or the recipe; `PrivacySaltMissingError` when there is none."""
        salt = os.environ.get(self.salt_env, "") or self.salt
        if len(salt) < 8:
            raise PrivacySaltMissingError(variable=self.salt_env)
        return salt.encode("utf-8", "surrogatepass")
