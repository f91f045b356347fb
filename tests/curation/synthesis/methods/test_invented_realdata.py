"""The methods that invent tasks on real questions, solutions, tools and translations."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from curation.character_f import chrf
from curation.chat_model import ChatRequest
from curation.graders.registry import grade
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import RequestLedger
from curation.synthesis.methods.method import Inputs
from curation.synthesis.methods.reasoning import Reasoning, ReasoningConfig
from curation.synthesis.methods.tool_calls import ToolCalls, ToolCallsConfig
from curation.synthesis.methods.tool_definitions import ToolSet
from curation.synthesis.methods.translation_checks import check_translation
from curation.synthesis.methods.verifiable import Verifiable, VerifiableConfig
from curation.synthesis.novelty import NoveltyPool
from curation.synthesis.parse import UnusableError
from curation.synthesis.teachers.config import TeacherConfig
from curation.synthesis.teachers.extractive import ExtractiveTeacher
from tests.curation.synthesis.methods.answering import asked, demonstration, document_of, session_of

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif("REALDATA_DIR" not in os.environ, reason="REALDATA_DIR is not set"),
]
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")


def path_of(name: str) -> Path:
    return Path(os.environ["REALDATA_DIR"]) / name


def read_lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path_of(name).read_text("utf-8").splitlines() if line.strip()]


def test_best_of_four_recorded_solutions_of_gsm8k(ledger: RequestLedger) -> None:
    rows = read_lines("gsm8k/data/example_model_solutions.jsonl")[:300]
    by_question = {row["question"].strip(): row for row in rows}
    seeds = [demonstration(f"gsm8k/{at}", row["question"], row["ground_truth"]) for at, row in enumerate(rows)]

    def answer(request: ChatRequest) -> str:
        return str(by_question[asked(request)][MODELS[request.sample_index]]["solution"])

    method = Reasoning(ReasoningConfig(samples=4, form="text"))
    session, _ = session_of(ledger, answer)
    units = method.plan(Inputs(examples=seeds))
    made = method.make(units, session)
    solved = {f"gsm8k/{at}" for at, row in enumerate(rows) if any(row[model]["is_correct"] for model in MODELS)}
    assert len(units) == 300
    assert {row.provenance.parents[0] for row in made.examples} == solved
    unsolved = [item for item in made.rejections if item.reason == "no_right_answer"]
    assert len(made.examples) + len(unsolved) == 300
    right = sum(row[model]["is_correct"] for row in rows for model in MODELS)
    assert made.figures["right_share"] == pytest.approx(right / (4 * 300))


def test_seeds_of_self_instruct_are_new_and_their_copies_are_not() -> None:
    seeds = [(row["id"], row["instruction"]) for row in read_lines("self_instruct_seeds/data/seed_tasks.jsonl")]
    pool = NoveltyPool([], max_similarity=0.6)
    assert len(pool.admit(seeds)) <= 1
    copies = [(f"copy of {key}", f"Please {text[0].lower()}{text[1:]}") for key, text in seeds if len(text) > 60]
    assert len(pool.admit(copies)) == len(copies) > 50


def test_tasks_by_rule_from_real_documentation_are_right(ledger: RequestLedger) -> None:
    files = sorted(path_of("httpx_docs").rglob("*.md"))
    documents = [document_of(file.read_text("utf-8"), key=f"httpx/{file.stem}", title=file.stem) for file in files]
    session = Session([SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())], ledger)
    method = Verifiable(VerifiableConfig(proof="verbatim"))
    made = method.make(method.plan(Inputs(documents=documents)), session)
    texts = {document.key: document.text for document in documents}
    assert len(made.tasks) > 100
    for task in made.tasks:
        (span,) = task.provenance.spans
        assert grade(task, f"Answer: {task.reference}").is_right
        assert not grade(task, "Answer: something else").is_right
        if task.grader == "exact":
            assert task.reference.casefold() in texts[span.document_key][span.start : span.end].casefold()
    assert {item.reason for item in made.rejections} <= {"empty_reply"}


def test_people_translate_within_the_rules() -> None:
    english, german = (json.loads(path_of(f"xquad/xquad.{code}.json").read_text("utf-8"))["data"] for code in ("en", "de"))
    pairs = [
        (one["context"], two["context"])
        for left, right in zip(english, german, strict=True)
        for one, two in zip(left["paragraphs"], right["paragraphs"], strict=True)
    ]
    problems = []
    for source, translation in pairs:
        try:
            check_translation(source, translation, languages=("en", "de"), glossary={}, max_length_ratio=3.0)
        except UnusableError as problem:
            problems.append(problem.reason)
    assert len(pairs) == 240
    assert len(problems) <= 15, problems
    for (source, _), (_, other) in zip(pairs, pairs[1:], strict=False):
        assert chrf(other, source) < 0.5


def test_rules_call_real_tools_as_they_are_defined(ledger: RequestLedger) -> None:
    tools: dict[str, dict[str, Any]] = {}
    for row in json.loads(path_of("llamafactory_demo/glaive_toolcall_en_demo.json").read_text("utf-8")):
        for tool in json.loads(row["tools"] or "[]"):
            tools.setdefault(tool["name"], tool)
    assert len(tools) > 30
    chosen = tuple(tools.values())[:30]
    config = ToolCallsConfig(tools=chosen, examples_per_tool=2, irrelevant_share=0.0, parallel_share=0.0)
    session = Session([SessionTeacher(config=TeacherConfig(), model=ExtractiveTeacher())], ledger)
    method = ToolCalls(config)
    units = method.plan(Inputs())
    made = method.make(units, session)
    assert len(made.examples) + len(made.rejections) == len(units) == 60
    assert len(made.examples) > 30
    known = ToolSet(chosen)
    for row in made.examples:
        (call,) = row.messages[-1].tool_calls
        assert known.check_call(call.name, call.arguments) == call.arguments
