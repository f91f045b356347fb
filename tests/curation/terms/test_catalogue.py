"""The catalogue: what common licences and teachers allow, and that names lead to the right entry."""

import pytest

from curation.terms.expression import Name, parse_license
from curation.terms.licenses import ALIASES, HUB_NAMES, LICENSES, find_license, hub_name
from curation.terms.teachers import TEACHERS, find_teacher


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("mit", "commercial", "yes"),
        ("cc-by-nc-4.0", "commercial", "no"),
        ("CC-BY-NC-SA-3.0", "commercial", "no"),
        ("CC-BY-ND-4.0", "redistribute_data", "no"),
        ("CC-BY-ND-4.0", "train", "yes"),
        ("llama2", "compete", "no"),
        ("llama3.3", "compete", "yes"),
        ("proprietary", "train", "unknown"),
        ("own", "redistribute_data", "yes"),
    ],
)
def test_licences_allow(name: str, kind: str, expected: str) -> None:
    license = find_license(name)
    assert license is not None
    assert license.uses.permission(kind) == expected


@pytest.mark.parametrize("name", ["MIT", "CC-BY-4.0", "ODC-By-1.0", "CC-BY-SA-4.0", "gemma", "openrail"])
def test_names_have_to_be_named(name: str) -> None:
    license = find_license(name)
    assert license is not None
    assert license.uses.attribution


def test_share_alike_names_licences_that_are_listed() -> None:
    for license in LICENSES.values():
        for name in license.uses.share_alike:
            assert find_license(name) is not None or name in ("GPL-2.0-only", "GPL-3.0-only"), (license.name, name)
        assert not license.uses.share_alike or license.name in license.uses.share_alike or "or-later" in license.name


def test_other_spellings_lead_somewhere() -> None:
    for spelling, name in ALIASES.items():
        found = find_license(spelling)
        assert found is not None
        assert found.name == name


def test_every_entry_reads_back_as_itself() -> None:
    for license in LICENSES.values():
        assert parse_license(license.name) == Name(license.name)


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-5-mini", "OpenAI services"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("claude-sonnet-4-5", "Anthropic services"),
        ("gemini-2.5-flash", "Gemini API"),
        ("meta-llama/Llama-3.2-1B-Instruct", "Llama 3.1 to 4"),
        ("llama3.1:8b", "Llama 3.1 to 4"),
        ("meta-llama/Meta-Llama-3-8B", "Llama 2 and 3"),
        ("google/gemma-3-4b-it", "Gemma 1 to 3n"),
        ("google/gemma-4-12b-it", "Gemma 4"),
        ("Qwen/Qwen3-8B", "Qwen 3"),
        ("deepseek-ai/DeepSeek-R1", "DeepSeek"),
    ],
)
def test_teachers_are_found(model: str, family: str) -> None:
    terms = find_teacher(model)
    assert terms is not None
    assert terms.name == family


@pytest.mark.parametrize(
    "model", ["", "mystery", "deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "Qwen/Qwen2.5-72B-Instruct", "x" * 10**6]
)
def test_other_teachers_are_not_guessed(model: str) -> None:
    assert find_teacher(model) is None


def test_teachers_say_where_it_stands() -> None:
    assert all(terms.url.startswith("https://") and terms.statement for terms in TEACHERS)


def test_hub_names() -> None:
    assert [hub_name(name) for name in ("MIT", "GPL-3.0-or-later", "ODC-By-1.0", "LicenseRef-x", "own")] == [
        "mit",
        "gpl-3.0",
        "odc-by",
        "",
        "",
    ]
    assert {hub_name(name) for name in HUB_NAMES} == HUB_NAMES
