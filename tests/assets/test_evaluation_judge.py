"""Judges in the graph: asked once, held against the review, and heard by a release only if everything can be proved."""

import contextlib
import dataclasses
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from assets import evaluation_judge, release
from assets.evaluation_judge import CHECK, JudgeGate, build, judge_facts, judge_gate
from assets.recipe import Recipe
from curation.home import Home
from curation.records import ReviewItem
from curation.review.queue import open_queue
from curation.review.queue.vote import Vote
from curation.store import Snapshot
from curation.synthesis.ledger.request_ledger import open_ledger
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.judge.evidence import summarise_rows
from evaluation.judge.judge_answers import judges_of
from evaluation.judge.records import JudgedLabel, JudgedPair
from evaluation.records import EvalAnswer
from tests.curation.judging.ruled_judge import RuledJudge, prefer
from tests.evaluation.judge.tea_answers import answers, is_good, reviewed
from tests.pipelines.toy_recipe import toy_recipe

JUDGE = """
evaluation:
  bootstrap_samples: 200
  judge:
    judges:
      - teacher: {kind: openai, model: j, revision: r1, base_url: "http://127.0.0.1:1/v1", concurrency: 32}
        rubric: Is it right?
    min_pairs: 30
    gates: true
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with 40 answers, of which the candidate's are better in 32, and 56 reviewed pairs; two of them wrongly."""
    folder = tmp_path_factory.mktemp("prepared")
    home, recipe = home_in(folder), toy_recipe(folder, JUDGE)
    put_answers(recipe, home, num_better=32)
    items, verdicts = reviewed(56, num_wrong=2)
    store = home.store()
    tables = {"items": store.write_table(ReviewItem, items)}
    store.put_snapshot(Snapshot(asset=recipe.asset("review_queue"), partition="", version="1", tables=tables))
    with open_queue(home, recipe.name) as queue:
        queue.sync_items(items, recipe.review)
        queue.record(
            [Vote(item_key=said.key, decision=said.decision, reviewer="Ada", reviewer_kind="human") for said in verdicts]
        )
    with pytest.MonkeyPatch.context() as patch:
        put_judge(patch)
        materialize(recipe, home)
    return folder


def home_in(folder: Path) -> Home:
    return Home(path=folder, store_url=str(folder / "store"), database_url="", review_url="")


@pytest.fixture
def home(tmp_path: Path, prepared: Path) -> Home:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return home_in(tmp_path)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return toy_recipe(tmp_path, JUDGE)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> RuledJudge:
    return put_judge(monkeypatch)


def put_judge(patch: pytest.MonkeyPatch) -> RuledJudge:
    """Put a judge that follows a rule in the place of the endpoint."""
    ruled = RuledJudge(prefer(is_good))

    @contextlib.contextmanager
    def opened(_: TeacherConfig) -> Iterator[RuledJudge]:
        yield ruled

    patch.setattr("curation.synthesis.sessions.opened_teacher", opened)
    return ruled


def put_answers(recipe: Recipe, home: Home, num_better: int) -> None:
    store = home.store()
    tables = {"answers": store.write_table(EvalAnswer, answers(40, num_better))}
    version = tables["answers"].root
    store.put_snapshot(Snapshot(asset=recipe.asset("answers"), partition="", version=version, tables=tables))


def materialize(recipe: Recipe, home: Home) -> dg.ExecuteInProcessResult:
    return dg.materialize(build(recipe), resources={"home": home}, raise_on_error=True)


def gate_of(recipe: Recipe, home: Home) -> JudgeGate:
    found = judge_gate(recipe, home)
    assert found is not None
    return found


def say_tie(recipe: Recipe, home: Home) -> None:
    """Have the person change her mind about the first pair."""
    with open_queue(home, recipe.name) as queue:
        queue.submit("i000", "tie", "Ada", token=secrets.token_hex(16), expected=queue.verdicts_after(0)[0].sequence)


def test_judges_are_heard_by_a_release_and_asked_once(recipe: Recipe, home: Home, model: RuledJudge) -> None:
    (check,) = materialize(recipe, home).get_asset_check_evaluations()
    assert (check.check_name, check.passed) == (CHECK, True)
    facts = judge_facts(recipe, home)
    assert (facts["win_rates"][0]["plain"], facts["judges"][0]["num_labels"], facts["verdict"]) == (0.8, 56, "pass")
    gate = gate_of(recipe, home)
    assert (gate.verdict, len(gate.evidence_hash) > 16) == ("pass", True)
    assert gate == gate_of(recipe, home)
    assert model.requests == [], "the fixture has asked everything"
    with open_ledger(home) as ledger:
        assert ledger.totals(recipe=recipe.name).num_calls == 2 * (40 + 56)


def test_a_judge_never_sees_the_names_of_writers(recipe: Recipe) -> None:
    assert recipe.name in evaluation_judge.writer_names(recipe)


def test_what_was_never_judged_releases_nothing(recipe: Recipe, tmp_path: Path) -> None:
    gate = gate_of(recipe, home_in(tmp_path / "empty"))
    assert (gate.verdict, gate.evidence_hash) == ("fail", "")
    assert "materialize `judge_verdicts`" in gate.reason


def forge_pairs(recipe: Recipe, home: Home, change: Callable[[JudgedPair], JudgedPair], *, sums_up: bool) -> None:
    """Put changed rows in the place of what the judges said, and a summary that fits them if one is wanted."""
    store = home.store()
    newest = store.snapshot(recipe.asset(evaluation_judge.ASSET))
    rows = [change(row) for row in store.read_table(JudgedPair, newest.tables["pairs"].root)]
    labels = list(store.read_table(JudgedLabel, newest.tables["labels"].root))
    summary = summarise_rows(rows, labels, recipe.evaluation, judges_of(recipe.evaluation))
    values = {**newest.values, "summary_hash": summary.hash()} if sums_up else newest.values
    tables = {**newest.tables, "pairs": store.write_table(JudgedPair, rows)}
    store.put_snapshot(dataclasses.replace(newest, tables=tables, values=values))


def win(row: JudgedPair) -> JudgedPair:
    return dataclasses.replace(row, winner="candidate")


def win_by_replies(row: JudgedPair) -> JudgedPair:
    replies = tuple(dataclasses.replace(reply, position="first" if reply.order == "ab" else "second") for reply in row.replies)
    return dataclasses.replace(row, winner="candidate", replies=replies)


@pytest.mark.parametrize(
    ("change", "sums_up", "said"),
    [
        (win, True, "does not follow from the judge's replies"),
        (win_by_replies, False, "the summary differs"),
        (win_by_replies, True, "not what ledger and review say now"),
    ],
)
def test_forged_rows_release_nothing(
    recipe: Recipe, home: Home, change: Callable[[JudgedPair], JudgedPair], sums_up: bool, said: str
) -> None:
    forge_pairs(recipe, home, change, sums_up=sums_up)
    gate = gate_of(recipe, home)
    assert (gate.verdict, gate.evidence_hash) == ("fail", "")
    assert said in gate.reason


def test_other_answers_and_a_ledger_that_is_gone_release_nothing(recipe: Recipe, home: Home, model: RuledJudge) -> None:
    put_answers(recipe, home, num_better=10)
    assert "not one of the answers as they stand" in gate_of(recipe, home).reason
    materialize(recipe, home)
    worse = gate_of(recipe, home)
    assert worse.verdict == "fail"
    assert "prefer the candidate to the base in" in worse.reason
    for file in home.path.glob("ledger.db*"):
        file.unlink()
    assert "not what ledger and review say now" in gate_of(recipe, home).reason


def test_what_people_decide_later_has_to_be_looked_at_and_asks_nobody(recipe: Recipe, home: Home, model: RuledJudge) -> None:
    say_tie(recipe, home)
    gate = gate_of(recipe, home)
    assert (gate.verdict, "i000/Ada" in gate.reason) == ("fail", True)
    materialize(recipe, home)
    assert gate_of(recipe, home).verdict == "pass"
    assert model.requests == []


def test_another_rubric_is_another_judge(recipe: Recipe, home: Home, tmp_path: Path) -> None:
    other = toy_recipe(tmp_path, JUDGE.replace("Is it right?", "Is it kind?"))
    assert "are others than those that judged" in gate_of(other, home).reason


@pytest.mark.parametrize(("num_better", "released"), [(32, True), (10, False)])
def test_a_release_asks_the_judges(
    recipe: Recipe, home: Home, model: RuledJudge, monkeypatch: pytest.MonkeyPatch, num_better: int, released: bool
) -> None:
    put_answers(recipe, home, num_better)
    materialize(recipe, home)
    obstacles: list[str] = []
    evidence = SimpleNamespace(model_hash="m", hash=lambda: "e")
    monkeypatch.setattr(release, "evidence_of", lambda *_: evidence)
    monkeypatch.setattr(release, "items_obstacle", lambda *_: "")
    monkeypatch.setattr(release, "decide_promotion", lambda *_: "pass by all other measures")
    monkeypatch.setattr(release, "promote", lambda *_, obstacle, **__: obstacles.append(obstacle))
    release._promote(recipe, home)
    assert obstacles[0].startswith("" if released else "The judges prefer the candidate to the base in")
    assert (obstacles == [""]) is released
    champion = release.build(recipe)[0]
    assert dg.AssetKey(["toy", "judge_verdicts"]) in champion.asset_deps[champion.key]
    assert len(evaluation_judge.judge_evidence_hash(recipe, home)) > 16


def test_a_release_is_held_while_what_it_rests_on_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Obstacles are looked for in the newest answers: those of another run must not vouch for older ones."""
    plain, home = toy_recipe(tmp_path), home_in(tmp_path)
    found = iter(
        [SimpleNamespace(model_hash="m", hash=lambda: "before"), SimpleNamespace(model_hash="m", hash=lambda: "after")]
    )
    obstacles: list[str] = []
    monkeypatch.setattr(release, "evidence_of", lambda *_: next(found))
    monkeypatch.setattr(release, "items_obstacle", lambda *_: "")
    monkeypatch.setattr(release, "decide_promotion", lambda *_: "pass")
    monkeypatch.setattr(release, "promote", lambda *_, obstacle, **__: obstacles.append(obstacle))
    release._promote(plain, home)
    assert obstacles == ["What the release rests on was made anew meanwhile. Materialize `champion` again."]


def test_a_recipe_without_judges_has_no_such_asset_and_needs_none(tmp_path: Path) -> None:
    plain, home = toy_recipe(tmp_path), home_in(tmp_path)
    assert (build(plain), judge_gate(plain, home), judge_facts(plain, home)) == ([], None, {})
    assert (evaluation_judge.judge_evidence_hash(plain, home), evaluation_judge.judge_obstacle(plain, home)) == ("", "")
