"""The recipe section `terms`, as it is read from YAML, and the shipped recipe under it."""

import json
from pathlib import Path

import pydantic
import pytest
import yaml

from curation.terms.config import TermsConfig
from curation.terms.judge import judge_terms
from curation.terms.report import assess_terms
from tests.curation.terms.conftest import MakeRow

RECIPE = Path(__file__).parents[3] / "recipes" / "sdk_assistant.yaml"
SECTION = """
use: commercial
redistribute_model: true
sources:
  tickets: {license: own}
  news: {license: CC-BY-4.0, url: "https://example.org/terms", retrieved: "2026-11-03", attribution: Example News}
teachers:
  gpt-5-mini: {confirmed_by: Ada Okafor, reason: "contract 17", allowed: {compete: true}}
"""


def read(text: str) -> TermsConfig:
    return pydantic.TypeAdapter(TermsConfig).validate_json(json.dumps(yaml.safe_load(text)))


def test_the_section_is_read() -> None:
    config = read(SECTION)
    assert config.use == "commercial"
    assert config.sources["news"].attribution == "Example News"
    assert config.teachers["gpt-5-mini"].allowed is not None
    assert config.teachers["gpt-5-mini"].allowed.compete is True


@pytest.mark.parametrize(
    "text",
    ["use: personal", "licence: MIT", "sources: {a: {licens: MIT}}", "sources: {a: {url: 'ftp://x'}}", "action: ignore"],
)
def test_mistakes_are_refused(text: str) -> None:
    with pytest.raises((pydantic.ValidationError, ValueError)):
        read(text)


def test_the_shipped_recipe_passes_with_the_defaults(make_row: MakeRow) -> None:
    recipe = yaml.safe_load(RECIPE.read_text())
    licenses = {source["name"]: source["license"] for source in recipe["sources"]}
    teacher = recipe["teacher"]["kind"]
    rows = [make_row(f"{name}/x#routing/0", license, teacher=teacher) for name, license in licenses.items()]
    rows += [make_row(f"{rows[0].key}/pair", rows[0].provenance.license, teacher=teacher, parents=(rows[0].key,))]
    judged = judge_terms(rows, TermsConfig(), licenses)
    assert assess_terms(judged.report, TermsConfig()).passed
    assert {row.provenance.terms_verdict for row in judged.rows} == {"allowed"}
