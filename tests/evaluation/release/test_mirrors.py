"""Mirrors are told after the ledger; what they do or fail to do changes no release."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.errors import ConfigError, LedgerTamperedError, MirrorError
from curation.home import Home
from curation.store import Store
from evaluation.release.mirror_config import MirrorsConfig
from evaluation.release.mirrors.hub import Hub
from evaluation.release.mirrors.mirror import Announcement
from evaluation.release.mirrors.mlflow_registry import MlflowRegistry
from evaluation.release.mirrors.sync import MirrorReport, make_mirrors, sync_mirrors
from evaluation.release.registry import ReleaseLedger, open_release_ledger
from evaluation.release.rollback import rollback
from tests.evaluation.release.hub_server import HubServer


class Place:
    """A home with models and a ledger."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="")
        self.store: Store = self.home.store()
        self.ledger: ReleaseLedger = open_release_ledger(self.home)
        self.waits: list[float] = []

    def promote(self, name: str) -> str:
        folder = self.home.path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_text(name)
        (folder / f"{name}.json").write_text("{}")
        model = self.store.put_folder(folder)
        self.ledger.append(
            recipe="demo",
            action="promote",
            model_hash=model,
            evidence_hash="e" * 32,
            who="ada",
            reason="better",
            expected_head=self.ledger.head("demo"),
        )
        return model

    def roll_back(self) -> None:
        rollback("demo", ledger=self.ledger, store=self.store, home=self.home.path, who="grace", reason="wrong on Mondays")

    def tell(self, *mirrors: Any) -> list[MirrorReport]:
        return sync_mirrors("demo", mirrors, ledger=self.ledger, store=self.store, home=self.home.path, wait=self.waits.append)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "home")
    yield made
    made.ledger.close()


class Flaky:
    """A mirror that fails as often as it is told to."""

    name, target = "flaky", "somewhere"

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.told: list[Announcement] = []

    def publish(self, announcement: Announcement) -> str:
        if self.errors:
            raise self.errors.pop(0)
        self.told.append(announcement)
        return "there"


def test_no_mirror_is_told_anything_by_default() -> None:
    assert make_mirrors(MirrorsConfig()) == []
    mirrors = make_mirrors(MirrorsConfig(mlflow="sqlite:///x.db", hub="my-org/my-model"))
    assert [(mirror.name, mirror.target) for mirror in mirrors] == [("mlflow", "sqlite:///x.db"), ("hub", "my-org/my-model")]


@pytest.mark.parametrize("settings", [{"hub": "my-model"}, {"hub": "../x"}, {"mlflow": " "}, {"mlflow": "http://u:secret@h/"}])
def test_a_target_that_cannot_be_meant_is_refused_without_its_secret(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as refused:
        MirrorsConfig(**settings)
    assert "secret" not in str(refused.value)


def test_without_a_champion_nobody_is_told(place: Place) -> None:
    flaky = Flaky()
    assert place.tell(flaky) == []
    assert flaky.told == []


def test_a_mirror_is_told_once_of_each_champion(place: Place) -> None:
    flaky = Flaky()
    first = place.promote("m1")
    assert [(report.attempts, report.place) for report in (*place.tell(flaky), *place.tell(flaky))] == [
        (1, "there"),
        (0, "there"),
    ]
    second = place.promote("m2")
    place.tell(flaky)
    place.roll_back()
    place.tell(flaky)
    assert [news.entry.model_hash for news in flaky.told] == [first, second, first]
    assert flaky.told[0].folder.joinpath("model.safetensors").read_text() == "m1"


def test_a_failing_mirror_is_tried_again_reported_and_undoes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")
    model = place.promote("m1")
    busy = [OSError("no route for\n  hf_very_secret") for _ in range(3)]
    flaky, fine = Flaky(*busy), Flaky()
    fine.name = "fine"  # type: ignore[misc]
    reports = place.tell(flaky, fine)
    assert [(report.attempts, report.place) for report in reports] == [(3, ""), (1, "there")]
    assert reports[0].error == "OSError: no route for <HF_TOKEN>"
    assert place.waits == [1.0, 4.0]
    champion = place.ledger.champion("demo")
    assert champion is not None
    assert champion.model_hash == model
    assert "hf_very_secret" not in (place.home.path / "champions" / "demo.mirrors.json").read_text()
    assert [(report.attempts, report.place) for report in place.tell(flaky, fine)] == [(1, "there"), (0, "there")]


def test_what_waiting_does_not_help_is_not_tried_again(place: Place) -> None:
    place.promote("m1")
    (report,) = place.tell(Flaky(MirrorError(mirror="flaky", reason="not installed")))
    assert (report.attempts, place.waits) == (1, [])
    assert "The release stands" in report.error


@pytest.mark.parametrize("text", ["", "[]", '{"flaky": 3}', '{"flaky": {"entry": "x"}}'])
def test_a_state_that_cannot_be_read_means_that_nobody_was_told(place: Place, text: str) -> None:
    place.promote("m1")
    path = place.home.path / "champions" / "demo.mirrors.json"
    path.parent.mkdir()
    path.write_text(text)
    assert place.tell(Flaky())[0].attempts == 1
    assert json.loads(path.read_text())["flaky"]["place"] == "there"


def test_a_ledger_that_is_not_intact_is_told_to_nobody(place: Place) -> None:
    place.promote("m1")
    (place.home.path / "release.head.json").write_text("{}")
    flaky = Flaky()
    with pytest.raises(LedgerTamperedError):
        place.tell(flaky)
    assert flaky.told == []


def test_another_target_is_told_as_well(place: Place) -> None:
    place.promote("m1")
    flaky = Flaky()
    place.tell(flaky)
    flaky.target = "elsewhere"  # type: ignore[misc]
    place.tell(flaky)
    assert len(flaky.told) == 2


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    from huggingface_hub import constants

    server = HubServer()
    for name, value in (("ENDPOINT", server.url), ("HF_HUB_OFFLINE", False), ("HF_HUB_DISABLE_XET", True)):
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_test")
    yield server
    server.close()


def test_the_hub_gets_a_commit_a_model_and_a_tag_that_follows(place: Place, hub: HubServer) -> None:
    first = place.promote("m1")
    (report,) = place.tell(Hub("my-org/my-model"))
    assert report.error == ""
    assert hub.private is True
    assert hub.tags == {f"model-{first}": hub.oid(1), "champion": hub.oid(1)}
    assert {"model.safetensors": b"m1", "m1.json": b"{}"}.items() <= hub.commits[0].items()
    second = place.promote("m2")
    place.tell(Hub("my-org/my-model"))
    assert hub.tags["champion"] == hub.tags[f"model-{second}"] == hub.oid(2)
    assert "m1.json" not in hub.commits[1]  # nothing of the model before
    place.roll_back()
    (report,) = place.tell(Hub("my-org/my-model"))
    assert hub.tags["champion"] == hub.oid(1)
    assert hub.uploads == 2
    assert report.place == f"my-org/my-model@{hub.oid(1)}"
    assert "Bearer hf_of_the_test" in hub.tokens


def test_a_hub_that_is_busy_is_told_in_the_end(place: Place, hub: HubServer) -> None:
    place.promote("m1")
    hub.failures = 1
    (report,) = place.tell(Hub("my-org/my-model"))
    assert (report.attempts, report.error) == (2, "")
    assert "champion" in hub.tags


def test_mlflow_that_is_not_installed_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.promote("m1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (report,) = place.tell(MlflowRegistry("sqlite:///x.db"))
    assert "pip install 'tunewright[mlflow]'" in report.error


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's, about itself
def test_the_registry_of_mlflow_follows_the_ledger(place: Place, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    first, second = place.promote("m1"), place.promote("m2")
    assert place.tell(MlflowRegistry(uri))[0].place == "models:/demo/1"
    place.roll_back()
    assert place.tell(MlflowRegistry(uri))[0].place == "models:/demo/2"
    place.promote("m3")
    place.tell(MlflowRegistry(uri))
    place.roll_back()
    assert place.tell(MlflowRegistry(uri))[0].place == "models:/demo/2"  # known already
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    live = client.get_model_version_by_alias("demo", "champion")
    assert live.tags["model_hash"] == first
    assert Path(live.source).joinpath("model.safetensors").read_text() == "m1"
    assert client.get_model_version("demo", "1").tags["model_hash"] == second
    assert live.tags["entry"] in {entry.hash for entry in place.ledger.history("demo")}


def test_a_server_of_mlflow_is_not_given_a_folder_of_this_machine(place: Place) -> None:
    pytest.importorskip("mlflow")
    place.promote("m1")
    (report,) = place.tell(MlflowRegistry("http://127.0.0.1:9"))
    assert "TUNEWRIGHT_STORE" in report.error
