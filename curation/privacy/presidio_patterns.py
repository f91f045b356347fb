"""The checksummed recognisers of presidio-analyzer, called directly: no NLP engine, no model, no network.

recogniser("IbanRecognizer").analyze("DE89 3704 0044 0532 0130 00", ["IBAN_CODE"])

Importing presidio takes seconds (it loads spaCy, and torch where that is installed), so it happens at the first text with a
candidate, once a process. Texts reach it in windows of at most some hundred characters.
"""

import importlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Any


@cache
def recogniser(name: str) -> Any:
    """Return one of presidio's predefined recognisers by class name."""
    module = importlib.import_module("presidio_analyzer.predefined_recognizers")
    return getattr(module, name)()


@dataclass(frozen=True, slots=True)
class Paper:
    """An identity number: the country, presidio's recogniser, and the words that must stand near."""

    country: str
    name: str
    words: frozenset[str]
    """One of these words occurs in every text with a cue."""
    cue: re.Pattern[str]

    def recogniser(self) -> Any:
        """Return presidio's recogniser, loading it if need be."""
        return recogniser(self.name)


def _paper(country: str, name: str, first: str, words: str) -> Paper:
    return Paper(country, name, frozenset(first.split(" ")), re.compile(rf"(?i)(?<!\w)(?:{words})(?!\w)"))


PAPERS = (
    _paper("au", "AuTfnRecognizer", "tax tfn", "tax file number|tfn"),
    _paper("au", "AuMedicareRecognizer", "medicare", "medicare"),
    _paper("ca", "CaSinRecognizer", "social sin", "social insurance|sin number"),
    _paper(
        "de",
        "DeTaxIdRecognizer",
        "steuer steuerid steueridnr steueridentifikationsnummer tax",
        "steuer-?id(?:nr|entifikationsnummer)?|tax id",
    ),
    _paper("es", "EsNifRecognizer", "dni nif", "dni|nif"),
    _paper("es", "EsNieRecognizer", "nie", "nie"),
    _paper(
        "fi",
        "FiPersonalIdentityCodeRecognizer",
        "henkil\u00f6tunnus hetu personal",
        "henkil\u00f6tunnus|hetu|personal identity code",
    ),
    _paper("in", "InAadhaarRecognizer", "aadhaar uidai", "aadhaar|uidai"),
    _paper("in", "InPanRecognizer", "permanent pan", "permanent account number|pan(?: card| number)"),
    _paper("it", "ItFiscalCodeRecognizer", "codice fiscal", "codice fiscale|fiscal code"),
    _paper("pl", "PlPeselRecognizer", "pesel", "pesel"),
    _paper("se", "SePersonnummerRecognizer", "personnummer personal", "personnummer|personal identity number"),
    _paper("sg", "SgFinRecognizer", "nric fin", "nric|fin number"),
    _paper("uk", "NhsRecognizer", "nhs national", "nhs|national health service"),
    _paper("uk", "UkNinoRecognizer", "national ni nino", "national insurance|ni number|nino"),
    _paper("us", "UsItinRecognizer", "itin taxpayer", "itin|taxpayer identification"),
)


@cache
def recognisers_of(countries: tuple[str, ...]) -> tuple[Paper, ...]:
    """Return the identity numbers of the countries."""
    return tuple(paper for paper in PAPERS if paper.country in countries)
