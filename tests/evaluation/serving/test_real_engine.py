"""A champion served by a real `transformers serve` process, asked over HTTP; its answers are those of the gate."""

import asyncio
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.home import Home
from curation.records import Example, record_hash
from curation.store import Snapshot
from evaluation.answering.language_model import load_model
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.registry import LedgerEntry
from evaluation.serving.engines import choose_engine
from evaluation.serving.serving import Ready, ServeOptions, serve
from evaluation.serving.smoke import SmokeResult, SmokeSettings, ask_all, choose_questions

pytestmark = pytest.mark.slow
NEW_TOKENS = 12


def answer_items(folder: Path, model_hash: str, items: list[EvalItem]) -> list[EvalAnswer]:
    model = load_model("candidate", str(folder), max_new_tokens=NEW_TOKENS)
    said = model.answer([model.encode(item.prompt, ()).tokens for item in items])
    return [
        EvalAnswer(
            key=f"candidate/{item.key}", comparator="candidate", model_hash=model_hash, item_key=item.key,
            item_hash=record_hash(item), group=item.group, prompt=item.prompt[0].content, reference=item.reference,
            answer=given.text, num_tokens=given.num_tokens,
        )
        for item, given in zip(items, said, strict=True)
    ]  # fmt: skip


def test_the_served_champion_answers_as_at_the_gate_and_what_differs_is_noticed(
    home: Home,
    promote: Callable[[str], LedgerEntry],
    build_model: Callable[..., Path],
    example: Callable[..., Example],
    tmp_path: Path,
) -> None:
    store, folder = home.store(), build_model(seed=1)
    rows = [example(number) for number in range(10)]
    items = [EvalItem(key=row.key, task="held_out", prompt=row.prompt, reference=row.answer, group=row.group) for row in rows]
    model_hash = store.put_folder(folder)
    answers = answer_items(folder, model_hash, items)
    tables = {"items": store.write_table(EvalItem, items), "answers": store.write_table(EvalAnswer, answers)}
    store.put_snapshot(Snapshot(asset="toy/answers", partition="", version="1", tables=tables))
    promote(model_hash)
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    template = other / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|assistant|>", "<|assistant|>\n"))
    found: dict[str, SmokeResult] = {}
    settings = SmokeSettings(engine="transformers", key="s3cret", max_new_tokens=NEW_TOKENS, minimum_same=1.0)

    async def when_ready(ready: Ready) -> int:
        questions = choose_questions(home, "toy", ready.served.model_hash, num_questions=8)
        found["right"] = await ask_all(ready, questions, settings)
        wrong = [dataclasses.replace(questions[0], expected="something else"), *questions[1:3]]
        found["answer"] = await ask_all(ready, wrong, settings)
        of_other = dataclasses.replace(ready, served=dataclasses.replace(ready.served, model=other))
        found["prompt"] = await ask_all(of_other, questions[:2], settings)
        found["key"] = await ask_all(ready, questions[:1], dataclasses.replace(settings, key="guessed"))
        return 0

    options = ServeOptions(home=home, recipe="toy", choice=choose_engine("transformers"), port=0, key="s3cret")
    assert asyncio.run(serve(options, lambda line: None, when_ready)) == 0
    right = found.pop("right")
    assert right.passed, right.describe()
    assert (len(right.replies), right.share) == (8, 1.0)
    assert {reply.prompt for reply in right.replies} == {"same count"}
    assert len({reply.answer for reply in right.replies}) > 4, "answers that are all alike prove nothing"
    assert not any(result.passed for result in found.values())
    assert [reply.is_same for reply in found["answer"].replies] == [False, True, True]
    assert len(found["prompt"].other_prompts) == 2
    assert "HTTP 401" in found["key"].replies[0].error
    assert [path.name for path in (home.path / "serving" / "toy").iterdir()] == [f"{model_hash[:12]}.log"]
