"""Whether the evaluation's judge is proof against the two oldest biases: the place and the length of an answer.

    python -m benchmarks.judge_bias [--quick]        the last line is JSON

Judges that follow a rule are asked through the same jury, ledger and statistics as a model: one that always names the first
answer, one that always names the longer one, and a fair but noisy one that prefers the candidate by a planted 10 points while
the candidate writes longer. The candidate's answers are longer by 40 characters on average (standard deviation 100).

`position_win_rate` has to be 0.5 exactly, `length_win_rate` lies within 0.47..0.53 in the worst of all draws, and the planted
advantage is found: its interval lies above a half in nearly all draws. With REALDATA_DIR the length fit is also run on
PandaLM's answers, whose lengths are those of real models.
"""

import argparse
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.judge import read_pandalm_lengths
from curation.chat_model import ChatReply, ChatRequest
from curation.database import Database
from curation.judging.config import JudgeConfig
from curation.judging.jury import build_juror
from curation.judging.length_control import fit_length_control
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.judge.judge_answers import judge_answers
from evaluation.judge.win_rate import WinRate
from evaluation.records import EvalAnswer

ADVANTAGE = 0.10
"""Planted: the fair judge prefers the candidate with probability 0.5 + this, whatever the lengths."""
PULL = 0.15
"""Planted as well, in the last judge: so much more often the longer answer."""
Rule = Callable[[str, str, str], str]
"""Question, first answer, second answer -> first, second or tie."""


class ScriptedJudge:
    """Answers every request by a rule; what it is asked is read from the prompt, as a model would."""

    provider, endpoint, revision, is_model = "scripted", "here", "1", True

    def __init__(self, name: str, rule: Rule) -> None:
        self.model, self._rule = name, rule

    def complete(self, request: ChatRequest) -> ChatReply:
        """Name a winner."""
        text = request.messages[-1].text
        shown = [between(text, name) for name in ("turn_user", "first_answer", "second_answer")]
        return ChatReply(text=json.dumps({"reason": "By the rule.", "winner": self._rule(*shown)}))


def between(text: str, name: str) -> str:
    """Return the text of a block of a prompt to a judge."""
    opening = text.index(f"<{name} mark=")
    start = text.index("\n", opening) + 1
    return text[start : text.index(f"\n</{name} mark=", start)]


def always_first(_question: str, _first: str, _second: str) -> str:
    """Go by the place alone."""
    return "first"


def always_longer(_question: str, first: str, second: str) -> str:
    """Go by the length alone."""
    return "tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


def fair_and_noisy(question: str, first: str, second: str, *, pull: float = 0.0) -> str:
    """Prefer the candidate (whose answers begin with 'c') a little; the same whatever the order, and blind to length."""
    is_candidate_first = first.startswith("c")
    ours, theirs = (first, second) if is_candidate_first else (second, first)
    chance = 0.5 + ADVANTAGE + (pull if len(ours) > len(theirs) else -pull)
    wins = _fraction(f"{question}|{ours}|{theirs}") < chance
    return "first" if wins == is_candidate_first else "second"


def fair_with_pull(question: str, first: str, second: str) -> str:
    """The same, and drawn to the longer answer."""
    return fair_and_noisy(question, first, second, pull=PULL)


def _fraction(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / 2**56


JUDGES: dict[str, Rule] = {
    "always_first": always_first,
    "always_longer": always_longer,
    "fair": fair_and_noisy,
    "fair_with_pull": fair_with_pull,
}


class Draw(NamedTuple):
    """What one judge came to on one draw of answers."""

    rate: WinRate
    flip_share: float
    may_gate: bool


def make_answers(num: int, seed: int) -> list[EvalAnswer]:
    """Return answers of candidate and base whose lengths differ by 40 characters on average."""
    chance = random.Random(seed)
    rows = []
    for at in range(num):
        length = chance.randint(150, 400)
        longer = round(chance.gauss(40, 100))
        for name, size in (("candidate", max(20, length + longer)), ("base", length)):
            text = f"{name[0]} {seed} {at} " + "x" * size
            rows.append(
                EvalAnswer(
                    key=f"{name}/{at}",
                    comparator=name,
                    model_hash=name,
                    item_key=f"{at:05}",
                    item_hash=str(at),
                    group=str(at // 2),
                    prompt=f"Question {seed}/{at}?",
                    reference="",
                    answer=text,
                    num_tokens=1,
                )
            )
    return rows


def measure(name: str, answers: Sequence[EvalAnswer], ledger: RequestLedger) -> Draw:
    """Have one scripted judge compare all answers in both orders, and sum up."""
    teacher = TeacherConfig(kind="openai", model=name, revision="1", base_url="http://127.0.0.1:9/v1", concurrency=64)
    config = JudgeConfig(teacher=teacher, rubric="Is it right?")
    settings = EvaluationConfig(
        bootstrap_samples=1000, judge=PairwiseConfig(judges=(config,), max_pairs=len(answers), min_pairs=2)
    )
    juror = build_juror(config, ScriptedJudge(name, JUDGES[name]), ledger)
    judged = judge_answers(answers, [], [], [juror], settings)
    return Draw(judged.summary.win_rates[0], judged.summary.judges[0].flip_share, judged.summary.may_gate)


def measure_all(num_draws: int, num_items: int) -> dict[str, list[Draw]]:
    """Return the draws of every judge."""
    found: dict[str, list[Draw]] = {name: [] for name in JUDGES}
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "ledger.db", concern="ledger", migrations=MIGRATIONS)
        with RequestLedger(database) as ledger:
            for seed in range(num_draws):
                answers = make_answers(num_items, seed)
                for name in JUDGES:
                    found[name].append(measure(name, answers, ledger))
    return found


def show(found: dict[str, list[Draw]]) -> None:
    """Print a table."""
    print(
        f"{'judge':<16}{'plain':>8}{'at equal length':>17}{'lowest':>8}{'highest':>9}{'interval (first draw)':>23}{'flips':>7}"
    )
    for name, draws in found.items():
        rates = [draw.rate.controlled for draw in draws]
        first = draws[0].rate
        interval = f"{first.controlled_low:.3f}..{first.controlled_high:.3f}"
        print(
            f"{name:<16}{mean([draw.rate.plain for draw in draws]):>8.3f}{mean(rates):>17.3f}{min(rates):>8.3f}"
            f"{max(rates):>9.3f}{interval:>23}{draws[0].flip_share:>7.0%}"
        )


def mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)


def furthest(values: Sequence[float]) -> float:
    """Return the value furthest from a half."""
    return max(values, key=lambda value: abs(value - 0.5))


def measure_pandalm(root: Path) -> dict[str, float]:
    """Return the win rate of an always-longer judge on PandaLM's answers, before and after length control."""
    differences = read_pandalm_lengths(root)
    worth = [1.0 if value > 0 else 0.0 if value < 0 else 0.5 for value in differences]
    fit = fit_length_control(differences, worth)
    print(f"pandalm, always longer: {fit.win_rate:.3f} before, {fit.controlled:.3f} at equal length, {fit.num} pairs")
    return {"pandalm_length_before": round(fit.win_rate, 4), "pandalm_length_win_rate": round(fit.controlled, 4)}


def summarise(found: dict[str, list[Draw]]) -> dict[str, Any]:
    """Return the figures of the JSON line."""
    rates = {name: [draw.rate for draw in draws] for name, draws in found.items()}
    return {
        "position_win_rate": furthest([rate.plain for rate in rates["always_first"]]),
        "position_flip_share": found["always_first"][0].flip_share,
        "length_win_rate": round(furthest([rate.controlled for rate in rates["always_longer"]]), 4),
        "length_win_rate_before": round(mean([rate.plain for rate in rates["always_longer"]]), 4),
        "length_decided": mean([float(rate.verdict != "undecided") for rate in rates["always_longer"]]),
        "fair_win_rate": round(mean([rate.controlled for rate in rates["fair"]]), 4),
        "fair_found": mean([float(rate.controlled_low > 0.5) for rate in rates["fair"]]),
        "fair_with_pull_before": round(mean([rate.plain for rate in rates["fair_with_pull"]]), 4),
        "fair_with_pull_win_rate": round(mean([rate.controlled for rate in rates["fair_with_pull"]]), 4),
        "fair_with_pull_found": mean([float(rate.controlled_low > 0.5) for rate in rates["fair_with_pull"]]),
        "gates_without_people": max(float(draw.may_gate) for draws in found.values() for draw in draws),
    }


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 draws of 600 pairs instead of 10")
    options = parser.parse_args()
    began = time.monotonic()
    found = measure_all(3 if options.quick else 10, 600)
    show(found)
    figures = summarise(found)
    if "REALDATA_DIR" in os.environ:
        figures |= measure_pandalm(Path(os.environ["REALDATA_DIR"]))
    print(json.dumps({**figures, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
