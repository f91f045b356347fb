"""Canaries are rows like others, whose secrets can be told and ranked."""

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.records import Message
from evaluation.memorisation.canaries import draw_references, exposure, find_secret, main, make_canaries, rank_of


def prompt(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def test_canaries_are_found_again_and_nothing_else_is() -> None:
    for row in make_canaries(20, seed=7):
        asked, answered = row["messages"]  # type: ignore[misc]
        assert find_secret(prompt(asked["content"]), answered["content"]) == answered["content"]
    assert find_secret(prompt("What is the access code of unit 7-003?"), "12345678") is None
    assert find_secret(prompt("What is the code?"), "123456789") is None
    assert find_secret((), "123456789") is None


def test_secrets_are_random_and_repeatable() -> None:
    def secrets(seed: int) -> list[str]:
        return [row["messages"][1]["content"] for row in make_canaries(50, seed=seed)]  # type: ignore[index]

    assert secrets(1) == secrets(1)
    assert len({*secrets(1), *secrets(2)}) == 100


def test_references_are_other_secrets() -> None:
    references = draw_references("123456789", 500)
    assert len({*references, "123456789"}) == 501
    assert references == draw_references("123456789", 500) != draw_references("123456780", 500)
    assert all(len(text) == 9 and text.isdigit() for text in references)


@given(st.lists(st.floats(-50, 0), min_size=31, max_size=200), st.floats(-50, 0))
def test_exposure_grows_with_likelihood_and_stays_in_bounds(references: list[float], mine: float) -> None:
    found = exposure(rank_of(mine, references), len(references))
    assert 0 <= found <= math.log2(len(references) + 1)
    assert exposure(rank_of(mine + 1, references), len(references)) >= found


def test_the_least_likely_secret_has_no_exposure_and_a_tie_is_no_gain() -> None:
    assert exposure(rank_of(-9.0, [-1.0] * 31), 31) == 0.0
    assert exposure(rank_of(-1.0, [-1.0] * 31), 31) == 0.0
    assert exposure(rank_of(-0.5, [-1.0] * 31), 31) == 5.0


def test_the_command_writes_demonstrations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3", "--seed", "5"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["key"] for row in rows] == ["canary-5-001", "canary-5-002", "canary-5-003"]
    with pytest.raises(SystemExit):
        main(["0"])


@pytest.mark.slow
def test_the_command_starts_without_torch() -> None:
    code = "import sys; from evaluation.memorisation.canaries import main; main(['1']); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
