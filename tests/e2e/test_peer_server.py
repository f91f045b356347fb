"""The recipe against an OpenAI-compatible server that nobody here wrote: `transformers serve`, our model."""

import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.home import Home
from curation.judging.config import JudgeConfig
from curation.records import Document, Example, Message, Provenance, Rejection
from curation.synthesis.budget.config import BudgetConfig
from curation.synthesis.config import GenerateConfig
from curation.synthesis.methods.build import METHODS
from curation.synthesis.methods.conversation import ConversationConfig
from curation.synthesis.methods.conversion import ConversionConfig
from curation.synthesis.methods.document_qa import DocumentQaConfig
from curation.synthesis.methods.evol_instruct import EvolInstructConfig
from curation.synthesis.methods.grounded_qa import GroundedQaConfig
from curation.synthesis.methods.magpie import MagpieConfig
from curation.synthesis.methods.method import Inputs
from curation.synthesis.methods.raft import RaftConfig
from curation.synthesis.methods.reasoning import ReasoningConfig
from curation.synthesis.methods.self_instruct import SelfInstructConfig
from curation.synthesis.methods.tool_calls import ToolCallsConfig
from curation.synthesis.methods.translation import TranslationConfig
from curation.synthesis.methods.variation import VariationConfig
from curation.synthesis.methods.verifiable import VerifiableConfig
from curation.synthesis.preferences.best_of_n import BestOfNConfig
from curation.synthesis.routes import RoutingConfig
from curation.synthesis.stage import CandidateSettings, make_candidates
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.answering.endpoint import EndpointConfig, answer_by_endpoint, opened_answers
from evaluation.answering.language_model import load_model
from tests.e2e.tiny_recipe import Project, make_project
from tests.free_port import free_port

pytestmark = pytest.mark.slow


def _demonstration(key: str, question: str, answer: str) -> Example:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    provenance = Provenance(origin="human", method="demonstration", license="MIT")
    return Example(key=f"people/{key}", task="boats", messages=messages, group=key, provenance=provenance)


DEMONSTRATION = _demonstration(
    "1", "Please tell me how a rudder turns a boat to the left.", "It pushes the stern to the right."
)
GRADED = [_demonstration("2", "A boat has 3 oars on each of its 2 sides. How many oars are that?", "3 * 2 = 6\n#### 6")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("peer"))


@pytest.fixture(scope="module")
def server(project: Project) -> Iterator[tuple[str, str]]:
    project.run()
    store = _home(project).store()
    model = str(store.get_folder(store.snapshot("tiny/preference_model").folders["model"]))
    port = free_port()
    command = [str(Path(sys.executable).parent / "transformers"), "serve", model, "--port", str(port), "--host", "127.0.0.1"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.kill()
        process.wait()


def test_pipeline_completes_against_transformers_serve(project: Project, server: tuple[str, str]) -> None:
    url, model = server
    teacher = {"kind": "openai", "model": model, "base_url": url, "api_key_env": "NO_KEY", "max_tokens": 16, "concurrency": 2}
    project.change_recipe(teacher=teacher, terms={"action": "warn"})  # nobody knows the terms of this teacher
    summary = project.run()
    assert summary["teacher_calls"] == 12
    assert summary["trainings"] == 1
    store = _home(project).store()
    rejections = [
        row
        for snapshot in store.list_snapshots("tiny/candidates")
        for row in store.read_table(Rejection, snapshot.tables["rejections"].root)
    ]
    examples = sum(snapshot.tables["examples"].num_rows for snapshot in store.list_snapshots("tiny/candidates"))
    assert examples + len(rejections) >= 12, "every reply ends as rows or as a rejection with its reason"
    assert project.run()["teacher_calls"] == 0


@pytest.mark.parametrize("is_streamed", [False, True])
def test_every_method_runs_against_transformers_serve(
    project: Project, server: tuple[str, str], tmp_path: Path, is_streamed: bool
) -> None:
    url, model = server
    teacher = TeacherConfig(
        kind="openai", model=model, base_url=url, api_key_env="NO_KEY", max_tokens=12, concurrency=2, stream=is_streamed,
        revision=f"streamed {is_streamed}",
    )  # fmt: skip
    home = dataclasses.replace(_home(project), path=tmp_path)
    store = _home(project).store()
    documents = [row for item in store.list_snapshots("tiny/documents") for row in _rows(store, item, "documents", Document)][
        :2
    ]
    demonstrations = [DEMONSTRATION, *GRADED]
    inputs = Inputs(documents=documents, examples=demonstrations)
    for name, section in sections(teacher).items():
        settings = CandidateSettings(
            recipe="peer",
            teachers=(teacher,),
            generate=GenerateConfig(**{name.partition(",")[0]: section}),
            budget=BudgetConfig(pilot=0),
        )
        messages: list[str] = []
        made = make_candidates(home, inputs, settings, messages.append).generated
        rows = (*made.examples, *made.pairs, *made.tasks, *made.rejections)
        assert rows, name
        assert made.num_proposed == len(rows), f"{name}: a unit vanished"
        assert made.report.num_calls > 0, name
        assert made.report.num_failed == 0, (name, [row.detail for row in made.rejections], messages)
        assert make_candidates(home, inputs, settings, messages.append).generated.report.num_calls == 0, name


def test_a_served_model_is_evaluated_where_it_is(server: tuple[str, str], tmp_path: Path) -> None:
    url, model = server
    prompts = [(Message(role="user", content=f"Which part has {number} oars?"),) for number in range(3)]
    config = EndpointConfig(model=model, base_url=url, api_key_env="NO_KEY", concurrency=2)
    with opened_answers(tmp_path) as ledger:
        run = answer_by_endpoint(config, prompts, ledger=ledger, max_new_tokens=8)
        again = answer_by_endpoint(config, prompts, ledger=ledger, max_new_tokens=8)
    local = load_model("served", model, max_new_tokens=8)
    assert [item.text for item in run.answers] == [
        item.text for item in local.answer([local.encode(prompt, ()).tokens for prompt in prompts])
    ]
    assert all(item.latency_s > 0 and item.num_prompt_tokens > 0 for item in run.answers)
    assert (run.num_calls, run.num_failed, again.num_calls) == (3, 0, 0)


def sections(teacher: TeacherConfig) -> dict[str, Any]:
    """Every method with as little work as it can be given."""
    tool = {"name": "find_boat", "description": "Finds a boat.", "parameters": {"type": "object", "properties": {}}}
    judge = JudgeConfig(teacher=teacher, rubric="Is the answer right?")
    found = {
        "routing": RoutingConfig(routes={"all": ("*",), "none": ("nothing",)}, questions_per_document=1),
        "grounded_qa": GroundedQaConfig(questions_per_document=1),
        "tool_calls": ToolCallsConfig(tools=(tool,), examples_per_tool=2),
        "translation": TranslationConfig(source="en", source_name="English", targets={"sw": "Swahili"}),
        "magpie": MagpieConfig(rows_per_topic=2),
        "best_of_n": BestOfNConfig(judge=judge, samples=2),
    }
    plain = (DocumentQaConfig, RaftConfig, ConversationConfig, ConversionConfig, VariationConfig, SelfInstructConfig)
    plain += (EvolInstructConfig, ReasoningConfig, VerifiableConfig)
    names = ("document_qa", "raft", "conversation", "conversion", "variation", "self_instruct")
    names += ("evol_instruct", "reasoning", "verifiable")
    found |= {name: section() for name, section in zip(names, plain, strict=True)}
    assert set(found) == {*METHODS, "raft", "best_of_n"}
    raw = MagpieConfig(rows_per_topic=1, form="raw", pre_query_template="<|bos|><|user|>", stop=("<|end|>",))
    return {**found, "magpie, raw": raw}


def _rows(store: Any, item: Any, table: str, record: Any) -> list[Any]:
    return list(store.read_table(record, item.tables[table].root))


def _home(project: Project) -> Home:
    return Home(path=project.home, store_url=str(project.home / "store"), database_url="", review_url="http://127.0.0.1:3001")


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail("transformers serve did not start")
