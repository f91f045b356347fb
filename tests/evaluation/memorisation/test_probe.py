"""A model that has learnt rows by heart is told from one that has not: a real one, trained on the spot."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest

from curation.records import Document, Example, Message, Provenance
from evaluation.answering.language_model import Encoded, LanguageModel, load_model
from evaluation.forgetting.cache import MeasureCache
from evaluation.memorisation.canaries import make_canaries
from evaluation.memorisation.config import MemorisationConfig
from evaluation.memorisation.probe import ProbedRow, cache_settings, choose_rows, probe_rows
from evaluation.memorisation.summary import Memorisation, summarise_rows
from tests.evaluation.forgetting.conftest import RuledModel

CONFIG = MemorisationConfig(prefix_tokens=(0, 8, 20), suffix_tokens=8, references=127)
MADE = Provenance(origin="human", method="demonstration")
WORDS = (
    "amber",
    "birch",
    "cedar",
    "dune",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "jade",
    "knoll",
    "larch",
    "moss",
    "oak",
)


def answer_of(number: int) -> str:
    draws = random.Random(number)
    return " ".join(draws.choice(WORDS) for _ in range(20))


def example(number: int, split: Any) -> Example:
    turns = (
        Message(role="user", content=f"Which words has list {number}?"),
        Message(role="assistant", content=answer_of(number)),
    )
    return Example(key=f"{split}/{number}", task="qa", messages=turns, group=str(number), split=split, provenance=MADE)


def canary(row: dict[str, Any], split: Any) -> Example:
    turns = tuple(Message(**turn) for turn in row["messages"])
    return Example(key=row["key"], task="qa", messages=turns, group=row["key"], split=split, provenance=MADE)


def document(number: int) -> Document:
    text = answer_of(number + 50) + " " + answer_of(number + 90)
    return Document(
        key=f"d/{number}", source="d", title="", kind="text", text=text, sections=(), group=str(number), license="",
        output_terms="",
    )  # fmt: skip


def test_a_choice_of_rows_stays_put_and_keeps_all_canaries() -> None:
    planted = [canary(row, "train") for row in make_canaries(5, seed=1)]
    examples = [example(number, "train") for number in range(50)]
    few, more = (
        {row.key for row in choose_rows("training", [*examples[:size], *planted], MemorisationConfig(max_rows=10), seed=0)}
        for size in (40, 50)
    )
    assert {row.key for row in planted} <= few & more
    assert 10 <= len(few) <= 15
    assert len(few & more) >= 8


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> Memorisation:
    """What is found about a model that saw its training rows 60 times, and about the base that never did."""
    import torch

    from training.base_model import build_small_llama
    from training.config import BaseModelConfig

    canaries = make_canaries(6, seed=3)
    train = [*(example(number, "train") for number in range(12)), *(canary(row, "train") for row in canaries[:3])]
    held_out = [*(example(number, "eval") for number in range(20, 32)), *(canary(row, "eval") for row in canaries[3:])]
    documents = [document(number) for number in range(6)]
    shape = BaseModelConfig(hidden_size=64, num_layers=2, num_heads=4, vocab_size=400, context_length=128)
    texts = [*(f"{row.prompt[0].content} {row.answer}" for row in train[:12]), *(item.text for item in documents)]
    model, tokenizer = build_small_llama(shape, texts, seed=0)
    folders = [tmp_path_factory.mktemp(name) for name in ("base", "sft")]
    _save(model, tokenizer, folders[0])
    learnt = [
        tokenizer.apply_chat_template([{"role": turn.role, "content": turn.content} for turn in row.messages], tokenize=False)
        for row in train
    ]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in learnt]
    rows += [tokenizer(item.text)["input_ids"] for item in documents]
    width = max(map(len, rows))
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(120):
        loss = model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    _save(model, tokenizer, folders[1])
    chosen = [
        *choose_rows("training", train, CONFIG, seed=0),
        *choose_rows("held_out", held_out, CONFIG, seed=0),
        *choose_rows("documents", documents, CONFIG, seed=0),
    ]
    found = [row for name, folder in zip(("base", "sft"), folders, strict=True) for row in _probe(name, folder, chosen)]
    return summarise_rows(found, base="base", model="sft", config=CONFIG, seed=0)


def _save(model: Any, tokenizer: Any, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _probe(name: str, folder: Path, rows: list[ProbedRow]) -> list[Any]:
    loaded: list[LanguageModel] = []

    def load() -> LanguageModel:
        loaded.append(load_model(name, str(folder), max_new_tokens=8))
        return loaded[-1]

    cache = MeasureCache(folder / "measured", cache_settings(CONFIG, name))
    found, num_measured = probe_rows(load, rows, CONFIG, model=name, model_hash=name, batch_size=16, cache=cache)
    again, num_again = probe_rows(load, rows, CONFIG, model=name, model_hash=name, batch_size=16, cache=cache)
    assert (again, num_again, num_measured, len(loaded)) == (found, 0, len(rows), 1)
    return found


class Watched(RuledModel):
    """Remembers with which tools it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def encode(self, prompt: Any, shots: Any, tools: str = "") -> Encoded:
        self.shown.append(tools)
        return super().encode(prompt, shots, tools)


def test_a_row_is_tried_with_the_tools_that_training_showed(tmp_path: Path) -> None:
    plain = example(1, "train")
    rows = choose_rows(
        "training", [plain, dataclasses.replace(plain, key="train/2", tools='[{"type":"function"}]')], CONFIG, seed=0
    )
    assert [row.tools for row in rows] == ["", '[{"type":"function"}]']
    cache, model = MeasureCache(tmp_path, {}), Watched()
    before = [(rows[1].hash, {"log_likelihood": -1.0, "num_tokens": 1, "tried": [], "verbatim": [], "rank": 0})]
    cache.put(dict(before))  # as it was measured without them
    found, num_measured = probe_rows(lambda: model, rows, CONFIG, model="m", model_hash="h", batch_size=4, cache=cache)
    assert num_measured == 2
    assert set(model.shown) == {"", rows[1].tools}
    assert found[1].row_hash == rows[1].hash
    assert found[1].log_likelihood != -1.0


@pytest.mark.slow
def test_rows_learnt_by_heart_are_known_better_and_continued_word_for_word(probed: Memorisation) -> None:
    assert probed.gap is not None
    assert probed.gap.low > 0.5
    found = {(one.side, one.prefix_tokens): one for one in probed.extractable}
    assert found["documents", 0].num_tried == found["training", 20].num_tried == 0  # too short
    assert (found["training", 0].num_tried, found["training", 8].num_tried) == (15, 12)
    assert found["documents", 20].num_tried >= 3
    for place in (("training", 0), ("training", 8), ("documents", 20)):
        assert found[place].excess > 0.6, place


@pytest.mark.slow
def test_planted_canaries_are_exposed_and_the_others_are_not(probed: Memorisation) -> None:
    assert len(probed.exposures) == len(probed.control_exposures) == 3
    assert min(probed.exposures) == 7.0  # log2(128): likelier than every other secret
    assert max(probed.control_exposures) < 7.0
