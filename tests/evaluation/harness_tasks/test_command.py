"""The command that scores a model on task files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluation.harness_tasks import command

Write = Callable[..., Path]


def test_tasks_are_scored_and_finished_ones_kept(
    write_task: Write, build_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task, model = str(write_task()), str(build_model())
    assert command.main([model, task, "--output", str(tmp_path / "results")]) == 0
    out, err = capsys.readouterr()
    totals = json.loads(out)
    assert set(totals) == {"boats"}
    assert set(totals["boats"]) == {"acc", "acc_norm"}
    assert "boats: 2 documents, acc " in err
    (kept,) = (tmp_path / "results").glob("boats-*.json")
    items = json.loads(kept.read_text())["items"]
    assert [item["key"] for item in items] == ["boats/0", "boats/1"]
    assert all(len(item["choices"]) == 2 for item in items)
    assert command.main([model, task, "--output", str(tmp_path / "results")]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == totals
    assert "scored before" in err
    assert command.main([model, task, "--output", str(tmp_path / "results"), "--limit", "1"]) == 0
    assert "boats: 1 documents" in capsys.readouterr().err


def test_a_perplexity_of_no_document_is_null_and_not_an_error(
    write_task: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rule_model: Any
) -> None:
    monkeypatch.setattr(command, "load_engine", lambda *_, **__: rule_model())
    changes = {"output_type": "loglikelihood", "doc_to_target": "{{missing}}", "metric_list": [{"metric": "perplexity"}]}
    task = str(write_task(**changes))
    assert command.main([str(tmp_path), task, "--output", str(tmp_path / "results")]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"boats": {"perplexity": None}}
    assert "2 could not be asked" in err
    (kept,) = (tmp_path / "results").glob("boats-*.json")
    assert json.loads(kept.read_text())["totals"] == {"boats": {"perplexity": None}}


def test_what_is_wrong_is_one_sentence(
    write_task: Write, build_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(tmp_path / "none"), str(write_task())]) == 3
    assert capsys.readouterr().err.startswith("Evaluation stopped: the model 'model'")
    assert command.main([str(build_model()), str(write_task(output_type="score"))]) == 3
    assert "`output_type` must be one of" in capsys.readouterr().err
