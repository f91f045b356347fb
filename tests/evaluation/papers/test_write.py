import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.checksums import find_changed, write_sums
from evaluation.papers import write
from evaluation.papers.config import PapersConfig
from evaluation.papers.facts import PaperFacts
from evaluation.papers.write import lay_beside, write_papers
from tests.evaluation.papers.conftest import HOSTILE


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_all_papers_are_written_and_old_ones_replaced(make_facts: Callable[..., PaperFacts], tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    expected = {"README.md", "model.cdx.json", "evidence.json", "openlineage.jsonl", ".eval_results/held_out.yaml"}
    write_papers(make_facts(text=HOSTILE), folder)
    assert files(folder) == expected
    written = write_papers(make_facts(stated=PapersConfig()), folder)
    assert files(folder) == expected - {"openlineage.jsonl"}
    assert written.num_citations == len(json.loads((folder / "evidence.json").read_text())["numbers"])
    assert list(tmp_path.glob(".papers*")) == []


def test_a_failure_leaves_the_old_papers(
    make_facts: Callable[..., PaperFacts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "papers"
    write_papers(make_facts(), folder)
    before = (folder / "README.md").read_bytes()
    monkeypatch.setattr(write, "write_atomically", lambda path, data: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        write_papers(make_facts(text="Other words."), folder)
    assert (folder / "README.md").read_bytes() == before
    assert list(tmp_path.glob(".papers*")) == []


def test_papers_beside_an_export_are_signed_and_name_its_files(make_facts: Callable[..., PaperFacts], tmp_path: Path) -> None:
    papers, export = tmp_path / "papers", tmp_path / "export"
    write_papers(make_facts(), papers)
    (export / "adapter").mkdir(parents=True)
    for name in ("model.safetensors", "adapter/adapter_model.safetensors", "README.md"):
        (export / name).write_bytes(name.encode())
    write_sums(export)
    for _ in range(2):
        lay_beside(papers, export)
        assert find_changed(export) == ""
        assert {"model.cdx.json", "evidence.json", "openlineage.jsonl", ".eval_results/held_out.yaml"} < files(export)
        model = json.loads((export / "model.cdx.json").read_text())["components"][0]
        assert model["hashes"][0]["content"] == hashlib.sha256(b"model.safetensors").hexdigest()
        named = {item["name"] for item in model["components"]}
        assert named == {"model.safetensors", "adapter/adapter_model.safetensors", "README.md"}


def test_an_export_that_is_not_signed_gets_no_papers(make_facts: Callable[..., PaperFacts], tmp_path: Path) -> None:
    write_papers(make_facts(), tmp_path / "papers")
    (tmp_path / "export").mkdir()
    with pytest.raises(ValueError, match="SHA256SUMS"):
        lay_beside(tmp_path / "papers", tmp_path / "export")


def test_the_same_facts_give_the_same_bytes(make_facts: Callable[..., PaperFacts], tmp_path: Path) -> None:
    facts = make_facts()
    write_papers(facts, tmp_path / "a")
    write_papers(replace(facts), tmp_path / "b")
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files(tmp_path / "a"))
