"""Only the champion is served, and only if every file of it is the one that was promoted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.checksums import write_sums
from curation.errors import ChampionChangedError, EngineMissingError, NoChampionError
from curation.home import Home
from curation.store import Snapshot
from evaluation.release.registry import LedgerEntry, open_release_ledger
from evaluation.serving import engines
from evaluation.serving.champion import ServedModel, find_champion, open_champion
from evaluation.serving.engines import Choice, choose_engine, plan_engine

Put = Callable[[str], str]
Promote = Callable[[str], LedgerEntry]
VLLM = Choice("vllm", "gpu", "asked for")


def put_export(home: Home, folder: Path, model_hash: str) -> Path:
    """Store an export that was handed over as a model."""
    (folder / "adapter").mkdir(parents=True)
    for name in ("config.json", "Modelfile", "adapter/chat_template.jinja"):
        (folder / name).write_text("{}")
    (folder / "adapter" / "adapter_config.json").write_text('{"r": 16}')
    (folder / "handover.json").write_text(json.dumps({"model_hash": model_hash}))
    write_sums(folder)
    digest = home.store().put_folder(folder)
    home.store().put_snapshot(Snapshot(asset="toy/exports", partition="", version="1", folders={"export": digest}))
    return home.store().get_folder(digest)


def put_child(home: Home, tmp_path: Path, parent: str) -> str:
    folder = tmp_path / "child"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"parent": parent}))
    return home.store().put_folder(folder)


def test_without_a_promotion_there_is_nothing_to_serve(home: Home) -> None:
    ledger = open_release_ledger(home)
    ledger.append(
        recipe="toy", action="refuse", model_hash="1" * 32, evidence_hash="", who="", reason="worse",
        expected_head=ledger.head("toy"),
    )  # fmt: skip
    with pytest.raises(NoChampionError, match="tunewright run toy"):
        find_champion(ledger, "toy")
    ledger.close()


def test_after_a_rollback_the_earlier_model_is_the_one_to_serve(home: Home, promote: Promote) -> None:
    promote("1" * 32)
    promote("2" * 32)
    ledger = open_release_ledger(home)
    assert find_champion(ledger, "toy").model_hash == "2" * 32
    ledger.append(
        recipe="toy", action="rollback", model_hash="1" * 32, evidence_hash="", who="", reason="worse",
        expected_head=ledger.head("toy"),
    )  # fmt: skip
    assert find_champion(ledger, "toy").model_hash == "1" * 32
    ledger.close()


def test_the_files_of_the_champion_are_verified_before_anything_starts(home: Home, put_model: Put, promote: Promote) -> None:
    entry = promote(put_model("one"))
    served = open_champion(home, "toy", entry)
    assert (served.model_hash, served.folder, served.export) == (entry.model_hash, served.model, None)
    (served.model / "config.json").write_text('{"name": "two"}')
    with pytest.raises(ChampionChangedError, match="its files were changed"):
        open_champion(home, "toy", entry)
    with pytest.raises(ChampionChangedError, match="not in the store"):
        open_champion(home, "toy", promote("2" * 32))


def test_an_export_is_served_only_if_it_is_of_this_model_and_untouched(
    home: Home, put_model: Put, promote: Promote, tmp_path: Path
) -> None:
    entry = promote(put_model("one"))
    put_export(home, tmp_path / "foreign", "2" * 32)
    assert open_champion(home, "toy", entry).export is None
    export = put_export(home, tmp_path / "own", entry.model_hash)
    assert open_champion(home, "toy", entry).folder == export
    (export / "Modelfile").write_text("FROM elsewhere")
    with pytest.raises(ChampionChangedError, match="in its export Modelfile was changed"):
        open_champion(home, "toy", entry)
    write_sums(export)  # whoever changes a file can sign it as well
    with pytest.raises(ChampionChangedError, match="its list of hashes was changed"):
        open_champion(home, "toy", entry)


@pytest.fixture
def served(home: Home, put_model: Put, promote: Promote, tmp_path: Path) -> ServedModel:
    entry = promote(put_child(home, tmp_path, put_model("base")))
    put_export(home, tmp_path / "export", entry.model_hash)
    return open_champion(home, "toy", entry)


def test_vllm_gets_the_merged_model_or_base_and_adapter(served: ServedModel, tmp_path: Path) -> None:
    merged = plan_engine(VLLM, served, name="toy", port=9, work=tmp_path / "w").command
    assert merged[1:] == ["serve", str(served.export), "--served-model-name", "toy", "--host", "127.0.0.1", "--port", "9"]
    adapter = plan_engine(VLLM, served, name="toy", port=9, work=tmp_path / "w", form="adapter").command
    assert adapter[2] == str(served.parent)
    options = dict(zip(adapter[3:], adapter[4:], strict=False))
    assert options["--lora-modules"] == f"toy={served.export}/adapter"
    assert options["--max-lora-rank"] == "16"
    assert options["--chat-template"] == f"{served.export}/adapter/chat_template.jinja"
    assert options["--served-model-name"] != "toy", "the base must not answer under the adapter's name"


def test_ollama_gets_a_folder_of_its_own_and_the_modelfile(served: ServedModel, tmp_path: Path) -> None:
    plan = plan_engine(Choice("ollama", "cpu", ""), served, name="toy", port=9, work=tmp_path / "w")
    assert plan.environment["OLLAMA_HOST"] == "127.0.0.1:9"
    assert Path(plan.environment["OLLAMA_MODELS"]).is_relative_to(tmp_path / "w")
    assert plan.after_start[0][1:] == ["create", "toy", "-f", f"{served.export}/Modelfile"]


def test_what_an_engine_cannot_serve_is_said_before_it_is_started(
    home: Home, put_model: Put, promote: Promote, served: ServedModel, tmp_path: Path
) -> None:
    bare = open_champion(home, "toy", promote(put_model("bare")))
    for choice, form, model, reason in (
        (Choice("transformers", "cpu", ""), "adapter", served, "it serves no adapter"),
        (VLLM, "adapter", bare, "was not exported with an adapter"),
        (Choice("ollama", "cpu", ""), "merged", bare, "was not exported with a Modelfile"),
    ):
        with pytest.raises(EngineMissingError, match=reason):
            plan_engine(choice, model, name="toy", port=9, work=tmp_path / "w", form=form)  # type: ignore[arg-type]


def test_the_engine_is_chosen_by_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there: set[str] = {"vllm", "transformers", "ollama"}
    gpu = [True]
    monkeypatch.setattr(engines, "has_gpu", lambda: gpu[0])
    monkeypatch.setattr(engines, "why_missing", lambda engine: "" if engine in there else "it is not there")
    assert choose_engine("auto")[:2] == ("vllm", "gpu")
    there.remove("vllm")
    assert choose_engine("auto")[:2] == ("transformers", "gpu")
    there.remove("transformers")
    gpu[0] = False
    assert choose_engine("auto")[:2] == ("ollama", "cpu")
    with pytest.raises(EngineMissingError, match="'vllm' cannot be used here: it is not there. Install vLLM"):
        choose_engine("vllm")
    there.clear()
    with pytest.raises(EngineMissingError, match="none of transformers, ollama"):
        choose_engine("auto")
