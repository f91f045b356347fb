"""What can be found: every entity with what is done about it unless the recipe says otherwise.

DEFAULT_ACTIONS["EMAIL"]    "mask"        a finding of it becomes "[EMAIL]"
is_secret("AWS_KEY")        True
"""

from typing import Literal

Action = Literal["reject", "mask", "pseudonym", "keep", "ignore"]

PERSONAL: dict[str, Action] = {
    "EMAIL": "mask",
    "PHONE_NUMBER": "mask",
    "CREDIT_CARD": "mask",
    "IBAN": "mask",
    "CRYPTO_WALLET": "mask",
    "IP_ADDRESS": "mask",
    "MAC_ADDRESS": "mask",
    "NATIONAL_ID": "mask",
    "PASSPORT": "mask",
    "DRIVER_LICENSE": "mask",
    "DATE_OF_BIRTH": "mask",
    "PERSON": "mask",
    "STREET_ADDRESS": "mask",
    "ZIP_CODE": "mask",
    "ORGANIZATION": "keep",
    "LOCATION": "keep",
    "AGE": "ignore",
    "DATE_TIME": "ignore",
    "URL": "ignore",
}
"""Entities about people. ORGANIZATION and LOCATION need a model; AGE, DATE_TIME and URL are off, since few are private."""

SECRETS: dict[str, Action] = {
    "API_KEY": "mask",
    "AWS_KEY": "mask",
    "JWT": "mask",
    "PRIVATE_KEY": "mask",
    "PASSWORD": "mask",
    "URL_CREDENTIALS": "mask",
    "SECRET": "mask",
}
"""Entities that open a door: tokens, keys and passwords."""

DEFAULT_ACTIONS: dict[str, Action] = {**PERSONAL, **SECRETS}

PSEUDONYMOUS = frozenset(
    {
        "EMAIL",
        "PHONE_NUMBER",
        "CREDIT_CARD",
        "IBAN",
        "CRYPTO_WALLET",
        "IP_ADDRESS",
        "MAC_ADDRESS",
        "NATIONAL_ID",
        "PASSPORT",
        "DRIVER_LICENSE",
        "DATE_OF_BIRTH",
        "PERSON",
        "STREET_ADDRESS",
        "ZIP_CODE",
        "ORGANIZATION",
    }
)
"""Entities that `curation.privacy.pseudonyms` can replace by something natural."""


def is_secret(entity: str) -> bool:
    """Tell a secret from personal data."""
    return entity in SECRETS
