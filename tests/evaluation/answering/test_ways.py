"""What is asked how: generations counted by model, passages before questions, likelihoods instead of text, limits by task."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import EvaluationError
from curation.records import Document, Example, Message, Section
from curation.store import Store
from evaluation.answering import answer
from evaluation.answering.child import write_spec
from evaluation.answering.retrieval import Passages
from evaluation.answering.spec import (
    AnswerResult,
    AnswerSpec,
    Generation,
    ModelFolder,
    TaskSpec,
    plan_comparators,
    plan_tasks,
    read_result,
)
from evaluation.config import EvaluationConfig
from evaluation.records import AnswerTiming, EvalAnswer, EvalItem
from evaluation.scoring import score_answers
from evaluation.tasks.config import TaskConfig

Make = Callable[..., EvalItem]
CONFIG = EvaluationConfig(shots=1, passages=2, comparators=("base", "base_few_shot", "majority", "sft", "candidate"))
RETRIEVING = replace(CONFIG, comparators=("base", "base_retrieval", "candidate", "candidate_retrieval"))


@pytest.fixture(scope="module")
def models(build_model: Callable[..., Path]) -> dict[str, ModelFolder]:
    seeds = {"base": 1, "candidate": 2, "sft": 3}
    return {name: ModelFolder(path=str(build_model(seed=seed)), model_hash=name * 8) for name, seed in seeds.items()}


class Asking:
    """Asks models about items, with one folder of kept answers."""

    def __init__(self, folder: Path, training: list[Example]) -> None:
        self.store, self.folder = Store(str(folder / "store")), folder / "work"
        self.training = self.store.write_table(Example, training).root

    def run(
        self, items: list[EvalItem], models: dict[str, ModelFolder], config: EvaluationConfig = CONFIG, **fields: object
    ) -> AnswerResult:
        spec = AnswerSpec(
            store_url=self.store.url,
            items=self.store.write_table(EvalItem, items).root,
            training_examples=self.training,
            comparators=plan_comparators(config, models),
            generation=Generation(max_new_tokens=4, batch_size=4, seed=0),
            work_folder=str(self.folder),
            tasks=plan_tasks(config) if config.tasks else (),
            **fields,  # type: ignore[arg-type]
        )
        assert answer.main([str(write_spec(spec))], watch_parent=lambda: None) == 0, (self.folder / "error.json").read_text()
        return read_result(self.folder)

    def answers(self, result: AnswerResult) -> list[EvalAnswer]:
        return list(self.store.read_table(EvalAnswer, result.table))


@pytest.fixture
def asking(tmp_path: Path, example: Callable[..., Example]) -> Asking:
    return Asking(tmp_path, [example(number, split="train") for number in range(6)])


def test_a_candidate_more_asks_nobody_else_and_ten_items_more_are_ten_a_model(
    asking: Asking, models: dict[str, ModelFolder], item: Make
) -> None:
    two = {name: models[name] for name in ("base", "candidate")}
    first = asking.run([item(number) for number in range(5)], two)
    assert first.generated == {"base": 5, "base_few_shot": 5, "candidate": 5}
    added = asking.run([item(number) for number in range(5)], models)
    assert added.generated == {"base": 0, "base_few_shot": 0, "sft": 5, "candidate": 0}
    grown = asking.run([item(number) for number in range(15)], models)
    assert grown.generated == {"base": 10, "base_few_shot": 10, "sft": 10, "candidate": 10}
    assert grown.num_reused == 20


def test_answers_know_what_they_took(asking: Asking, models: dict[str, ModelFolder], item: Make) -> None:
    result = asking.run([item(number) for number in range(5)], models)
    rows, timings = asking.answers(result), list(asking.store.read_table(AnswerTiming, result.timings))
    assert sorted(timing.key for timing in timings) == sorted(row.key for row in rows)
    took = {timing.key: timing for timing in timings}
    for row in rows:
        is_model, timing = row.comparator != "majority", took[row.key]
        assert (timing.latency_s > 0, timing.machine_s > 0, row.num_prompt_tokens > 20) == (is_model, is_model, is_model)
    shots = {row.item_key: row.num_prompt_tokens for row in rows if row.comparator == "base_few_shot"}
    plain = {row.item_key: row.num_prompt_tokens for row in rows if row.comparator == "base"}
    assert all(shots[key] > plain[key] for key in plain)


def document(key: str, text: str) -> Document:
    sections = (Section(heading_path=(key,), kind="body", start=0, end=len(text)),)
    return Document(
        key=key,
        source="s",
        title=key.title(),
        kind="text",
        text=text,
        sections=sections,
        group=key,
        license="",
        output_terms="",
    )


def test_passages_stand_before_the_question_best_first() -> None:
    passages = Passages([document("tea", "Tea is hot."), document("ice", "Ice is cold."), document("sun", "The sun shines.")])
    prompt = (Message(role="system", content="Be short."), Message(role="user", content="Is tea hot?"))
    shown = passages.before(prompt, 2)
    assert shown[0] == prompt[0]
    assert shown[1].content == "These passages may help:\n\n[1] Tea: Tea is hot.\n\n[2] Ice: Ice is cold.\n\nIs tea hot?"
    assert passages.before((Message(role="user", content="zzz"),), 2) == (Message(role="user", content="zzz"),)
    assert passages.hash != Passages([document("tea", "Tea is cold.")]).hash


def test_retrieval_reads_the_training_documents_and_other_documents_are_other_answers(
    asking: Asking, models: dict[str, ModelFolder], item: Make
) -> None:
    items = [item(number) for number in range(3)]
    corpus = asking.store.write_table(Document, [document("d", "The number 1 belongs to dates.")]).root
    result = asking.run(items, models, RETRIEVING, documents=corpus)
    assert result.generated == {"base": 3, "base_retrieval": 3, "candidate": 3, "candidate_retrieval": 3}
    rows = asking.answers(result)
    tokens = {name: sum(row.num_prompt_tokens for row in rows if row.comparator == name) for name in result.generated}
    assert tokens["base_retrieval"] > tokens["base"]
    other = asking.store.write_table(Document, [document("d", "The number 1 belongs to lists.")]).root
    assert asking.run(items, models, RETRIEVING, documents=other).generated == {
        "base": 0, "base_retrieval": 3, "candidate": 0, "candidate_retrieval": 3,
    }  # fmt: skip


def test_choices_texts_and_longer_answers_are_asked_in_their_own_way(
    asking: Asking, models: dict[str, ModelFolder], item: Make
) -> None:
    tasks = (
        TaskConfig(name="held_out", max_new_tokens=4),
        TaskConfig(name="long", kind="number", data="n.jsonl", max_new_tokens=9),
        TaskConfig(name="pick", kind="choice", scoring="likelihood", data="c.jsonl"),
        TaskConfig(name="prose", kind="perplexity", data="p.jsonl"),
    )
    config = replace(CONFIG, tasks=tasks)
    question = (Message(role="user", content="Which one is it?"),)
    items = [
        item(0),
        EvalItem(key="long/1", task="long", prompt=question, reference="4", group="long/1"),
        EvalItem(key="pick/1", task="pick", prompt=question, reference="b", choices=("a", "bb", "b"), group="pick/1"),
        EvalItem(key="prose/1", task="prose", prompt=(), reference="Tea is hot.", group="prose/1"),
    ]
    result = asking.run(items, models, config)
    assert result.generated == {"base": 4, "base_few_shot": 4, "sft": 4, "candidate": 4}
    rows = {(row.comparator, row.task): row for row in asking.answers(result)}
    assert rows["base", "held_out"].num_tokens <= 4
    assert max(rows[name, "long"].num_tokens for name in ("base", "sft", "candidate")) > 4
    picked = rows["base", "pick"]
    assert len(picked.log_likelihoods) == len(picked.num_scored_tokens) == 3
    assert picked.answer == ("a", "bb", "b")[max(range(3), key=lambda at: picked.log_likelihoods[at])]
    assert rows["base_few_shot", "pick"].log_likelihoods != picked.log_likelihoods
    assert rows["base", "prose"].log_likelihoods[0] < 0
    assert asking.run(items, models, config).generated == {"base": 0, "base_few_shot": 0, "sft": 0, "candidate": 0}
    scored = {(row.comparator, row.metric): row.value for row in score_answers(rows.values(), items, config)}
    assert scored["majority", "log_loss"] == pytest.approx(math.log(256))
    assert scored["base", "log_loss"] == pytest.approx(-rows["base", "prose"].log_likelihoods[0] / len("Tea is hot."))


def test_the_plan_names_ways_and_limits() -> None:
    tasks = (
        TaskConfig(name="a"),
        TaskConfig(name="b", kind="choice", scoring="likelihood", max_new_tokens=3),
        TaskConfig(name="c", kind="perplexity", data="x"),
    )
    assert plan_tasks(replace(CONFIG, tasks=tasks, max_new_tokens=7)) == (
        TaskSpec(name="a", way="generation", max_new_tokens=7),
        TaskSpec(name="b", way="choices", max_new_tokens=3),
        TaskSpec(name="c", way="text", max_new_tokens=7),
    )
    folders = {name: ModelFolder(path=name, model_hash=name) for name in ("base", "candidate")}
    planned = plan_comparators(replace(RETRIEVING, comparators=(*RETRIEVING.comparators, "teacher")), folders)
    assert {each.name: (each.model, each.passages) for each in planned} == {
        "base": ("base", 0),
        "base_retrieval": ("base", 2),
        "candidate": ("candidate", 0),
        "candidate_retrieval": ("candidate", 2),
    }
    with pytest.raises(EvaluationError, match="'base' is missing"):
        plan_comparators(CONFIG, {"candidate": folders["candidate"]})
