"""A recipe's home as it stands before a promotion, made without a training: what `benchmarks.bypasses` tampers with.

    place = Place.make(folder, share=0.9)              answers of a candidate that has 90 % right
    place.materialize("scores", "comparison", "champion")
    place.champion()                                   the model that is live by ledger and file, or None

Sources, training and answering are left out: their tables and models are put where the assets would have put them. Scores,
comparison and champion are the recipe's own assets, run by Dagster on its own, with the real store and release ledger.
"""

import contextlib
import dataclasses
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa

from assets import release, scores
from assets.recipe import Recipe
from curation.home import Home
from curation.ingest.config import SourceConfig
from curation.records import Document, Example, Message, Provenance
from curation.store import Snapshot, TableRef, version_of
from evaluation.answering.as_answer import as_answer
from evaluation.answering.cache import Given
from evaluation.config import EvaluationConfig
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.champion import read_champion
from evaluation.release.config import ReleaseConfig
from evaluation.release.registry import open_release_ledger
from evaluation.tasks.task_items import build_items
from training.config import TrainingConfig
from training.config.stage import StageConfig

WEAK, STRONG = 0.1, 0.9
ALL = ("scores", "comparison", "champion")
NAME, NUM_ITEMS = "guarded", 80
CANDIDATE = "sft_model"
MADE = Provenance(origin="human", method="written")


def make_recipe(**settings: Any) -> Recipe:
    """Return the recipe; `settings` are those of its release."""
    return Recipe(
        name=NAME,
        sources=(SourceConfig(name="sums", kind="files", role="demonstrations", path="sums.jsonl"),),
        training=TrainingConfig(stages=(StageConfig(method="sft", max_steps=1),)),
        evaluation=EvaluationConfig(comparators=("base", "candidate", "champion"), bootstrap_samples=300),
        release=ReleaseConfig(**{"champion_margin": 0.5} | settings),
    )


def make_row(number: int, split: Any) -> Example:
    """Return a row of a data set."""
    question, answer = f"What is {number} times {number}, {split}?", str(number * number)
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    key = f"{split}/{number:03}"
    return Example(key=key, task="sums", messages=messages, group=f"{split}{number // 2}", split=split, provenance=MADE)


@dataclass(frozen=True)
class Place:
    """One home, and the recipe in it."""

    home: Home
    recipe: Recipe

    @classmethod
    def make(cls, folder: Path, *, share: float, **settings: Any) -> "Place":
        """Write what stands before scores: data sets, base and candidate, and answers of which a share is right."""
        home = Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="")
        place = cls(home, make_recipe(**settings))
        store = home.store()
        place.put("dapt_corpus", documents=store.write_table(Document, []))
        place.put("sft_dataset", examples=store.write_table(Example, [make_row(number, "train") for number in range(20)]))
        place.put("eval_set", examples=store.write_table(Example, [make_row(number, "eval") for number in range(NUM_ITEMS)]))
        place.put_model("base_model", "base")
        place.put_model(CANDIDATE, "candidate")
        place.answer(share)
        return place

    def copy_to(self, folder: Path, **settings: Any) -> "Place":
        """Return the same home elsewhere, with other settings of the release if any are given."""
        shutil.copytree(self.home.path, folder, symlinks=True)
        home = dataclasses.replace(self.home, path=folder, store_url=str(folder / "store"))
        return Place(home, make_recipe(**settings) if settings else self.recipe)

    def put(self, name: str, folders: dict[str, str] | None = None, **tables: TableRef) -> None:
        """Make a snapshot the newest of an asset."""
        version = version_of(tables, folders or {})
        asset = self.recipe.asset(name)
        self.home.store().put_snapshot(
            Snapshot(asset=asset, partition="", version=version, tables=tables, folders=folders or {}, fingerprint=version)
        )

    def put_model(self, asset: str, name: str) -> str:
        """Store a model as the newest of an asset, and return its hash."""
        folder = self.home.path / "made" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").write_text(name)
        model = self.home.store().put_folder(folder)
        self.put(asset, {"model": model})
        return model

    def model(self, asset: str = CANDIDATE) -> str:
        """Return the hash of the newest model of an asset."""
        return self.home.store().snapshot(self.recipe.asset(asset)).folders["model"]

    def items(self) -> list[EvalItem]:
        """Return the questions that the recipe asks."""
        rows = [make_row(number, "eval") for number in range(NUM_ITEMS)]
        return list(build_items(self.recipe.evaluation, rows, lambda path: []).items)

    def answers(self, share: float) -> list[EvalAnswer]:
        """Return what base (10 % right), candidate and champion answer."""
        live = self.champion()
        models = {"base": (self.model("base_model"), 0.1), "candidate": (self.model(), share)}
        models |= {"champion": (live, share)} if live and live != self.model() else {}
        items, rows = self.items(), []
        for comparator, (model, right) in models.items():
            hits = set(random.Random(f"{comparator}{right}").sample(range(len(items)), round(len(items) * right)))
            texts = [item.reference if number in hits else "no idea" for number, item in enumerate(items)]
            rows += [as_answer(comparator, model, item, Given(text, 3)) for item, text in zip(items, texts, strict=True)]
        return rows

    def answer(self, share: float) -> None:
        """Store items and answers as the asset `answers` does."""
        self.put_answers(self.items(), self.answers(share))

    def put_answers(self, items: list[EvalItem], answers: list[EvalAnswer]) -> None:
        """Make these the newest answers."""
        store = self.home.store()
        self.put("answers", items=store.write_table(EvalItem, items), answers=store.write_table(EvalAnswer, answers))

    def materialize(self, *names: str, instance: dg.DagsterInstance | None = None) -> str:
        """Run assets of the recipe as Dagster does, those and no others, and return why the run failed; empty if it did not."""
        made = [*scores.build(self.recipe), *release.build(self.recipe)]
        chosen = [asset for asset in made if asset.key.path[-1] in names]
        with contextlib.nullcontext(instance) if instance else dg.DagsterInstance.ephemeral() as log:
            try:
                dg.materialize(chosen, resources={"home": self.home}, instance=log)
            except Exception as error:
                return str(error)
        return ""

    def champion(self) -> str | None:
        """Return the model that the ledger and the file call live; None if neither names one."""
        ledger = open_release_ledger(self.home)
        try:
            entry = ledger.champion(NAME)
        finally:
            ledger.close()
        pointed = read_champion(NAME, self.home.path)
        return entry.model_hash if entry else (str(pointed["model_hash"]) if pointed else None)

    def change_ledger(self, *statements: str) -> None:
        """Do what somebody does who can write to the database's file."""
        engine = sa.create_engine(f"sqlite:///{self.home.path / 'release.db'}")
        with engine.begin() as connection:
            for verb in ("update", "delete"):
                connection.execute(sa.text(f"DROP TRIGGER IF EXISTS release_entries_{verb}"))
            for statement in statements:
                connection.execute(sa.text(statement))
        engine.dispose()


Way = Callable[[Path], Place]
WAYS: dict[str, Way] = {}


def way(attempt: Way) -> Way:
    """Add a way: it makes a home in a folder, does what an attacker does, and returns the home."""
    WAYS[attempt.__name__] = attempt
    return attempt


def refused_home(folder: Path, **settings: Any) -> Place:
    """Return a home whose candidate was refused: it is level with its base."""
    place = Place.make(folder, share=WEAK, **settings)
    place.materialize(*ALL)
    assert place.champion() is None
    return place
