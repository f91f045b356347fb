"""The papers of a model that no process trained: snapshots as the stages leave them, compared and scored for real."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets import papers
from assets.recipe import Recipe
from curation.config import as_plain
from curation.home import Home
from curation.ingest.config import SourceConfig
from curation.pages import page_address, read_page
from curation.records import ContaminationPair, Example, Message, PrivacyFinding, Provenance, Rejection
from curation.store import Snapshot
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.evidence import Probes
from evaluation.gate.comparison import compare
from evaluation.papers.citations import check_citations
from evaluation.papers.config import PapersConfig
from evaluation.records import EvalAnswer, EvalItem, Score
from evaluation.scoring import score_answers
from tests.evaluation.report.made_report import FORGETTING
from training.config import BaseModelConfig, TrainingConfig

RECIPE = "toy"


def make_recipe(**changes: Any) -> Recipe:
    sources = (
        SourceConfig(name="notes", kind="files", path="notes/*.md", license="MIT"),
        SourceConfig(name="hub", kind="huggingface", role="demonstrations", dataset="org/rows", license="MIT"),
    )
    return Recipe(name=RECIPE, sources=sources, owner="team:toys", **changes)


def rows(split: str) -> list[Example]:
    return [
        Example(
            key=f"notes/{split}/{number}",
            task="qa",
            messages=(
                Message(role="user", content=f"{split} {number}?"),
                Message(role="assistant", content=f"yes {number % 2}"),
            ),
            group=f"{split}{number}",
            split=split,  # type: ignore[arg-type]
            provenance=Provenance(origin="synthetic", method="qa"),
        )
        for number in range(60)
    ]


class Stages:
    """Writes snapshots as the stages of the graph do."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.store, self._folder, self._newest = home.store(), folder, dict[str, str]()

    def put(self, name: str, *inputs: str, partition: str = "", files: dict[str, Any] | None = None, **more: Any) -> Snapshot:
        folders = {}
        for kind, texts in (files or {}).items():
            target = self._folder / name / kind
            target.mkdir(parents=True, exist_ok=True)
            for file, value in texts.items():
                (target / file).write_text(json.dumps(value))
            folders[kind] = self.store.put_folder(target)
        tables = {kind: self.store.write_table(cls, found) for kind, (cls, found) in more.pop("tables", {}).items()}
        snapshot = Snapshot(
            asset=f"{RECIPE}/{name}",
            partition=partition,
            version=f"version of {name}",
            tables=tables,
            folders=folders,
            fingerprint=f"f-{name}",
            inputs={f"{RECIPE}/{item}": f"version of {item.partition('[')[0]}" for item in inputs},
            values=more.pop("values", {}),
        )
        self.store.put_snapshot(snapshot)
        return snapshot


def put_data(stages: Stages) -> None:
    nothing = {"rejections": (Rejection, []), "findings": (PrivacyFinding, [])}
    stages.put("source_manifest", values={"shards": {"notes-0of1": "a"}})
    for name in ("documents", "demonstrations", "candidates"):
        stages.put(name, partition="notes-0of1", tables=nothing)
    stages.put("curated_examples", "documents[notes-0of1]", tables=nothing | {"examples": (Example, rows("train"))})
    stages.put(
        "verified_examples", "curated_examples", tables={"examples": (Example, rows("train")), "rejections": (Rejection, [])}
    )
    stages.put("sft_dataset", "verified_examples", tables={"examples": (Example, rows("train")), "rejections": (Rejection, [])})
    judged = {
        guard: {"passed": True, "detail": f"{guard} is fine", "is_warning": False} for guard in ("contamination", "terms")
    }
    counted = {"judgements": judged, "contamination": {"contaminated_items": 0}}
    stages.put("dataset_audit", "sft_dataset", values=counted, tables={"contamination_pairs": (ContaminationPair, [])})


def put_models(stages: Stages) -> str:
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    stages.put("base_model", files={"model": {"config.json": config, "manifest.json": {"stage": "base"}}})
    manifest = {"config": {"method": "sft"}, "num_rows": 60, "num_parameters": 7, "seed": 0, "versions": {"torch": "2.13.0"}}
    files = {"model": {"config.json": config, "manifest.json": manifest, "model.safetensors": "weights"}}
    values = {"device": "cpu", "num_devices": 1, "device_hours": 0.25}
    return stages.put("sft_model", "sft_dataset", "base_model", files=files, values=values).folders["model"]


def put_results(stages: Stages, recipe: Recipe, model: str) -> None:
    items = [
        EvalItem(key=row.key, task="held_out", prompt=row.prompt, reference=row.answer, group=row.group) for row in rows("eval")
    ]
    answers = [
        EvalAnswer(
            key=f"{who}/{item.key}",
            comparator=who,
            model_hash=model,
            item_key=item.key,
            item_hash="h",
            group=item.group,
            prompt=item.prompt[0].content,
            reference=item.reference,
            answer=item.reference if who == "candidate" else "no",
            num_tokens=2,
        )
        for who in ("base", "candidate")
        for item in items
    ]
    scores = score_answers(answers, items, recipe.evaluation)
    compared = compare(scores, recipe.evaluation, recipe.release, items=items, answers=answers)
    stages.put("answers", "sft_model", tables={"items": (EvalItem, items), "answers": (EvalAnswer, answers)})
    stages.put("scores", "answers", tables={"scores": (Score, scores)})
    told = {"verdict": compared.verdict, "reason": compared.reason}
    stages.put("comparison", "scores", files={"comparison": {"comparison.json": as_plain(compared)}}, values=told)
    decision = {"promoted": True, "reason": "better", "model": model, "ledger_entry": "e" * 32}
    stages.put("champion", "comparison", files={"decision": {"decision.json": decision}}, values={"promoted": True})


@pytest.fixture
def make_home(home: Home, tmp_path: Path) -> Callable[[Recipe], Home]:
    def make(recipe: Recipe) -> Home:
        stages = Stages(home, tmp_path / "made")
        put_data(stages)
        put_results(stages, recipe, put_models(stages))
        return home

    return make


def materialize(home: Home, recipe: Recipe) -> Snapshot:
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize(papers.build(recipe), resources={"home": home}, instance=instance)
    return home.store().snapshot(f"{RECIPE}/model_card")


def told(home: Home, recipe: Recipe) -> dict[str, str]:
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(papers.build(recipe), resources={"home": home}, instance=instance)
    metadata = run.asset_materializations_for_node("toy__model_card")[0].metadata
    return {name: str(value.value) for name, value in metadata.items()}


def test_the_papers_are_written_from_what_the_stages_stored(make_home: Callable[[Recipe], Home]) -> None:
    recipe = make_recipe(papers=PapersConfig(openlineage="file"))
    home = make_home(recipe)
    snapshot = materialize(home, recipe)
    folder = home.store().get_folder(snapshot.folders["card"])
    numbers = json.loads((folder / "evidence.json").read_text())["numbers"]
    assert len(numbers) == snapshot.values["numbers_with_evidence"] > 20
    assert check_citations(numbers, home.store()) == []
    card = (folder / "README.md").read_text()
    assert "license: mit" in card
    assert "champion of its recipe" in card
    bom = json.loads((folder / "model.cdx.json").read_text())
    assert {item["name"] for item in bom["components"][0]["components"]} == {
        "config.json",
        "manifest.json",
        "model.safetensors",
    }
    events = [json.loads(line) for line in (folder / "openlineage.jsonl").read_text().splitlines()]
    jobs = [event["job"]["name"] for event in events if event["eventType"] == "COMPLETE"]
    assert jobs.index("toy/sft_dataset") < jobs.index("toy/sft_model") < jobs.index("toy/champion")
    assert "toy/documents[notes-0of1]" in jobs


def test_report_and_data_card_are_linked_from_the_model_card(make_home: Callable[[Recipe], Home], tmp_path: Path) -> None:
    recipe = make_recipe()
    home = make_home(recipe)
    pages = Stages(home, tmp_path / "pages")
    report = pages.put("evaluation_report", files={"report": {"index.html": "report"}}).folders["report"]
    data = pages.put("dataset_card", files={"card": {"index.html": "data"}}).folders["card"]
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(papers.build(recipe), resources={"home": home}, instance=instance)
    metadata = run.asset_materializations_for_node("toy__model_card")[0].metadata
    assert metadata["report"].value == page_address(f"{RECIPE}/evaluation_report", report)
    assert metadata["data_card"].value == page_address(f"{RECIPE}/dataset_card", data)
    assert metadata["report_path"].value == str(home.store().get_folder(report) / "index.html")
    assert metadata["data_card_path"].value == str(home.store().get_folder(data) / "index.html")
    assert read_page(home.store(), str(metadata["report"].value)) == b'"report"'
    assert read_page(home.store(), str(metadata["data_card"].value)) == b'"data"'
    assert "champion of its recipe" in str(metadata["card"].value)


def test_what_was_forgotten_is_told_with_its_place(make_home: Callable[[Recipe], Home], tmp_path: Path) -> None:
    recipe = make_recipe(forgetting=ForgettingConfig())
    home = make_home(recipe)
    probes = as_plain(Probes(stages=(FORGETTING,), memorisation=None))
    Stages(home, tmp_path / "probed").put("forgetting", "sft_model", files={"report": {"forgetting.json": probes}})
    folder = home.store().get_folder(materialize(home, recipe).folders["card"])
    assert "| instruction_following | `accuracy` | 0.710 | 0.520 | -0.190 |" in (folder / "README.md").read_text()
    numbers = json.loads((folder / "evidence.json").read_text())["numbers"]
    assert sum(item["name"].startswith("forgetting ") for item in numbers) == 5 * len(FORGETTING.areas)
    assert check_citations(numbers, home.store()) == []


def test_events_are_sent_once_and_a_server_that_is_away_is_asked_again(
    make_home: Callable[[Recipe], Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(papers=PapersConfig(openlineage="http://127.0.0.1:9"))
    home = make_home(recipe)
    first = materialize(home, recipe)
    assert told(home, recipe)["openlineage"].startswith("0 events were taken")
    sent: list[int] = []
    monkeypatch.setattr(papers, "send_events", lambda events, *_, **__: sent.append(len(events)) or "")
    assert told(home, recipe)["openlineage"] == f"{sent[0]} events sent"
    assert told(home, recipe)["openlineage"] == "sent before"
    assert len(sent) == 1
    assert materialize(home, recipe).version == first.version, "so that nothing is exported again"


@pytest.mark.parametrize(
    ("model", "hub_id", "is_built"),
    [
        (None, "", True),
        ("org/base", "org/base", False),
        ("gpt2", "gpt2", False),
        ("/models/x", "", False),
        ("a/b/c", "", False),
    ],
)
def test_only_a_name_of_the_hub_is_one(model: str | None, hub_id: str, is_built: bool) -> None:
    recipe = make_recipe(training=TrainingConfig(base=BaseModelConfig(model=model)))
    found = papers._base(recipe, "b" * 32)
    assert (found.hub_id, found.is_built) == (hub_id, is_built)
