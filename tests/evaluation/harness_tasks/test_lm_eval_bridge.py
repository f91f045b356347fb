"""Beside the harness itself, where it is installed (extra `harness`; CI has it)."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.errors import EvaluationError
from evaluation.harness_tasks import lm_eval_bridge
from evaluation.harness_tasks.lm_eval_bridge import generate_until, is_installed, score_by_name

ROOT = Path(__file__).parents[3]
needs_harness = pytest.mark.skipif(not is_installed(), reason="lm-eval is not installed: pip install 'tunewright[harness]'")

CHILD = """
import json, logging, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from tests.evaluation.harness_tasks.conftest import RuleModel
from evaluation.harness_tasks.lm_eval_bridge import score_by_name
from evaluation.harness_tasks.score import score_task
from evaluation.harness_tasks.task_file import read_task
from curation.errors import EvaluationError
model, path = RuleModel(), Path(sys.argv[1])
(theirs,) = score_by_name(["boats"], model, folder=path.parent)
mine = score_task(read_task(path), model)
try:
    score_by_name(["no_such_task"], model)
except EvaluationError as error:
    told = str(error)
try:
    score_by_name(["arc_easy"], model)
except EvaluationError as error:
    offline = str(error)
print(json.dumps([mine.totals, theirs.totals, [[item.key, item.prompt, item.scores] for item in mine.items],
                  [[item.key, item.prompt, item.scores] for item in theirs.items], told, offline]))
"""


def run(*command: str, cache: Path) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(cache),
        "OMP_NUM_THREADS": "1",
        "TQDM_DISABLE": "1",
    }
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
@needs_harness
def test_every_item_is_equal_to_that_of_the_harness(tmp_path: Path) -> None:
    found = json.loads(run("-m", "benchmarks.parity_lm_eval", "--items", "12", cache=tmp_path))
    assert found["items"] == found["equal"] == found["bridge_equal"] == 60
    assert found["items_per_s"] > 0


@pytest.mark.slow
@needs_harness
def test_tasks_run_by_their_names(write_task: Callable[..., Path], tmp_path: Path) -> None:
    path = write_task(metric_list=[{"metric": "acc"}, {"metric": "acc_norm"}])
    path.write_text(path.read_text().replace("test.jsonl", str(tmp_path / "test.jsonl")))
    mine, theirs, my_items, their_items, unknown, offline = json.loads(run("-c", CHILD, str(path), cache=tmp_path / "cache"))
    assert mine == theirs == {"acc": 0.5, "acc_norm": 0.5}
    assert my_items == their_items
    assert "no task 'no_such_task'" in unknown
    assert "the harness stopped with arc_easy" in offline


def test_without_the_harness_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, rule_model: Any) -> None:
    monkeypatch.setattr(lm_eval_bridge, "is_installed", lambda: False)
    with pytest.raises(EvaluationError, match=r"tasks by name \(arc_easy\) need the extra `harness`"):
        score_by_name(["arc_easy"], rule_model())


@needs_harness
def test_requests_are_greedy_and_fit(rule_model: Any) -> None:
    model = rule_model("tea")
    settings = {"until": ["\n"], "max_gen_toks": 5, "do_sample": False, "temperature": 0.0}
    assert generate_until(model, [("a" * 900, settings), ("b", {**settings, "until": ["x"]})], batch_size=2) == ["tea", "tea"]
    with pytest.raises(EvaluationError, match="answers are greedy here"):
        generate_until(model, [("a", {"until": [], "do_sample": True, "temperature": 0.7})], batch_size=2)
    with pytest.raises(EvaluationError, match="asks for 500 new tokens"):
        generate_until(model, [("a", {"until": [], "max_gen_toks": 500, "do_sample": False})], batch_size=2)
