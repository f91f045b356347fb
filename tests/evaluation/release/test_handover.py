"""The hand-over gate on real exports of a tiny model: what passes, what is refused, and that nothing of it is left."""

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from curation.checksums import find_changed, write_sums
from curation.errors import EvaluationError, ExportRefusedError
from curation.records import Example
from curation.store import Store
from evaluation.answering import answer
from evaluation.answering.child import write_spec
from evaluation.answering.spec import AnswerSpec, ComparatorSpec, Generation, read_result
from evaluation.config import EvaluationConfig
from evaluation.records import EvalAnswer, EvalItem
from evaluation.release.handover import HandoverSpec, hand_over, summarise, worst_difference
from evaluation.release.handover_config import HandoverConfig
from tests.training.export.conftest import RANK, make_adapter, merge
from training.export.adapter import write_adapter

pytestmark = pytest.mark.slow
CONFIG = EvaluationConfig(max_new_tokens=8, batch_size=16)
MODEL = "c" * 32


class Exported(NamedTuple):
    """An export that no gate has seen, and what its model answered at the gate."""

    folder: Path
    parent: Path
    store: Store
    items: str
    training: str
    answers: str

    def spec(self, tmp_path: Path) -> HandoverSpec:
        return HandoverSpec(
            name="toy", model_hash=MODEL, store_url=self.store.url, items=self.items, answers=self.answers,
            training_examples=self.training, export=self.folder, parent_folder=str(self.parent),
            out=tmp_path / "out", work_folder=tmp_path / "work",
        )  # fmt: skip


def ask(spec: AnswerSpec) -> str:
    """Run the answering process in this one."""
    answer.main([str(write_spec(spec))], watch_parent=lambda: None)
    return read_result(spec.work_folder).table


@pytest.fixture(scope="module")
def built(
    tmp_path_factory: pytest.TempPathFactory, build_model: Callable[..., Path], example: Callable[..., Example]
) -> Exported:
    folder = tmp_path_factory.mktemp("handover")
    store, parent = Store(str(folder / "store")), build_model(seed=5)
    adapter = make_adapter(folder / "adapter", parent)
    merged = merge(parent, adapter, folder / "export")
    write_adapter(adapter, merged / "adapter", name="toy", base="toy@parent")
    for file in parent.iterdir():
        if file.name not in ("config.json", "model.safetensors"):
            shutil.copy(file, merged / "adapter" / file.name)
    rows = [example(number) for number in range(30)]
    items = store.write_table(
        EvalItem,
        [EvalItem(key=row.key, task="held_out", prompt=row.prompt, reference=row.answer, group=row.group) for row in rows],
    )
    training = store.write_table(Example, [example(1, split="train")])
    candidate = ComparatorSpec(name="candidate", model=str(merged), model_hash=MODEL)
    generation = Generation(max_new_tokens=8, batch_size=16, seed=0)
    asked = AnswerSpec(
        store_url=store.url, items=items.root, training_examples=training.root, comparators=(candidate,),
        generation=generation, work_folder=str(folder / "gate"),
    )  # fmt: skip
    answers = ask(asked)
    assert len({row.answer for row in store.read_table(EvalAnswer, answers)}) > 10
    write_sums(merged)
    return Exported(merged, parent, store, items.root, training.root, answers)


@pytest.fixture
def exported(built: Exported, tmp_path: Path) -> Exported:
    """A copy that a test may damage."""
    return built._replace(folder=Path(shutil.copytree(built.folder, tmp_path / "export")))


def test_every_form_answers_again_and_the_report_is_signed_with_the_files(exported: Exported, tmp_path: Path) -> None:
    spec = exported.spec(tmp_path)
    killed = spec.out.with_name(f".{spec.out.name}.4711.old")
    killed.mkdir()
    report = hand_over(spec, CONFIG, HandoverConfig(max_items=20), ask)
    assert not spec.export.exists()
    assert not killed.exists(), "what a killed hand-over left behind"
    assert find_changed(spec.out) == ""
    assert json.loads((spec.out / "handover.json").read_text()) == report
    assert set(report["forms"]) == {"merged", "adapter"}
    for found in report["forms"].values():
        assert (found["num_same"], found["same"], found["differing"]) == (20, 1.0, [])
        assert found["scores"]["held_out exact_match"]["difference"] == 0
    assert report["num_items"] == 20
    assert (report["score_tolerance"], report["minimum_same"]) == (0.02, 0.8)
    assert worst_difference(report) < 1e-9
    assert "| adapter | 20 | held_out token_f1 |" in summarise(report)


def test_the_merged_model_is_asked_by_the_engine_of_the_gate_and_the_adapter_by_transformers(
    exported: Exported, tmp_path: Path
) -> None:
    asked: list[tuple[str, list[str]]] = []

    def note_and_ask(spec: AnswerSpec) -> str:
        asked.append((spec.generation.engine, [form.name for form in spec.comparators]))
        return ask(dataclasses.replace(spec, generation=dataclasses.replace(spec.generation, engine="transformers")))

    report = hand_over(
        exported.spec(tmp_path), dataclasses.replace(CONFIG, engine="vllm"), HandoverConfig(max_items=4), note_and_ask
    )
    assert asked == [("transformers", ["adapter"]), ("vllm", ["merged"])]
    assert [found["num_same"] for found in report["forms"].values()] == [4, 4]


@pytest.fixture
def llama_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program that stands in for llama.cpp's server on PATH."""
    script = Path(__file__).parent / "fake_llama_server.py"
    program = tmp_path / "bin" / "llama-server"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def add_gguf(exported: Exported, text: str = "GGUF") -> None:
    (exported.folder / "model.gguf").write_text(text)
    write_sums(exported.folder)


@pytest.mark.usefixtures("llama_server")
def test_a_gguf_file_answers_again_where_llama_cpp_is_installed(exported: Exported, tmp_path: Path) -> None:
    add_gguf(exported)
    lines: list[str] = []
    report = hand_over(exported.spec(tmp_path), CONFIG, HandoverConfig(max_items=12), ask, lines.append)
    found = report["forms"]["gguf"]
    assert (found["num_same"], found["same"]) == (12, 1.0)
    assert found["scores"]["held_out exact_match"]["difference"] == 0
    assert report["not_asked"] == {}
    assert "| gguf | 12 | held_out token_f1 |" in summarise(report)
    assert any(line.startswith("gguf: ") for line in lines)
    assert find_changed(exported.spec(tmp_path).out) == ""


@pytest.mark.usefixtures("llama_server")
@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("lying", "the gguf model: 12 of 12 answers differ"),
        ("broken", "does not serve model.gguf.*has wrong shape"),
        ("short", "gave no answer to 11 items.*maximum context length"),
    ],
)
def test_a_gguf_file_that_does_not_answer_as_the_model_is_refused(
    exported: Exported, tmp_path: Path, manner: str, said: str
) -> None:
    add_gguf(exported, manner)
    spec = exported.spec(tmp_path)
    with pytest.raises(ExportRefusedError, match=said):
        hand_over(spec, CONFIG, HandoverConfig(max_items=12, score_tolerance=0.9), ask)
    assert not spec.export.exists()
    assert not spec.out.exists()


def test_a_gguf_file_that_cannot_be_asked_here_is_named_in_the_report(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    add_gguf(exported)
    report = hand_over(exported.spec(tmp_path), CONFIG, HandoverConfig(max_items=2), ask)
    assert set(report["forms"]) == {"merged", "adapter"}
    assert "`llama-server` is in no folder of PATH" in report["not_asked"]["gguf"]
    assert "Form gguf: It was not asked" in summarise(report)


def _other_scale(folder: Path) -> None:
    path = folder / "adapter" / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"lora_alpha": RANK}))


def _other_template(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("<|assistant|>", "<|assistant|>\n"))


@pytest.mark.parametrize(("damage", "form"), [(_other_scale, "adapter"), (_other_template, "merged")])
def test_a_form_that_answers_in_another_way_is_refused_and_deleted(
    exported: Exported, tmp_path: Path, damage: Callable[[Path], None], form: str
) -> None:
    spec = exported.spec(tmp_path)
    spec.out.mkdir()
    (spec.out / "earlier").write_text("kept")
    damage(spec.export)
    write_sums(spec.export)
    tolerance = HandoverConfig(minimum_same=1.0)
    with pytest.raises(ExportRefusedError, match=f"the {form} model") as refused:
        hand_over(spec, CONFIG, tolerance, ask)
    assert "at the gate" in str(refused.value)
    assert not spec.export.exists()
    assert [path.name for path in spec.out.iterdir()] == ["earlier"]


def test_the_tolerance_decides_between_the_same_and_another_score(exported: Exported, tmp_path: Path) -> None:
    """Answers that are right in eight of thirty cases at the gate: the export, which never is, falls short by 0.27."""
    rows = list(exported.store.read_table(EvalAnswer, exported.answers))
    right = [dataclasses.replace(row, answer=row.reference) if number < 8 else row for number, row in enumerate(rows)]
    other = exported._replace(answers=exported.store.write_table(EvalAnswer, right).root)
    spec = other.spec(tmp_path)
    kept = shutil.copytree(spec.export, tmp_path / "kept")
    with pytest.raises(ExportRefusedError, match=r"exact_match is 0\.0000, and 0\.2667 for the model that was promoted"):
        hand_over(spec, CONFIG, HandoverConfig(score_tolerance=0.2, minimum_same=0), ask)
    shutil.copytree(kept, spec.export)
    with pytest.raises(ExportRefusedError, match="8 of 30 answers differ"):
        hand_over(spec, CONFIG, HandoverConfig(score_tolerance=0.9, minimum_same=0.8), ask)
    shutil.copytree(kept, spec.export)
    report = hand_over(spec, CONFIG, HandoverConfig(score_tolerance=0.9, minimum_same=0.7), ask)
    assert report["forms"]["merged"]["num_same"] == 22


def test_what_was_changed_after_signing_or_belongs_to_another_model_is_not_even_asked(
    exported: Exported, tmp_path: Path
) -> None:
    def never(_: AnswerSpec) -> str:
        raise AssertionError("asked")

    spec = exported.spec(tmp_path)
    kept = shutil.copytree(spec.export, tmp_path / "kept")
    with pytest.raises(ExportRefusedError, match="is missing, or of another model"):
        hand_over(dataclasses.replace(spec, model_hash="d" * 32), CONFIG, HandoverConfig(), never)
    shutil.copytree(kept, spec.export)
    (spec.export / "README.md").write_text("new")
    with pytest.raises(ExportRefusedError, match=r"README\.md was added since the export was signed"):
        hand_over(spec, CONFIG, HandoverConfig(), never)
    assert not spec.export.exists()


def test_an_export_that_cannot_be_loaded_is_deleted_as_well(exported: Exported, tmp_path: Path) -> None:
    spec = exported.spec(tmp_path)
    weights = spec.export / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2000])
    write_sums(spec.export)
    with pytest.raises(EvaluationError, match="'merged'"):
        hand_over(spec, CONFIG, HandoverConfig(), ask)
    assert not spec.export.exists()
