"""The measuring child: killed at any time it goes on, and what it finds of a real model is what torch computes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.errors import EvaluationError
from curation.store import Store
from evaluation.answering.child import write_spec
from evaluation.answering.launch import child_environment
from evaluation.forgetting import measure, probe
from evaluation.forgetting.config import ForgettingConfig
from evaluation.forgetting.records import ProbeResult, SuiteItem
from evaluation.forgetting.spec import ProbedModel, ProbeSpec, RowTables, read_result, read_spec
from evaluation.forgetting.suite import load_suite

Build = Callable[..., Path]
Make = Callable[..., ProbeSpec]


@pytest.fixture(scope="module")
def folders(build_model: Build) -> dict[str, Path]:
    return {"base_model": build_model(seed=1, context=512), "sft_model": build_model(seed=2, context=512)}


@pytest.fixture
def make_spec(tmp_path: Path, store: Store, folders: dict[str, Path]) -> Make:
    def make(*, max_items: int = 3, name: str = "work") -> ProbeSpec:
        items = load_suite(ForgettingConfig(max_items=max_items)).items
        models = tuple(ProbedModel(name=name, path=str(path), model_hash=name * 3) for name, path in folders.items())
        return ProbeSpec(
            store_url=store.url,
            items=store.write_table(SuiteItem, items).root,
            models=models,
            rows=RowTables(),
            memorisation=None,
            max_new_tokens=8,
            batch_size=8,
            seed=0,
            work_folder=str(tmp_path / name),
        )

    return make


def run(spec: ProbeSpec) -> int:
    return measure.main([str(write_spec(spec))], watch_parent=lambda: None)


def results_of(spec: ProbeSpec) -> dict[str, ProbeResult]:
    rows = Store(spec.store_url).read_table(ProbeResult, read_result(spec.work_folder).results)
    return {row.key: row for row in rows}


def test_a_spec_survives_writing_and_reading(tmp_path: Path) -> None:
    spec = ProbeSpec(
        store_url="s", items="i", models=(ProbedModel(name="m", path="p", model_hash="h"),), rows=RowTables(training="t"),
        memorisation=ForgettingConfig().memorisation, max_new_tokens=4, batch_size=2, seed=3, work_folder=str(tmp_path),
    )  # fmt: skip
    assert read_spec(write_spec(spec)) == spec
    (tmp_path / "spec.json").write_text("{}")
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_spec(tmp_path / "spec.json")


def test_a_child_that_left_nothing_or_nonsense_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="died without a word"):
        read_result(tmp_path)
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_result(tmp_path)
    (tmp_path / "error.json").write_text(json.dumps({"error": "EvaluationError", "message": "Evaluation stopped: no model."}))
    with pytest.raises(EvaluationError, match="Evaluation stopped: no model."):
        read_result(tmp_path)


def test_the_engine_of_the_evaluation_measures(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"vocab_size": 9}')
    loaded: list[tuple[str, str]] = []

    def refuse(engine: str, name: str, _: str, *, max_new_tokens: int) -> None:
        loaded.append((engine, name))
        raise EvaluationError(reason=f"no {engine} here with {max_new_tokens} tokens.")

    monkeypatch.setattr(measure, "load_engine", refuse)
    spec = ProbeSpec(
        store_url=store.url, items=store.write_table(SuiteItem, load_suite(ForgettingConfig(max_items=1)).items).root,
        models=(ProbedModel(name="m", path=str(tmp_path), model_hash="h"),), rows=RowTables(), memorisation=None,
        max_new_tokens=4, batch_size=2, seed=3, work_folder=str(tmp_path / "work"), engine="vllm",
    )  # fmt: skip
    assert run(spec) == 3
    assert loaded == [("vllm", "m")]
    with pytest.raises(EvaluationError, match="no vllm here with 4 tokens"):
        read_result(spec.work_folder)


@pytest.mark.slow
def test_the_base_is_measured_once_and_likelihoods_are_those_of_the_model(make_spec: Make, folders: dict[str, Path]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    spec = make_spec()
    assert run(spec) == 0
    first = results_of(spec)
    assert len(first) == read_result(spec.work_folder).num_measured == 2 * 27
    more = make_spec(max_items=4)
    assert run(more) == 0
    outcome = read_result(more.work_folder)
    assert (outcome.num_measured, outcome.num_reused) == (2 * 9, 2 * 27)
    assert first.items() <= results_of(more).items()
    items = {item.key: item for item in Store(spec.store_url).read_table(SuiteItem, spec.items)}
    tokenizer = AutoTokenizer.from_pretrained(folders["base_model"])
    model = AutoModelForCausalLM.from_pretrained(folders["base_model"]).eval()
    for item in items.values():
        if item.area in ("facts", "reading", "text"):
            given = tokenizer.bos_token if item.area == "text" else item.prompt
            ids = tokenizer(given + item.reference, add_special_tokens=False, return_tensors="pt")["input_ids"]
            size = len(tokenizer(item.reference, add_special_tokens=False)["input_ids"])
            with torch.inference_mode():
                scores = model(ids).logits.log_softmax(-1)[0, -size - 1 : -1].gather(1, ids[0, -size:, None]).sum()
            row = first[f"base_model/{item.key}"]
            assert row.log_likelihoods[0] == pytest.approx(float(scores), abs=0.02), item.key
            assert (row.num_tokens, row.vocabulary) == (size, 259)


HALTED = """
import threading
from pathlib import Path
from evaluation.forgetting import measure, probe
from evaluation.forgetting.cache import MeasureCache
from evaluation.forgetting.spec import read_spec

put = MeasureCache.put

def put_and_halt(self, values):
    put(self, values)
    (Path(read_spec(Path({spec!r})).work_folder) / "halted").touch()
    threading.Event().wait()

MeasureCache.put, probe.ITEMS_AT_ONCE = put_and_halt, 8
measure.main([{spec!r}])
"""
"""A child that stops for ever after the first 8 items, to be killed there."""


@pytest.mark.slow
def test_a_killed_child_goes_on_and_ends_in_the_same_table(
    make_spec: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probe, "ITEMS_AT_ONCE", 8)
    whole = make_spec(name="whole")
    assert run(whole) == 0
    spec = make_spec(name="broken")
    script = HALTED.format(spec=str(write_spec(spec)))
    command = [measure.build_command(Path("x"))[0], "-c", script]
    child = subprocess.Popen(command, env=child_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    halted, deadline = Path(spec.work_folder) / "halted", time.monotonic() + 600
    while not halted.exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not (Path(spec.work_folder) / "result.json").exists()
    assert run(spec) == 0
    found = read_result(spec.work_folder)
    assert found.num_reused == 8
    assert found.results == read_result(whole.work_folder).results


@pytest.mark.slow
def test_a_broken_model_is_named(make_spec: Make, folders: dict[str, Path], tmp_path: Path) -> None:
    spec = make_spec()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{}")
    for path, problem in ((tmp_path / "broken", "how large its vocabulary"), (tmp_path / "gone", "how large its vocabulary")):
        models = (spec.models[0], ProbedModel(name="sft_model", path=str(path), model_hash="x"))
        broken = ProbeSpec(**{**{name: getattr(spec, name) for name in spec.__dataclass_fields__}, "models": models})
        assert run(broken) == 3
        with pytest.raises(EvaluationError, match=problem):
            read_result(spec.work_folder)
