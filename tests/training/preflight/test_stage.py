"""What the preflight of a stage reads, and that a stage that it stops loads no model."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curation.errors import PreflightFailedError
from curation.records import Example
from curation.store import Store
from tests.training.conftest import Bench, make_example
from training import run as running
from training.config import PreferenceConfig, StageConfig
from training.preflight.command import main
from training.preflight.inspect import inspect_rows
from training.preflight.size_rules import find_size_faults
from training.preflight.stage import describe_stage, find_collator, find_kind, read_stops, read_template, read_vocabulary
from training.rows import Rows

SFT = StageConfig(
    method="sft", tuning="full", max_steps=2, batch_size=8, gradient_accumulation=1, learning_rate=0.01, max_length=128,
    gradient_checkpointing=False, checkpoint_every_steps=0,
)  # fmt: skip


def test_what_is_read_beside_the_model(tmp_path: Path, tokenizer: Any) -> None:
    assert read_vocabulary(tmp_path) == 0
    assert read_template(tmp_path) == ""
    assert read_stops(tmp_path, tokenizer) == {tokenizer.eos_token_id}
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"vocab_size": 77}}))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [3, 9]}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ old }}"}))
    assert read_vocabulary(tmp_path) == 77
    assert read_stops(tmp_path, tokenizer) == {3, 9}
    assert read_template(tmp_path) == "{{ old }}"
    (tmp_path / "chat_template.jinja").write_text("{{ new }}")
    assert read_template(tmp_path) == "{{ new }}"


def test_a_saved_tokenizer_has_the_template_that_was_used(tmp_path: Path, tokenizer: Any) -> None:
    tokenizer.save_pretrained(tmp_path)
    assert read_template(tmp_path) == tokenizer.chat_template


@pytest.mark.parametrize(("method", "columns", "kind"), [
    ("dapt", ("input_ids", "labels"), "text"),
    ("sft", ("input_ids", "labels"), "answers"),
    ("dpo", ("prompt_ids", "chosen_ids", "rejected_ids"), "pairs"),
    ("dpo", ("prompt_ids", "completion_ids", "label"), "labelled"),
    ("sft", ("prompt_ids",), "prompts"),
])  # fmt: skip
def test_rows_say_what_is_learnt(method: Any, columns: tuple[str, ...], kind: str) -> None:
    assert find_kind(StageConfig(method=method), Rows(columns={name: [[1]] for name in columns})) == kind


@pytest.mark.parametrize(
    ("accumulation", "world", "found"), [(1, 1, []), (2, 2, []), (4, 2, ["less_than_a_step"]), (1, 8, ["too_few_rows"])]
)
def test_packed_rows_are_counted_by_micro_batches(
    bench: Bench, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, accumulation: int, world: int, found: list[str]
) -> None:
    """Seven rows: `batch_size` says nothing about packs, of which each has at least one."""
    monkeypatch.setenv("WORLD_SIZE", str(world))
    stage = dataclasses.replace(SFT, packing=True, gradient_accumulation=accumulation)
    rows = Rows(columns={"input_ids": [[1, 2]] * 7, "labels": [[1, 2]] * 7})
    subject = describe_stage(bench.spec(stage, name="packed"), stage, rows, tokenizer, records=[])
    assert [hit.rule for hit in find_size_faults(subject)] == found
    assert inspect_rows(subject).facts["micro-batches a step"] == str(accumulation * world)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_held_out_row_stops_the_stage_before_a_model_is_loaded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "learn", lambda *_args: pytest.fail("the model was loaded"))
    held_out = Store(bench.url).write_table(Example, [make_example(3, "files")]).root
    spec = bench.spec(SFT, name="stopped", held_out=held_out)
    with pytest.raises(PreflightFailedError, match=r"a question of the held-out set is trained on in 1 of 32 rows"):
        bench.run(spec)
    assert "eval_row_in_training" in (Path(spec.work_folder) / "preflight" / "report.json").read_text()
    assert "Stopped: 1 error" in (Path(spec.work_folder) / "preflight" / "index.html").read_text()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_right_rows_are_trained_and_leave_a_report(bench: Bench) -> None:
    held_out = Store(bench.url).write_table(Example, [make_example(900, "files")]).root
    spec = bench.spec(SFT, name="ready", held_out=held_out)
    assert (bench.run(spec) / "model.safetensors").exists()
    report = json.loads((Path(spec.work_folder) / "preflight" / "report.json").read_text())
    assert report["passed"]
    assert report["not_checked"] == []
    assert any("preflight: " in line and " 0 errors" in line for line in bench.said)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("method", "kind"), [("dapt", "text"), ("sft", "answers"), ("dpo", "pairs")])
def test_the_batches_looked_at_are_those_of_the_trainer(
    bench: Bench, method: Any, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import learning

    built = []
    build = learning.build_trainer
    monkeypatch.setattr(learning, "build_trainer", lambda job: built.append(build(job)) or built[0])
    stage = StageConfig(**{**vars(SFT), "method": method})
    bench.run(bench.spec(stage, name=f"collated_{method}"))
    assert built[0].data_collator == find_collator(stage, kind, built[0].processing_class)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_batches_of_reward_models_and_ratings_are_looked_at(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl.trainer import kto_trainer, reward_trainer

    spec = bench.spec(StageConfig(**{**vars(SFT), "method": "reward"}), name="reward_batches")
    bench.run(spec)
    report = json.loads((Path(spec.work_folder) / "preflight" / "report.json").read_text())
    assert "batch_loses_tokens" in report["rules_held"]
    assert not any("collator" in note for note in report["not_checked"])

    collate = reward_trainer.DataCollatorForPreference.torch_call

    def cut(self: Any, rows: list[dict[str, Any]]) -> Any:
        return collate(self, [{**row, "rejected_ids": row["rejected_ids"][:-1]} for row in rows])

    monkeypatch.setattr(reward_trainer.DataCollatorForPreference, "torch_call", cut)
    with pytest.raises(PreflightFailedError, match="the collator loses, adds or moves tokens"):
        bench.run(bench.spec(StageConfig(**{**vars(SFT), "method": "reward"}), name="reward_cut"))
    rated = find_collator(StageConfig(method="kto"), "labelled", SimpleNamespace(pad_token_id=7))
    assert rated == kto_trainer.DataCollatorForUnpairedPreference(pad_token_id=7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("changes", [{"method": "orpo"}, {"method": "dpo", "preference": PreferenceConfig(loss="simpo")}])
def test_batches_with_both_sides_apart_are_looked_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    from trl.experimental.utils import DPODataCollatorWithPadding

    stage = StageConfig(**{**vars(SFT), **changes})
    spec = bench.spec(stage, name=f"sides_{stage.method}")
    bench.run(spec)
    report = json.loads((Path(spec.work_folder) / "preflight" / "report.json").read_text())
    assert {"batch_loses_tokens", "batch_changes_labels", "end_masked_by_padding"} <= set(report["rules_held"])

    collate = DPODataCollatorWithPadding.__call__

    def mask_last(self: Any, rows: list[dict[str, Any]]) -> Any:
        return collate(self, [{**row, "rejected_labels": [*row["rejected_labels"][:-1], -100]} for row in rows])

    monkeypatch.setattr(DPODataCollatorWithPadding, "__call__", mask_last)
    with pytest.raises(PreflightFailedError, match="the collator masks end tokens"):
        bench.run(bench.spec(stage, name=f"sides_cut_{stage.method}"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_packed_rows_are_looked_at_as_they_are_packed(bench: Bench) -> None:
    stage = StageConfig(**{**vars(SFT), "packing": True, "tokens_per_batch": 256})
    spec = bench.spec(stage, name="packed")
    bench.run(spec)
    report = json.loads((Path(spec.work_folder) / "preflight" / "report.json").read_text())
    assert report["passed"]
    assert {"documents_not_isolated", "boundary_trained", "batch_loses_tokens"} <= set(report["rules_held"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_prints_the_report_and_says_by_its_exit_code_what_it_found(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine = bench.spec(SFT, name="command").write(tmp_path / "fine.json")
    assert main([str(fine)]) == 0
    assert "sft_model: ready to train. 32 rows" in capsys.readouterr().out
    held_out = Store(bench.url).write_table(Example, [make_example(3, "files")]).root
    stopped = bench.spec(SFT, name="command", held_out=held_out).write(tmp_path / "stopped.json")
    assert main([str(stopped), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["rule"] == "eval_row_in_training"
    assert main([str(tmp_path / "nothing.json")]) == 3
