"""The answering child, run in this process for speed; launch and death with the parent are tested on real processes."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.errors import EvaluationError
from curation.ids import canonical_json, content_hash
from curation.records import Example, record_hash
from curation.store import Store
from evaluation.answering import answer
from evaluation.answering.cache import AnswerCache
from evaluation.answering.child import write_spec
from evaluation.answering.launch import build_command, child_environment
from evaluation.answering.spec import AnswerSpec, Generation, ModelFolder, plan_comparators, read_result
from evaluation.config import EvaluationConfig
from evaluation.records import AnswerConfidence, EvalAnswer, EvalItem
from tests.evaluation.conftest import TEMPLATE

Build = Callable[..., Path]
Make = Callable[..., Example]


@pytest.fixture(scope="session")
def models(build_model: Build) -> dict[str, ModelFolder]:
    return {
        "base": ModelFolder(path=str(build_model(seed=1)), model_hash="a" * 32),
        "candidate": ModelFolder(path=str(build_model(seed=2)), model_hash="b" * 32),
    }


@pytest.fixture
def make_spec(tmp_path: Path, store: Store, example: Make, item: Callable[..., EvalItem]) -> Callable[..., AnswerSpec]:
    def make(models: dict[str, ModelFolder], *, num_items: int = 7, batch_size: int = 3, shots: int = 2) -> AnswerSpec:
        items = store.write_table(EvalItem, [item(number) for number in range(num_items)])
        training = store.write_table(Example, [example(number, split="train") for number in range(10)])
        return AnswerSpec(
            store_url=store.url,
            items=items.root,
            training_examples=training.root,
            comparators=plan_comparators(EvaluationConfig(shots=shots), models),
            generation=Generation(max_new_tokens=6, batch_size=batch_size, seed=0),
            work_folder=str(tmp_path / "work"),
        )

    return make


def run(spec: AnswerSpec) -> int:
    return answer.main([str(write_spec(spec))], watch_parent=lambda: None)


def read_answers(spec: AnswerSpec) -> list[EvalAnswer]:
    return list(Store(spec.store_url).read_table(EvalAnswer, read_result(spec.work_folder).table))


def test_every_comparator_answers_the_same_items(make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder]) -> None:
    spec = make_spec(models)
    assert run(spec) == 0
    rows = read_answers(spec)
    items = {item.key: item for item in Store(spec.store_url).read_table(EvalItem, spec.items)}
    for name in ("base", "base_few_shot", "majority", "candidate"):
        mine = [row for row in rows if row.comparator == name]
        assert sorted(row.item_key for row in mine) == sorted(items)
        assert all(row.item_hash == record_hash(items[row.item_key]) for row in mine)
        assert all(row.reference == items[row.item_key].reference and row.group == items[row.item_key].group for row in mine)
    assert {row.answer for row in rows if row.comparator == "majority"} == {'{"part":"strings"}'}
    assert {row.model_hash for row in rows if row.comparator == "base_few_shot"} == {"a" * 32}
    assert read_result(spec.work_folder).num_generated == 21


def test_who_wrote_an_answer_says_how_sure_it_was_and_nobody_else(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], store: Store
) -> None:
    spec = make_spec(models)
    assert run(spec) == 0
    result = read_result(spec.work_folder)
    rows = list(store.read_table(AnswerConfidence, result.confidences))
    asked = {row.key for row in read_answers(spec) if row.comparator != "majority"}
    assert {row.key for row in rows} == asked
    assert len(rows) == result.num_confidences == 21
    assert all(row.mean_log_probability < 0 for row in rows)
    assert run(spec) == 0
    again = read_result(spec.work_folder)
    assert (again.num_generated, again.confidences) == (0, result.confidences), "it is kept with the answer"


def test_answers_of_before_confidences_were_kept_are_not_asked_again(tmp_path: Path) -> None:
    rows = [["key", "yes", 2, 9, 0.1, 0.01, [], []]]
    text = canonical_json({"rows": rows, "hash": content_hash(rows)})
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "old.json").write_text(text)
    found = AnswerCache(tmp_path, "settings").get("key")
    assert found is not None
    assert (found.text, found.mean_log_probability) == ("yes", None)


@pytest.mark.slow
def test_batches_do_not_change_answers(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], tmp_path: Path
) -> None:
    spec = make_spec(models, num_items=13, batch_size=64)
    assert run(spec) == 0
    together = read_answers(spec)
    assert len({row.answer for row in together}) > 10
    alone = AnswerSpec(**{**vars(make_spec(models, num_items=13, batch_size=1)), "work_folder": str(tmp_path / "other")})
    assert run(alone) == 0
    assert [row.answer for row in read_answers(alone)] == [row.answer for row in together]


def test_a_second_run_generates_nothing_and_a_new_item_one_answer_a_model(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder]
) -> None:
    spec = make_spec(models)
    assert run(spec) == 0
    first = read_result(spec.work_folder)
    assert run(spec) == 0
    again = read_result(spec.work_folder)
    assert (again.table, again.num_generated, again.num_reused) == (first.table, 0, 21)
    assert run(make_spec(models, num_items=8)) == 0
    assert read_result(spec.work_folder).num_generated == 3


@pytest.mark.slow
def test_the_same_question_with_other_tools_is_another_question(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], store: Store
) -> None:
    template = "{% if tools %}<|system|>{{ tools | tojson }}</s>{% endif %}" + TEMPLATE
    folder = Path(models["base"].path)
    kept = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(template)
    try:
        spec = make_spec({**models, "candidate": models["base"]}, num_items=1)
        (asked,) = store.read_table(EvalItem, spec.items)
        found = []
        for tools in ("", '[{"type":"function"}]', '[{"type":"function","name":"find"}]'):
            items = store.write_table(EvalItem, [replace(asked, tools=tools)])
            assert run(replace(spec, items=items.root)) == 0
            assert read_result(spec.work_folder).num_generated > 0
            found.append([row.num_prompt_tokens for row in read_answers(spec) if row.comparator == "base"])
        assert found[0] < found[1] < found[2]
    finally:
        (folder / "chat_template.jinja").write_text(kept)


def test_another_model_hash_is_asked_anew(make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder]) -> None:
    assert run(make_spec(models)) == 0
    retrained = {**models, "candidate": ModelFolder(path=models["candidate"].path, model_hash="c" * 32)}
    spec = make_spec(retrained)
    assert run(spec) == 0
    assert read_result(spec.work_folder).num_generated == 7


def _cut(content: bytes) -> bytes:
    return content[:-9]


def _altered(content: bytes) -> bytes:
    rows = json.loads(content)
    rows["rows"][0][1] = '{"part":"strings"}'
    return json.dumps(rows).encode()


@pytest.mark.parametrize("damage", [_cut, _altered])
def test_a_damaged_stored_answer_is_asked_again(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], damage: Callable[[bytes], bytes]
) -> None:
    spec = make_spec(models)
    assert run(spec) == 0
    said = [(row.key, row.answer, row.num_tokens) for row in read_answers(spec)]
    stored = sorted(Path(spec.work_folder, "answers").rglob("*.json"))[0]
    stored.write_bytes(damage(stored.read_bytes()))
    assert run(spec) == 0
    assert 0 < read_result(spec.work_folder).num_generated <= 3
    assert [(row.key, row.answer, row.num_tokens) for row in read_answers(spec)] == said


def test_a_base_without_chat_template_is_asked_in_plain_text(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], build_model: Build
) -> None:
    plain = ModelFolder(path=str(build_model(seed=1, template=None)), model_hash="d" * 32)
    spec = make_spec({**models, "base": plain})
    assert run(spec) == 0
    assert any("no chat template" in note for note in read_result(spec.work_folder).notes)


def test_shots_are_left_out_where_the_context_is_short(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], build_model: Build
) -> None:
    short = ModelFolder(path=str(build_model(seed=1, context=96)), model_hash="e" * 32)
    spec = make_spec({**models, "base": short}, shots=4)
    assert run(spec) == 0
    assert any(note.startswith("base_few_shot: 7 prompts") for note in read_result(spec.work_folder).notes)


def test_an_item_that_was_trained_on_stops_everything(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder], store: Store, example: Make
) -> None:
    leaked = store.write_table(Example, [example(1, split="train", group="eval-2")])
    spec = AnswerSpec(**{**vars(make_spec(models)), "training_examples": leaked.root})
    assert run(spec) == 3
    with pytest.raises(EvaluationError, match="trained on: it has the group of the training row 'api/train/0001'"):
        read_result(spec.work_folder)


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _torn(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-2000])


def _lacking_a_tensor(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _not_a_number(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_without_weights, "cannot be loaded"),
        (_torn, "cannot be loaded"),
        (_lacking_a_tensor, r"incomplete: weights such as model\.layers\.1\.mlp\.up_proj\.weight"),
        (_not_a_number, "not numbers"),
    ],
)
def test_a_broken_model_is_named_and_the_answers_of_the_others_are_kept(
    make_spec: Callable[..., AnswerSpec],
    models: dict[str, ModelFolder],
    build_model: Build,
    damage: Callable[[Path], None],
    message: str,
) -> None:
    broken = build_model(seed=3)
    damage(broken)
    spec = make_spec({**models, "candidate": ModelFolder(path=str(broken), model_hash="f" * 32)})
    assert run(spec) == 3
    told = json.loads(Path(spec.work_folder, "error.json").read_text())
    assert told["error"] == "EvaluationError"
    assert "'candidate'" in told["message"]
    with pytest.raises(EvaluationError, match=message):
        read_result(spec.work_folder)
    assert run(make_spec(models)) == 0
    assert read_result(spec.work_folder).num_reused == 14


def test_a_missing_table_is_named(make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder]) -> None:
    spec = AnswerSpec(**{**vars(make_spec(models)), "items": "0" * 32})
    assert run(spec) == 3
    assert "answers" in json.loads(Path(spec.work_folder, "error.json").read_text())["message"]


def test_a_child_that_left_nothing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="died without a word"):
        read_result(tmp_path)


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    module = "evaluation.answering.child"
    code = f"import time; from {module} import die_with_parent; die_with_parent(); print('up', flush=True); time.sleep(600)"
    parent = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', {code!r}], stdout=subprocess.PIPE, text=True)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(600)\n"
    )
    command = [build_command(tmp_path)[0], "-c", parent]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=child_environment()) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(600):
        if not _is_alive(pid):
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its parent")


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on_from_there(
    make_spec: Callable[..., AnswerSpec], models: dict[str, ModelFolder]
) -> None:
    spec = make_spec(models, num_items=400, batch_size=4)
    command = build_command(write_spec(spec))
    answers = Path(spec.work_folder, "answers")
    with subprocess.Popen(command, env=child_environment(), stdout=subprocess.DEVNULL) as process:
        while len(list(answers.rglob("*.json"))) < 20 and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    finished = len(list(answers.rglob("[!.]*.json")))
    assert finished >= 20
    subprocess.run(command, env=child_environment(), check=True, stdout=subprocess.DEVNULL)
    result = read_result(spec.work_folder)
    assert result.num_reused >= 20 * 4
    assert result.num_generated + result.num_reused == 1200
    assert len({row.key for row in read_answers(spec)}) == 1600


@pytest.mark.slow
def test_the_child_needs_no_dagster_polars_sqlalchemy_or_pydantic(tmp_path: Path) -> None:
    unwanted = {"dagster", "polars", "sqlalchemy", "pydantic"}
    code = f"import sys, evaluation.answering.answer; print(sorted({unwanted} & set(sys.modules)))"
    command = [build_command(tmp_path)[0], "-c", code]
    assert subprocess.run(command, env=child_environment(), check=True, capture_output=True, text=True).stdout == "[]\n"
