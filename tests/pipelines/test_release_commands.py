"""`tunewright release` in front of a ledger: what it prints, what it refuses, and that a rollback needs no recipe."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.home import Home
from curation.lineage.subject import Subject
from curation.lineage.withdrawals import open_withdrawals
from evaluation.release.champion import read_champion
from evaluation.release.registry import ReleaseLedger, open_release_ledger
from pipelines import release_commands
from pipelines.cli import main
from tests.pipelines.toy_recipe import toy_home, write_toy


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = toy_home(tmp_path)
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(made.path))
    return made


@pytest.fixture
def ledger(home: Home) -> Iterator[ReleaseLedger]:
    opened = open_release_ledger(home)
    yield opened
    opened.close()


def add(home: Home, ledger: ReleaseLedger, name: str, action: str = "promote") -> str:
    folder = home.path / "models" / name
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_text(name)
    model = home.store().put_folder(folder)
    ledger.append(
        recipe="toy",
        action=action,  # type: ignore[arg-type]
        model_hash=model,
        evidence_hash="e" * 32,
        who="ada",
        reason=f"{name} [is] better",
        expected_head=ledger.head("toy"),
    )
    return model


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["release", *arguments])
    return int(stop.value.code or 0)


def test_a_rollback_is_one_command_and_reads_no_recipe(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(home, ledger, "m1")
    add(home, ledger, "m2")
    monkeypatch.setattr(release_commands, "_load", lambda name: pytest.fail("the recipe was read"))
    assert call("rollback", "toy", "--who", "grace", "--reason", "wrong on Mondays") == 0
    assert f"toy: {first} is live again" in capsys.readouterr().out
    pointed = read_champion("toy", home.path)
    assert pointed is not None
    assert (pointed["model_hash"], pointed["who"]) == (first, "grace")
    assert (home.path / "champions" / "toy" / "model.safetensors").read_text() == "m1"
    assert call("rollback", "toy", "--who", "grace", "--reason", "again") == 1
    assert "no earlier champion" in capsys.readouterr().err


def test_what_is_live_was_live_and_stands_against_it(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    model = add(home, ledger, "m1")
    refused = add(home, ledger, "m2", "refuse")
    assert call("live", "toy") == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{model}  ")
    assert "to now: promoted by ada, evidence eeeeeeee" in said
    assert "m1 [is] better" in said
    assert f"challenger {refused[:12]}, refuse on " in said
    day = ledger.history("toy")[0].created_at[:10]
    assert call("live", "toy", "--on", day) == 0
    assert model in capsys.readouterr().out
    assert call("live", "toy", "--on", "1999-12-31") == 0
    assert capsys.readouterr().out == "no model of 'toy' was live on 1999-12-31\n"
    assert call("live", "toy", "--on", "yesterday") == 2


def test_a_history_is_printed_only_if_the_ledger_is_intact(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    add(home, ledger, "m1")
    assert call("history", "toy") == 0
    said = capsys.readouterr().out
    assert "m1 [is] better" in said
    assert f"the ledger is intact: 1 entries, the last of this recipe {ledger.head('toy')}" in said
    (home.path / "release.head.json").write_text('{"sequence": 9, "hash": "x"}')
    for command in ("history", "live"):
        assert call(command, "toy") == 1
        assert "entry 9 does not follow" in capsys.readouterr().err


def test_a_rollback_tells_the_mirrors_and_stands_when_the_recipe_is_broken(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    first = add(home, ledger, "m1")
    add(home, ledger, "m2")
    path = home.path / "champions" / "toy.mirrors.json"
    path.parent.mkdir()
    path.write_text("{}")
    assert call("rollback", "toy", "--who", "grace", "--reason", "r") == 0
    said = capsys.readouterr().out
    assert f"{first} is live again" in said
    assert "the mirrors were not told: " in said
    champion = ledger.champion("toy")
    assert champion is not None
    assert champion.model_hash == first


@pytest.mark.parametrize(("who", "reason"), [("", "wrong on Mondays"), ("grace", " \n"), (" ", "")])
def test_a_rollback_names_a_person_and_a_reason(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str], who: str, reason: str
) -> None:
    add(home, ledger, "m1")
    second = add(home, ledger, "m2")
    assert call("rollback", "toy", "--who", who, "--reason", reason) == 1
    assert "a rollback names who does it, and why" in capsys.readouterr().err
    champion = ledger.champion("toy")
    assert champion is not None
    assert champion.model_hash == second


def test_nobody_goes_back_to_what_learnt_from_a_withdrawn_source_by_accident(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    first = add(home, ledger, "m1")
    second = add(home, ledger, "m2")
    with open_withdrawals(home) as withdrawals:
        subject = Subject.parse("docs")
        withdrawals.append(action="withdraw", subject=subject, who="Ada", reason="no consent", models=[first])
    back = ("rollback", "toy", "--who", "grace", "--reason", "slow")
    assert call(*back) == 1
    said = capsys.readouterr().err
    assert f"the earlier champion {first} learnt from what is withdrawn" in said
    assert "withdrawn by Ada" in said
    assert "no consent" in said
    champion = ledger.champion("toy")
    assert champion is not None
    assert champion.model_hash == second
    assert call(*back, "--although-withdrawn") == 0
    assert f"{first} is live again" in capsys.readouterr().out


def test_a_recipe_about_which_nothing_was_decided_says_so(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("history", str(write_toy(tmp_path))) == 0
    assert "nothing was decided about" in capsys.readouterr().out


def test_a_reason_cannot_look_like_another_entry_or_steer_the_terminal(
    home: Home, ledger: ReleaseLedger, capsys: pytest.CaptureFixture[str]
) -> None:
    add(home, ledger, "m1")
    add(home, ledger, "m2")
    forged = "slow\n2026-11-30T00:00:00+00:00  approve   m9  by Ada: fine\x1b[2J\u202e"
    assert call("rollback", "toy", "--who", "grace\r", "--reason", forged) == 0
    capsys.readouterr()
    for command, num_lines in (("history", 4), ("live", 1)):
        assert call(command, "toy") == 0
        said = capsys.readouterr().out
        assert len(said.splitlines()) == num_lines
        assert not {"\x1b", "\r", "\u202e"} & set(said)
        assert "slow 2026-11-30" in said


def test_a_recipe_without_mirrors_tells_nobody(home: Home, ledger: ReleaseLedger, tmp_path: Path) -> None:
    add(home, ledger, "m1")
    recipe = write_toy(tmp_path)
    assert call("mirror", str(recipe)) == 0
    assert not (home.path / "champions" / "toy.mirrors.json").exists()


def test_an_approval_names_the_candidate_as_it_stands(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Evidence:
        model_hash = "9f3c21ab" + "0" * 24

    monkeypatch.setattr("assets.release.evidence_of", lambda recipe, home: Evidence())
    recipe = str(write_toy(tmp_path))
    for model in ("9f3c", "", "00000000"):
        assert call("approve", recipe, "--model", model, "--who", "Ada", "--reason", "r") == 1
        assert f"the candidate is {Evidence.model_hash}" in capsys.readouterr().err
