import json
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import ExportError, ExportRefusedError
from curation.records import Example
from curation.store import Store
from tests.training.export.conftest import Trained
from training.base_model import load_tokenizer
from training.export.conversations import NUM_CONVERSATIONS, choose_conversations
from training.export.prompts import prove_prompts, read_ends


def prove(trained: Trained, folder: Path) -> None:
    reference = load_tokenizer(str(trained.parent))
    conversations = choose_conversations(trained.spec(folder), reference, longest=128)
    exported, ends = load_tokenizer(str(folder)), read_ends(folder, "demo")
    prove_prompts(reference, exported, conversations, ends=ends, name="demo", where="merged model")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def _space_in_the_template(folder: Path) -> None:
    edit(folder / "chat_template.jinja", "<|assistant|>{% endif %}", "<|assistant|> {% endif %}")


def _no_system_turn(folder: Path) -> None:
    edit(folder / "chat_template.jinja", "in messages %}", "in messages if message['role'] != 'system' %}")


def _template_that_raises(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no') }}")


def _answer_not_closed(folder: Path) -> None:
    edit(
        folder / "chat_template.jinja",
        "message['content'] }}",
        "message['content'] }}{{ '!' if message['role'] == 'assistant' }}",
    )


def _other_end(folder: Path) -> None:
    edit(folder / "tokenizer_config.json", '"eos_token": "<|end|>"', '"eos_token": "<|pad|>"')


def _special_token_that_is_plain_text(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["added_tokens"].append({**tokenizer["added_tokens"][0], "id": 900, "content": "item"})
    path.write_text(json.dumps(tokenizer))


def _no_stop(folder: Path) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [3, 4]}))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_space_in_the_template, "the prompt of 'api/.* in training"),
        (_no_system_turn, "the prompt of 'api/.*Be brief"),
        (_template_that_raises, "refuses the prompt"),
        (_answer_not_closed, "the answer of 'api/"),
        (_other_end, r"eos_token '<\|pad\|>', and '<\|end\|>' in training"),
        (_special_token_that_is_plain_text, "other special tokens|another vocabulary"),
        (_no_stop, r"does not stop at '<\|end\|>'"),
    ],
)
def test_an_export_that_asks_differently_is_refused(trained: Trained, damage: Callable[[Path], None], reason: str) -> None:
    prove(trained, trained.model)
    damage(trained.model)
    with pytest.raises(ExportRefusedError, match=reason):
        prove(trained, trained.model)


def test_one_of_several_ends_is_enough(trained: Trained) -> None:
    path = trained.model / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": [7, 1]}))
    assert read_ends(trained.model, "demo") == [7, 1]
    prove(trained, trained.model)
    path.unlink()
    with pytest.raises(ExportRefusedError, match=r"generation_config\.json cannot be read"):
        read_ends(trained.model, "demo")


def test_the_same_twenty_conversations_are_chosen_every_time(built: Trained, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(built.parent))
    first, again = (choose_conversations(built.spec(tmp_path), tokenizer, longest=128) for _ in range(2))
    assert len(first) == NUM_CONVERSATIONS
    assert [item.example.key for item in first] == [item.example.key for item in again]
    shortest = min(len(item.tokens.ids) for item in first)
    assert all(
        len(item.tokens.ids) == shortest for item in choose_conversations(built.spec(tmp_path), tokenizer, longest=shortest)
    )


def test_without_a_conversation_nothing_is_proved(built: Trained, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    empty = built._replace(store_url=store.url, conversations=store.write_table(Example, []).root)
    with pytest.raises(ExportError, match="no held-out conversation"):
        choose_conversations(empty.spec(tmp_path), load_tokenizer(str(built.parent)), longest=128)
