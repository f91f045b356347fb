"""Which of the judges that LLMBar recorded our release gate would believe, and what win rate each of them finds.

    REALDATA_DIR=... python -m benchmarks.judge_recorded [--quick]        the last line is JSON

LLMBar (Zeng et al. 2024) holds GPT-4's and ChatGPT's verdicts in both orders on 419 pairs, and for each pair which answer
people hold to be the better one. The recorded replies go through the same jury, ledger and statistics as those of a live judge;
output 1 is the candidate, the gold labels are what people decided in the review. The true win rate is the share of gold labels
for output 1. `--quick` is the same: nothing is asked, everything is recorded.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.judge import GOLD, PLACES
from benchmarks.judge_bias import between
from curation.chat_model import ChatReply, ChatRequest
from curation.database import Database
from curation.judging.anonymise import anonymise
from curation.judging.config import JudgeConfig
from curation.judging.jury import build_juror
from curation.records import Message, Provenance, ReviewItem, Verdict
from curation.synthesis.ledger.request_ledger import MIGRATIONS, RequestLedger
from curation.synthesis.teachers.config import TeacherConfig
from evaluation.config import EvaluationConfig
from evaluation.judge.config import PairwiseConfig
from evaluation.judge.judge_answers import judge_answers
from evaluation.judge.summary import JudgeSummary
from evaluation.records import EvalAnswer

SETS = ("Natural", "Adversarial/Neighbor", "Adversarial/GPTInst", "Adversarial/GPTOut", "Adversarial/Manual")
MODELS = ("GPT-4", "ChatGPT")


class RecordedJudge:
    """Answers with the recorded verdict on the two answers that it is shown, in the order in which they are shown."""

    provider, endpoint, revision, is_model = "recorded", "here", "LLMBar", True

    def __init__(self, model: str, rows: list[dict[str, Any]]) -> None:
        self.model = model
        self._rows = {(row["input"].strip(), anonymise(row["output_1"])): row["results"][0] for row in rows}
        self._swapped = {(row["input"].strip(), anonymise(row["output_2"])): row["results"][0] for row in rows}

    def complete(self, request: ChatRequest) -> ChatReply:
        """Look the verdict up."""
        text = request.messages[-1].text
        at = between(text, "turn_user").strip(), between(text, "first_answer")
        said = self._rows[at]["swap = False"] if at in self._rows else self._swapped[at]["swap = True"]
        return ChatReply(text=json.dumps({"reason": "As recorded.", "winner": PLACES[said["completion"][0]]}))


def as_answers(rows: list[dict[str, Any]]) -> list[EvalAnswer]:
    """Return output 1 as the candidate's answers and output 2 as the base's."""
    return [
        EvalAnswer(
            key=f"{name}/{at:03}",
            comparator=name,
            model_hash=name,
            item_key=f"{at:03}",
            item_hash=str(at),
            group=str(at),
            prompt=row["input"],
            reference="",
            answer=row[field],
            num_tokens=1,
        )
        for at, row in enumerate(rows)
        for name, field in (("candidate", "output_1"), ("base", "output_2"))
    ]


def as_review(rows: list[dict[str, Any]]) -> tuple[list[ReviewItem], list[Verdict]]:
    """Return the pairs as people saw them, and the gold labels as what they said."""
    items = [
        ReviewItem(
            key=f"{at:03}",
            kind="pair",
            prompt=(Message(role="user", content=row["input"]),),
            answer=row["output_1"],
            alternative=row["output_2"],
            rubric_version="1",
            record_key=str(at),
            record_hash=str(at),
            evidence=(),
            task="",
            provenance=Provenance(origin="human", method="LLMBar"),
        )
        for at, row in enumerate(rows)
    ]
    verdicts = [
        Verdict(
            key=f"{at:03}",
            sequence=at + 1,
            decision="prefer_a" if GOLD[row["label"]] == "a" else "prefer_b",
            reviewer="gold",
            reviewer_kind="human",
            reason="",
            edited_answer="",
            created_at="",
        )
        for at, row in enumerate(rows)
    ]
    return items, verdicts


def hear_recorded(model: str, rows: list[dict[str, Any]], ledger: RequestLedger) -> JudgeSummary:
    """Have a recorded judge compare the answers, held against the gold labels."""
    teacher = TeacherConfig(kind="openai", model=model, revision="LLMBar", base_url="http://127.0.0.1:9/v1", concurrency=64)
    config = JudgeConfig(teacher=teacher, rubric="Which answer follows the instruction better?")
    settings = EvaluationConfig(bootstrap_samples=1000, judge=PairwiseConfig(judges=(config,), gates=True, min_pairs=30))
    juror = build_juror(config, RecordedJudge(model, rows), ledger)
    return judge_answers(as_answers(rows), *as_review(rows), [juror], settings).summary


def main() -> None:
    """Measure, print a table, then the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same: nothing is asked")
    parser.parse_args()
    if "REALDATA_DIR" not in os.environ:
        parser.error("set REALDATA_DIR to the folder with the unpacked real data")
    root = Path(os.environ["REALDATA_DIR"]) / "llmbar"
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        database = Database.open(Path(folder) / "ledger.db", concern="ledger", migrations=MIGRATIONS)
        with RequestLedger(database) as ledger:
            for name in SETS:
                for model in MODELS:
                    rows = json.loads((root / name / "evaluators" / model / "Vanilla/result.json").read_text("utf-8"))
                    figures |= show(name, model, rows, hear_recorded(model, rows, ledger))
    print(json.dumps(figures))


def show(name: str, model: str, rows: list[dict[str, Any]], summary: JudgeSummary) -> dict[str, float]:
    """Print a line and return the figures of one judge on one set."""
    (judge,), (rate,) = summary.judges, summary.win_rates
    true = sum(GOLD[row["label"]] == "a" for row in rows) / len(rows)
    said = "believed" if judge.may_gate else "advice only"
    print(
        f"{name:<21} {model:<8} flips {judge.flip_share:>4.0%}  kappa {judge.kappa}  first place {judge.first_share:.0%}"
        f"  win rate {rate.plain:.3f}, at equal length {rate.controlled:.3f}"
        f" [{rate.controlled_low:.3f}, {rate.controlled_high:.3f}], true {true:.3f}  {said}"
    )
    key = f"{name.rpartition('/')[2]}_{model}".replace("-", "").lower()
    return {f"{key}_kappa": round(judge.kappa.value or 0.0, 3), f"{key}_believed": float(judge.may_gate)}


if __name__ == "__main__":
    main()
