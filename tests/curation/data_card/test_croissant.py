"""The card as Croissant: the validator of the standard accepts it, and reads the exported rows by it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from curation.data_card.card import DataCard
from curation.data_card.croissant import render_croissant
from curation.data_card.export import export_dataset
from curation.data_card.shapes import Row
from curation.terms.config import TermsConfig
from tests.curation.data_card.conftest import HOSTILE, hostile_card

VALIDATOR = Path(sys.executable).with_name("mlcroissant")


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(VALIDATOR), "validate", "--jsonld", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture
def exported(rows: list[Row], full_card: DataCard, tmp_path: Path) -> Path:
    return export_dataset(rows, tmp_path / "out", full_card, terms=TermsConfig(), licenses={"api": "MIT"}).folder


def test_the_validator_accepts_an_export(exported: Path) -> None:
    done = validate(exported / "croissant.json")
    assert done.returncode == 0, done.stderr
    assert "Done." in done.stderr
    assert "warning" not in done.stderr.lower()


@pytest.mark.slow
def test_the_validator_refuses_a_broken_card(exported: Path) -> None:
    """So that the test above can fail."""
    file = exported / "croissant.json"
    broken = json.loads(file.read_text())
    broken["recordSet"][0]["field"][0]["source"] = {"fileObject": {"@id": "nowhere"}, "extract": {"column": "x"}}
    file.write_text(json.dumps(broken))
    assert validate(file).returncode != 0


def load(folder: Path, name: str) -> list[dict[str, Any]]:
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert dataset.metadata.ctx.is_v1_1()
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    return list(dataset.records(name))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rows_load_through_the_card(exported: Path) -> None:
    plain, tool = load(exported, "examples-train")
    assert plain["examples-train/key"] == b"api/1"
    name = "examples-train/messages"
    turns = [(turn[f"{name}/role"], turn[f"{name}/content"]) for turn in plain[name]]
    assert turns == [(b"user", b"How do I see the first rows?"), (b"assistant", b"Use head().")]
    assert tool[name][1][f"{name}/first_tool_call_arguments"] == b'{"name":"head"}'
    (pair,) = load(exported, "preference-train")
    assert pair["preference-train/chosen"] == [
        {"preference-train/chosen/role": b"assistant", "preference-train/chosen/content": b"head()", **_no_tools(pair)}
    ]
    (thumb,) = load(exported, "unpaired-train")
    assert thumb["unpaired-train/label"] is False


def _no_tools(pair: dict[str, Any]) -> dict[str, Any]:
    """Return nothing: the pairs of this export use no tools, so no field for them may be there."""
    assert not any("tool" in name for name in pair)
    return {}


def test_the_card_says_what_it_conforms_to(full_card: DataCard) -> None:
    found = render_croissant(full_card)
    assert found["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert found["license"] == ["https://spdx.org/licenses/MIT.html", "https://spdx.org/licenses/CC-BY-4.0.html"]
    assert found["distribution"][0]["sha256"] == "cd" * 32
    assert found["rai:personalSensitiveInformation"] == ["EMAIL: 3 findings, action mask."]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_accepted_as_text(text: str, tmp_path: Path) -> None:
    import mlcroissant

    file = tmp_path / "croissant.json"
    file.write_text(json.dumps(render_croissant(hostile_card(text))))
    dataset = mlcroissant.Dataset(jsonld=str(file))
    assert not dataset.metadata.ctx.issues.errors
