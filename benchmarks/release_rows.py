"""A recipe's evaluation without a model: items, answers of chosen quality, scores, and the evidence over them, in a real store.

bench = ReleaseRows(home)
evidence = bench.evidence("second", share=0.9, champion=bench.store_model("first"))
promote(decide_promotion(evidence, bench.store, CONFIG, RELEASE), evidence, ledger=..., store=bench.store, home=..., who="ada")
"""

import random
from dataclasses import dataclass
from pathlib import Path

from curation.home import Home
from curation.records import Example, Message, Provenance
from evaluation.answering.as_answer import as_answer
from evaluation.answering.cache import Given
from evaluation.config import EvaluationConfig
from evaluation.gate.comparison import compare
from evaluation.gate.evidence import Evidence, comparators_of, hash_tasks
from evaluation.records import DEFAULT_TASK, EvalAnswer, EvalItem, Score
from evaluation.release.config import ReleaseConfig
from evaluation.scoring import score_answers

RECIPE = "demo"
NUM_ITEMS = 60
NUM_FILES, FILE_BYTES = 4, 64_000
CONFIG, RELEASE = EvaluationConfig(bootstrap_samples=200), ReleaseConfig(champion_margin=0.5)
WRONG = "no idea"


def make_home(folder: Path) -> Home:
    """Return an installation in a folder."""
    return Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="")


@dataclass(frozen=True)
class ReleaseRows:
    """What one recipe holds when its candidate is to be promoted."""

    home: Home

    def write_model(self, name: str) -> Path:
        """Write the files of a model outside the store, each full of its name, and return their folder."""
        folder = self.home.path / "made" / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(NUM_FILES):
            text = f"{name} {number}\n"
            (folder / f"model-{number}.safetensors").write_text(text * (FILE_BYTES // len(text)))
        return folder

    def store_model(self, name: str) -> str:
        """Put a model into the store and return its hash."""
        return self.home.store().put_folder(self.write_model(name))

    def items(self) -> list[EvalItem]:
        """Return the questions, two a group."""
        return [
            EvalItem(
                key=f"q/{number:03}",
                task=DEFAULT_TASK,
                prompt=(Message(role="user", content=f"What is {number} times {number}?"),),
                reference=str(number * number),
                group=f"g{number // 2}",
            )
            for number in range(NUM_ITEMS)
        ]

    def answers(self, models: dict[str, tuple[str, float]]) -> list[EvalAnswer]:
        """Return what comparators answer: (model hash, share that is right) each."""
        rows = []
        for comparator, (model, share) in models.items():
            right = set(random.Random(model).sample(range(NUM_ITEMS), round(NUM_ITEMS * share)))
            texts = [item.reference if number in right else WRONG for number, item in enumerate(self.items())]
            rows += [as_answer(comparator, model, item, Given(text, 3)) for item, text in zip(self.items(), texts, strict=True)]
        return rows

    def evidence(self, model: str, *, share: float = 0.9, champion: str = "") -> Evidence:
        """Store items, answers and scores of a candidate that is in the store, and return the evidence over them."""
        store = self.home.store()
        models = {"base": (self.store_model("base"), 0.1), "candidate": (model, share)}
        models |= {"champion": (champion, share)} if champion else {}
        items, answers = self.items(), self.answers(models)
        scores = list(score_answers(answers))
        training = Example(
            key="t/1",
            task="sums",
            messages=(Message(role="user", content="What is one and one?"), Message(role="assistant", content="2")),
            group="t",
            split="train",
            provenance=Provenance(origin="human", method="written"),
        )
        return Evidence(
            recipe=RECIPE,
            model_hash=model,
            items_root=store.write_table(EvalItem, items).root,
            answers_root=store.write_table(EvalAnswer, answers).root,
            scores_root=store.write_table(Score, scores).root,
            comparison_hash=compare(scores, CONFIG, RELEASE, items=items, answers=answers).hash(),
            training_roots=(store.write_table(Example, [training]).root,),
            data_roots={"dapt_corpus": "0" * 32},
            config_hash="1" * 32,
            code_version="2" * 32,
            tasks_hash=hash_tasks(CONFIG),
            comparators=comparators_of(answers),
        )
