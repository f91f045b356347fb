"""Whether preference pairs follow the judge and not the order, what a biased judge gets through, and pairs by a grader.

    REALDATA_DIR=... python -m benchmarks.preferences [--quick]        the last line is JSON

Judges are doubles that follow a secret rule: a worth that is a hash of the answer's text, so that neither place nor length
tells it. `place` always prefers the first answer, `some_place` does so in 30 % of its replies, `length` adds a part for length.
The judge that follows the rule sees each prompt twice, with the answers in both orders; `follows` is the share of
kept pairs whose chosen answer has the greater worth. With REALDATA_DIR, recorded solutions of GSM8K are paired by the grader.
"""

import argparse
import json
import math
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from curation.chat_model import ChatReply, ChatRequest
from curation.database import Database
from curation.graders.registry import grade
from curation.ids import content_hash, stable_bucket, stable_fraction
from curation.judging.config import JudgeConfig
from curation.judging.length_control import length_correlation
from curation.records import Example, Message, PreferencePair, Provenance, VerifiableTask
from curation.synthesis.asking import Session, SessionTeacher
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.methods.method import Inputs, Made
from curation.synthesis.preferences.best_of_n import BestOfN, BestOfNConfig
from curation.synthesis.preferences.by_verifier import GradedSamples, Sample, pairs_by_verifier
from curation.synthesis.preferences.lengths import balance_lengths
from curation.synthesis.teachers.config import TeacherConfig

WORDS = ("tea", "leaf", "water", "cup", "steam", "green", "black", "mint", "root", "honey", "lemon", "field", "slow", "warm")
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")
CONFIG = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "concurrency": 4, "max_attempts": 1}
SAMPLES = 4
_BLOCK = re.compile(r'^<(\w+) mark="([0-9a-f]{16})">\n(.*?)\n</\1 mark="\2">$', re.DOTALL | re.MULTILINE)

Rule = Callable[[ChatRequest, dict[str, str]], Any]


def worth(text: str) -> float:
    """Return the secret worth of an answer, 0 to 1."""
    return stable_fraction(text, "secret")


def write_answer(prompt: str, number: int) -> str:
    """Return an answer of 10 to 60 words that depends on prompt and number only."""
    name = f"{prompt}/{number}"
    num = 10 + stable_bucket(name, 51, "length")
    words = (WORDS[stable_bucket(f"{name}/{at}", len(WORDS), "word")] for at in range(num))
    return " ".join(words).capitalize() + "."


class Double:
    """A model that answers by a function of the request."""

    provider, endpoint, revision, is_model = "double", "here", "1", True

    def __init__(self, name: str, answer: Callable[[ChatRequest], str]) -> None:
        self.model = name
        self._answer = answer

    def complete(self, request: ChatRequest) -> ChatReply:
        """Answer one request."""
        return ChatReply(text=self._answer(request))


def student(*, is_reversed: bool) -> Double:
    """Return a student whose answers come in one order or in the other."""

    def answer(request: ChatRequest) -> str:
        number = SAMPLES - 1 - request.sample_index if is_reversed else request.sample_index
        return write_answer(request.messages[-1].content, number)

    return Double(f"student reversed {is_reversed}", answer)


def judge_by(name: str, value: Callable[[str], float], place_share: float = 0.0) -> Double:
    """Return a judge that follows `value`, but for a share of its comparisons, in which the first answer wins."""

    def answer(request: ChatRequest) -> str:
        content = request.messages[1].content
        shown = {match[1]: match[3] for match in _BLOCK.finditer(content)}
        if "answer" in shown:
            return json.dumps({"reason": "By the rule.", "score": 1 + min(8, int(value(shown["answer"]) * 9))})
        is_first = value(shown["first_answer"]) > value(shown["second_answer"])
        is_first = is_first or stable_fraction(content_hash(content), "place") < place_share
        return json.dumps({"reason": "By the rule.", "winner": "first" if is_first else "second"})

    return Double(name, answer)


def by_length(text: str) -> float:
    """Return a worth of which a good part is length."""
    return 0.5 * worth(text) + 0.5 * min(1.0, math.log(len(text) / 50) / math.log(8))


def make_rows(number: int) -> list[Example]:
    """Return prompts with an answer that nobody looks at."""
    return [
        Example(
            key=f"bench/{at}",
            task="qa",
            messages=(Message(role="user", content=f"Describe tea number {at}."), Message(role="assistant", content="-")),
            group=f"bench/{at}",
            provenance=Provenance(origin="human", method="demonstration"),
        )
        for at in range(number)
    ]


def make_pairs(rows: list[Example], judge: Double, folder: Path, *, is_reversed: bool, is_controlled: bool = True) -> Made:
    """Return the pairs of one judge over a ledger of its own."""
    file = folder / f"{content_hash([judge.model, is_reversed, is_controlled])}.db"
    bounds: dict[str, Any] = {} if is_controlled else {"max_length_ratio": 0.0, "length_penalty": 0.0}
    teacher = TeacherConfig(model=judge.model, revision="1", **CONFIG)  # type: ignore[arg-type]
    config = BestOfNConfig(judge=JudgeConfig(teacher=teacher, rubric="The secret rule.", highest=9), samples=SAMPLES, **bounds)
    writer = student(is_reversed=is_reversed)
    with RequestLedger(Database.open(file, concern="ledger", migrations=MIGRATIONS)) as ledger:
        session = Session([SessionTeacher(config=TeacherConfig(model=writer.model, **CONFIG), model=writer)], ledger)  # type: ignore[arg-type]
        method = BestOfN(config, judge=Session([SessionTeacher(config=teacher, model=judge)], ledger))
        return method.make(method.plan(Inputs(examples=rows)), session)


def follows(pairs: tuple[PreferencePair, ...]) -> float:
    """Return the share of pairs whose chosen answer has the greater worth."""
    return sum(worth(pair.chosen) > worth(pair.rejected) for pair in pairs) / len(pairs) if pairs else 1.0


def correlation_of(pairs: tuple[PreferencePair, ...]) -> float:
    """Return how far length tells the chosen answer, 0 to 1."""
    return abs(length_correlation([len(pair.chosen) - len(pair.rejected) for pair in pairs]))


def measure_scripted(rows: list[Example], folder: Path) -> dict[str, float]:
    """Measure the judge that follows the rule, with the answers in both orders."""
    one, two = (make_pairs(rows, judge_by("rule", worth), folder, is_reversed=order).pairs for order in (False, True))
    same = {(pair.key, pair.chosen, pair.rejected) for pair in one} == {(pair.key, pair.chosen, pair.rejected) for pair in two}
    show("follows the rule", one, len(rows))
    return {
        "scripted_pairs": len(one),
        "scripted_follows": follows(one + two),
        "same_in_swapped_order": float(same),
        "scripted_length_correlation": round(correlation_of(one), 3),
    }


def measure_biased(rows: list[Example], folder: Path) -> dict[str, float]:
    """Measure judges that go by place or by length."""
    place = make_pairs(rows, judge_by("place", worth, 1.0), folder, is_reversed=False).pairs
    some = make_pairs(rows, judge_by("some place", worth, 0.3), folder, is_reversed=False).pairs
    free = make_pairs(rows, judge_by("length", by_length), folder, is_reversed=False, is_controlled=False).pairs
    bound = make_pairs(rows, judge_by("length", by_length), folder, is_reversed=False).pairs
    balanced = balance_lengths(bound)
    show("always the first answer", place, len(rows))
    show("the first answer in 30 %", some, len(rows))
    show("half by length, no control", free, len(rows))
    show("half by length, controlled", bound, len(rows))
    show("half by length, balanced", balanced.pairs, len(rows))
    return {
        "place_kept_share": len(place) / len(rows),
        "some_place_kept_share": len(some) / len(rows),
        "some_place_follows": round(follows(some), 4),
        "length_correlation_free": round(correlation_of(free), 3),
        "length_correlation_controlled": round(correlation_of(bound), 3),
        "length_correlation_balanced": round(abs(balanced.after), 3),
        "length_kept_share_balanced": len(balanced.pairs) / len(rows),
    }


def show(name: str, pairs: tuple[PreferencePair, ...], num_prompts: int) -> None:
    """Print a line of the table."""
    told = f"{follows(pairs):>8.1%} {correlation_of(pairs):>10.3f}" if pairs else f"{'-':>8} {'-':>10}"
    print(f"{name:<30} {len(pairs):>6} of {num_prompts:<6} {told}")


def measure_gsm8k(root: Path) -> dict[str, float]:
    """Pair recorded solutions by the numeric grader, and compare the grader with the record."""
    lines = (root / "gsm8k/data/example_model_solutions.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    items = [_graded(row, number) for number, row in enumerate(rows)]
    made = pairs_by_verifier(items)
    agreed = {
        f"grader_agrees_{model}": sum(
            grade(item.task, row[model]["solution"]).is_right == row[model]["is_correct"]
            for row, item in zip(rows, items, strict=True)
        )
        for model in MODELS
    }
    correlation = correlation_of(made.pairs)
    print(f"gsm8k: {len(made.pairs)} of {len(rows)} prompts give a pair, length correlation {correlation:.3f}; {agreed}")
    return {"gsm8k_pairs": len(made.pairs), "gsm8k_length_correlation": round(correlation, 3), **agreed}


def _graded(row: dict[str, Any], number: int) -> GradedSamples:
    key = f"gsm8k/{number}"
    task = VerifiableTask(
        key=key,
        task="math",
        prompt=(Message(role="user", content=row["question"]),),
        reference=row["ground_truth"],
        grader="number",
        group=key,
        provenance=Provenance(origin="human", method="demonstration"),
    )
    made = Provenance(origin="synthetic", method="recorded", generation_depth=1)
    samples = tuple(Sample(text=row[model]["solution"], provenance=made, key=f"{key}/{model}") for model in MODELS)
    return GradedSamples(task=task, samples=samples)


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100 prompts instead of 1,000")
    rows = make_rows(100 if parser.parse_args().quick else 1_000)
    print(f"{'judge':<30} {'pairs':<16} {'follows':>8} {'|length r|':>10}")
    with tempfile.TemporaryDirectory() as folder:
        figures = {"prompts": len(rows), **measure_scripted(rows, Path(folder)), **measure_biased(rows, Path(folder))}
    if "REALDATA_DIR" in os.environ:
        figures |= measure_gsm8k(Path(os.environ["REALDATA_DIR"]))
    else:
        print("gsm8k: left out, REALDATA_DIR is not set")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
