"""Items of the forgetting suite are looked for in what is trained on: nobody hides what was forgotten by learning the probe."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assets.audit import _audit
from assets.code_version import modules_behind
from assets.curated import _curate
from assets.protected_items import (
    FORGETTING,
    probe_files,
    protected_files,
    protected_items,
    protected_modules,
    protected_settings,
)
from assets.recipe import Recipe
from assets.stage import Outputs
from curation.contamination.config import ContaminationConfig
from curation.contamination.find import drop_contaminated
from curation.errors import SuiteError
from curation.records import Document, Example, Message, Provenance
from curation.store import Snapshot, hash_folder
from pipelines.recipe import load_recipe
from tests.assets.test_ingest import PROSE, take_in
from tests.pipelines.toy_recipe import toy_home, toy_recipe, write_document, write_toy

ASKED = "Which harbour of the southern islands takes in the mail boat while the gate of the old quay is closed?"


def write_probe(folder: Path, question: str = ASKED) -> Path:
    row = {"key": "mail/1", "area": "harbour", "kind": "choice", "prompt": question, "reference": " Low Sound"}
    path = folder / "probe.txt"
    path.write_text(json.dumps({**row, "distractors": [" High Sound"]}) + "\n")
    return path


def ask_and_answer(key: str, question: str, answer: str) -> Example:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    made = Provenance(origin="synthetic", method="qa")
    return Example(key=key, task="qa", messages=messages, group=key, provenance=made)


def rows_of(made: Outputs, table: str) -> list[Any]:
    return list(made.tables[table][1])


@pytest.fixture
def own(tmp_path: Path) -> Recipe:
    """A recipe with one probe of its own."""
    probe = write_probe(tmp_path)
    path = write_toy(tmp_path, f"forgetting: {{suite: none, files: [{probe}], memorisation: null}}\n")
    path.write_text(path.read_text().replace("shards: 4", "shards: 1"))
    return load_recipe(path)


def test_all_items_of_the_measured_areas_are_looked_for_also_those_beyond_the_limit(tmp_path: Path) -> None:
    items = protected_items(toy_recipe(tmp_path, "forgetting: {max_items: 2}\n"))
    assert {item.benchmark for item in items} == {FORGETTING}
    assert len(items) == 344
    by_key = {item.key: item for item in items}
    assert (by_key["general/grammar/001"].prompt, by_key["general/grammar/001"].answer) == (
        "The boxes on the shelf are heavy.",
        "",
    )
    some = protected_items(toy_recipe(tmp_path, "forgetting: {areas: [facts]}\n"))
    assert 2 < len(some) < 100
    assert all(item.key.startswith("general/facts/") and item.answer == item.answer.strip() != "" for item in some)


def test_a_row_that_holds_a_probe_is_dropped_and_prose_is_not(tmp_path: Path) -> None:
    items = protected_items(toy_recipe(tmp_path, "forgetting: {}\n"))
    longest = max(items, key=lambda item: len(item.prompt))
    texts = {"leak": f"{PROSE}\n{longest.prompt} {longest.answer}", "fine": PROSE}
    rows = [
        Document(key=key, source="docs", title="", kind="text", text=text, sections=(), group=key, license="", output_terms="")
        for key, text in texts.items()
    ]
    found = drop_contaminated(rows, items, ContaminationConfig())
    assert [row.key for row in found.kept] == ["fine"]


def test_every_probe_is_found_as_a_row_of_question_and_answer(tmp_path: Path) -> None:
    items = protected_items(toy_recipe(tmp_path, "forgetting: {}\n"))
    rows = [ask_and_answer(item.key, item.prompt, item.answer) for item in items]
    assert drop_contaminated(rows, items, ContaminationConfig()).kept == ()


def test_curation_drops_such_a_row_and_the_audit_names_one_that_came_in_all_the_same(own: Recipe, tmp_path: Path) -> None:
    """The keys are those of groups on the side of training; held-out rows are not screened."""
    store = toy_home(tmp_path).store()
    rows = [ask_and_answer("leak-1", ASKED, "It is Low Sound."), ask_and_answer("fine", "Who lends the ropes?", PROSE)]
    tables = {"examples": store.write_table(Example, rows)}
    given = Snapshot(asset="toy/candidates", partition="docs-0of1", version="1", tables=tables)
    curated = _curate(own, toy_home(tmp_path), [given])
    dropped = {row.key: (row.reason, row.other_key) for row in rows_of(curated, "rejections")}
    assert dropped["leak-1"] == ("contaminated", "probe/mail/1")
    assert "fine" not in dropped
    nothing = replace(given, tables={})
    audited = _audit(own, toy_home(tmp_path), [given, nothing, given])
    pairs = rows_of(audited, "contamination_pairs")
    assert [(pair.record_key, pair.item_key) for pair in pairs] == [("leak-1", "probe/mail/1")]


def test_a_document_that_gives_a_probe_of_the_recipe_away_is_dropped_until_the_probe_changes(
    own: Recipe, tmp_path: Path
) -> None:
    write_document(tmp_path, "leak.md", f"# Quiz\n\n{ASKED} Low Sound, of course.\n\n{PROSE}\n")
    home = toy_home(tmp_path)
    kept, (rejection,) = take_in(own, home)
    assert (kept, rejection.reason, rejection.other_key) == (set(), "contaminated", "probe/mail/1")
    write_probe(tmp_path, "How many berths are kept free for boats that come from beyond the second buoy of the sound?")
    assert take_in(own, home) == ({"docs/leak.md"}, [])


def test_a_changed_probe_is_another_input_and_so_is_a_missing_one(own: Recipe, tmp_path: Path) -> None:
    (before,) = probe_files(own)
    assert (before.asset, protected_files(own)) == ("toy/probe_files", (before,))
    write_probe(tmp_path, "Who waits?")
    (after,) = probe_files(own)
    assert after.version != before.version
    (tmp_path / "probe.txt").unlink()
    assert probe_files(own)[0].version not in (before.version, after.version)
    with pytest.raises(SuiteError):
        protected_items(own)


def test_a_changed_benchmark_file_is_another_input_and_so_is_a_missing_one(tmp_path: Path) -> None:
    file = tmp_path / "bench.jsonl"
    file.write_text(json.dumps({"question": ASKED, "answer": "Low Sound"}) + "\n")
    recipe = toy_recipe(tmp_path, f"contamination: {{benchmarks: [{{name: mail, path: {file}}}]}}\n")
    (before,) = protected_files(recipe)
    assert before.asset == "toy/benchmark_files"
    assert protected_files(recipe) == (before,)
    file.write_text(json.dumps({"question": "Who waits for the boat?", "answer": "Nobody"}) + "\n")
    (after,) = protected_files(recipe)
    file.unlink()
    assert len({before.version, after.version, protected_files(recipe)[0].version}) == 3


def test_the_code_that_reads_items_counts_where_there_are_such_items(tmp_path: Path) -> None:
    file = tmp_path / "bench.jsonl"
    benchmark = f"contamination: {{benchmarks: [{{name: mail, path: {file}}}]}}\n"
    task = f"evaluation: {{tasks: [{{name: mail, kind: text, data: {file}}}]}}\n"
    cases = {"": "", "curation.contamination.benchmarks": benchmark, "evaluation.tasks.task_items": task}
    cases["evaluation.forgetting.suite"] = "forgetting: {}\n"
    found = {module: protected_modules(toy_recipe(tmp_path, extra)) for module, extra in cases.items()}
    assert found.pop("") == ()
    assert all(module in modules for module, modules in found.items())
    assert all(modules_behind(*modules) for modules in found.values()), "each of them is a module"


def test_another_judgement_of_the_same_rows_is_another_version(own: Recipe, tmp_path: Path) -> None:
    home = toy_home(tmp_path)
    row = ask_and_answer("fine", "Who lends the ropes?", PROSE)
    bound = replace(row, provenance=replace(row.provenance, license="CC-BY-NC-4.0"))
    store = home.store()
    empty = Snapshot(asset="", partition="", version="", tables={"examples": store.write_table(Example, [])})
    given = replace(empty, tables={"examples": store.write_table(Example, [bound])})
    versions, judged = [], []
    for use in ("research", "commercial"):
        made = _audit(replace(own, terms=replace(own.terms, use=use)), home, [given, empty, given])
        versions.append(hash_folder(made.folders["audit"]))
        judged.append(made.values["judgements"]["terms"]["passed"])
    assert judged == [True, False]
    assert versions[0] != versions[1]


def test_a_recipe_without_the_gate_looks_for_no_probe_and_another_suite_is_another_setting(tmp_path: Path) -> None:
    plain = toy_recipe(tmp_path)
    assert (protected_items(plain), protected_files(plain), protected_settings(plain)) == ((), (), [])
    general = protected_settings(toy_recipe(tmp_path, "forgetting: {}\n"))
    assert general != protected_settings(toy_recipe(tmp_path, "forgetting: {areas: [facts]}\n")) != []
    assert general == protected_settings(toy_recipe(tmp_path, "forgetting: {margin: 0.2}\n"))
