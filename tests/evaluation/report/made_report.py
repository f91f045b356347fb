"""A made-up evaluation with all that a report can show: tasks, slices, guards, costs, likelihoods, forgetting, judges."""

import json
import math
import random
from dataclasses import replace
from typing import Any

from curation.records import Message
from evaluation.config import EvaluationConfig
from evaluation.forgetting.verdict import AreaResult, ForgettingResult
from evaluation.gate.comparison import compare
from evaluation.memorisation.summary import Extractable, LossGap, Memorisation
from evaluation.records import AnswerConfidence, AnswerTiming, EvalAnswer, EvalItem
from evaluation.release.config import ReleaseConfig
from evaluation.release.requirements import GuardConfig, RequirementConfig
from evaluation.report.inputs import LossCurve, ReportInputs, StageRows
from evaluation.report.nearest import Nearest
from evaluation.scoring import score_answers
from evaluation.tasks.config import TaskConfig

PARTS = ("strings", "dates_and_times", "lists_and_arrays", "aggregation", "joins", "input_output", "categories", "selectors")
HOSTILE = '</textarea><script>document.title="owned"</script><img src=x onerror="document.title=1">'
SHARE_RIGHT = {"base": 0.03, "base_few_shot": 0.1, "sft": 0.74, "candidate": 0.8, "champion": 0.76}
CONFIG = EvaluationConfig(
    tasks=(
        TaskConfig(name="routing", slices=("topic", "length"), area="help desk"),
        TaskConfig(name="sums", kind="choice", scoring="likelihood", data="sums.jsonl", area="arithmetic"),
    ),
    comparators=("base", "base_few_shot", "majority", "sft", "candidate", "champion"),
    bootstrap_samples=400,
    gpu_usd_per_hour=2.0,
)
RELEASE = ReleaseConfig(
    minimum_difference=0.05,
    requires=(RequirementConfig(metric="token_f1", minimum_difference=0.02),),
    guards=(
        GuardConfig(metric="exact_match", slice="topic", margin=0.05),
        GuardConfig(metric="accuracy", task="sums", margin=0.1),
    ),
)


def _routing_items(number: int) -> list[EvalItem]:
    items = []
    for index in range(number):
        part = PARTS[int(len(PARTS) * (index / number) ** 1.6)]
        question = HOSTILE if index == 0 else f"Which part of the API helps with task {index}, such as {part}?"
        items.append(
            EvalItem(
                key=f"api/polars.Expr.{part}.m{index}#routing/{index % 3}",
                task="routing",
                prompt=(Message(role="user", content=question),),
                reference=json.dumps({"part": part}, separators=(",", ":")),
                group=f"m{index // 3}",
                slices=(f"topic={part}", f"length={'short' if index % 2 else 'long'}"),
            )
        )
    return items


def _sum_items(number: int) -> list[EvalItem]:
    return [
        EvalItem(
            key=f"sums/{index}",
            task="sums",
            prompt=(Message(role="user", content=f"What is {index} plus {index % 7}?"),),
            reference="B",
            choices=(str(index + 1), str(index + index % 7), str(index + 9)),
            group=f"sums/{index}",
        )
        for index in range(number)
    ]


def _likelihoods(draw: random.Random, comparator: str) -> tuple[float, ...]:
    lead = {"base": 0.4, "candidate": 1.6, "champion": 1.2}.get(comparator, 0.6)
    return tuple(-8 + draw.gauss(lead if index == 1 else 0, 1.2) for index in range(3))


def _answer(item: EvalItem, comparator: str, draw: random.Random) -> EvalAnswer:
    asked = comparator != "majority"
    likelihoods = _likelihoods(draw, comparator) if item.task == "sums" else ()
    if item.task == "sums":
        said = "ABC"[max(range(3), key=lambda index: likelihoods[index])]
    elif comparator == "majority":
        said = '{"part":"strings"}'
    elif draw.random() < SHARE_RIGHT[comparator]:
        said = item.reference
    else:
        wrong = HOSTILE if item.prompt[0].content == HOSTILE else "ing the the of Series" * draw.randint(1, 4)
        said = wrong if comparator == "base" else json.dumps({"part": draw.choice(PARTS)}, separators=(",", ":"))
    return EvalAnswer(
        key=f"{comparator}/{item.key}",
        comparator=comparator,
        model_hash="a" * 32,
        item_key=item.key,
        item_hash="b" * 32,
        group=item.group,
        prompt=item.prompt[0].content,
        reference=item.reference,
        answer=said,
        num_tokens=max(1, len(said) // 3) if asked else 0,
        task=item.task,
        num_prompt_tokens=180 if comparator == "base_few_shot" else 44 if asked else 0,
        log_likelihoods=likelihoods,
        num_scored_tokens=tuple(2 for _ in likelihoods),
    )


def _timing(answer: EvalAnswer, draw: random.Random) -> AnswerTiming:
    slower = 1.6 if answer.comparator == "base_few_shot" else 1.0
    return AnswerTiming(key=answer.key, latency_s=abs(draw.gauss(0.12, 0.03)) * slower, machine_s=0.004 * slower**2)


def _confidence(answer: EvalAnswer, draw: random.Random) -> AnswerConfidence:
    return AnswerConfidence(key=answer.key, mean_log_probability=-abs(draw.gauss(0.2, 0.15)))


def _area(name: str, before: float, after: float, verdict: str, measure: str = "accuracy") -> AreaResult:
    difference = after - before if measure == "accuracy" else before - after
    return AreaResult(
        area=name,
        verdict=verdict,  # type: ignore[arg-type]
        measure=measure,  # type: ignore[arg-type]
        difference=difference,
        low=difference - 0.04,
        high=difference + 0.04,
        p_value=0.01,
        margin=0.05,
        num_items=40,
        chance=0.5,
        base_accuracy=before if measure == "accuracy" else 0.3,
        accuracy=after if measure == "accuracy" else 0.3,
        base_loss=before if measure == "loss" else 1.2,
        loss=after if measure == "loss" else 1.2,
    )


FORGETTING = ForgettingResult(
    model="preference_model",
    model_hash="a" * 32,
    base_hash="b" * 32,
    areas=(
        _area("grammar", 0.91, 0.92, "pass"),
        _area("facts", 0.66, 0.63, "undecided"),
        _area("instruction_following", 0.71, 0.52, "fail"),
        _area("text", 1.02, 1.05, "pass", "loss"),
        _area("code", 3.1, 3.1, "nothing_to_forget", "loss"),
    ),
    num_unmeasured=2,
)
MEMORISATION = Memorisation(
    model="preference_model",
    model_hash="a" * 32,
    gap=LossGap(
        value=0.21, low=0.12, high=0.3, training_loss=0.4, held_out_loss=0.62, base_training_loss=7.1, base_held_out_loss=7.11
    ),
    extractable=(
        Extractable(prefix_tokens=20, side="training", num_verbatim=12, num_tried=200, low=0.035, high=0.1, control=0.03),
    ),
    exposures=(9.2, 4.1),
    control_exposures=(1.3, 1.5),
    num_references=1024,
)
JUDGES: dict[str, Any] = {
    "judges": [
        {
            "judge": "gpt@2026",
            "template_hash": "c" * 32,
            "num_judged": 390,
            "num_flagged": 1,
            "num_failed": 9,
            "flip_share": 0.08,
            "first_share": 0.52,
            "length_slope": 0.12,
            "length_slope_error": 0.05,
            "num_labels": 120,
            "may_gate": True,
            "faults": [],
            "kappa": {"value": 0.71, "low": 0.6, "high": 0.81},
            "reason": "Its kappa with people is 0.71.",
        }
    ],
    "win_rates": [
        {
            "opponent": "base",
            "task": "",
            "num_pairs": 400,
            "num_wins": 300,
            "num_ties": 40,
            "num_losses": 50,
            "num_unjudged": 10,
            "plain": 0.82,
            "plain_low": 0.78,
            "plain_high": 0.86,
            "controlled": 0.79,
            "controlled_low": 0.74,
            "controlled_high": 0.84,
            "required": 0.5,
            "verdict": "pass",
        }
    ],
    "gates": False,
    "may_gate": True,
    "verdict": "pass",
    "reason": "The judges prefer the candidate to the base in 82.0 % of 400 pairs.",
}


def make_report(num_items: int = 300, num_sums: int = 120, seed: int = 7) -> ReportInputs:
    """Return inputs with everything in them."""
    draw = random.Random(seed)
    items = [*_routing_items(num_items), *_sum_items(num_sums)]
    answers = [_answer(item, comparator, draw) for item in items for comparator in CONFIG.comparators]
    timings = [_timing(answer, draw) for answer in answers if answer.comparator != "majority"]
    sure = [_confidence(answer, draw) for answer in answers if answer.task == "routing" and answer.comparator != "majority"]
    scores = score_answers(answers, items, CONFIG)
    curve = tuple((step, 5.2 * math.exp(-step / 60) + 0.6 + 0.1 * math.sin(step)) for step in range(1, 300, 3))
    near = (
        Nearest("training row", "api/polars.Expr.str#routing/1", 'Which part cuts strings? -> {"part":"strings"}', 8.2),
        Nearest("document", "api/polars.Expr.str", "polars.Expr.str: namespace for string methods", 6.5),
    )
    return ReportInputs(
        recipe="sdk_assistant",
        description="Routes a question about the Polars package to the part of its API that answers it.",
        owner="data-team@example.com",
        created_at="2026-11-24T09:30:12+00:00",
        comparison=compare(scores, CONFIG, RELEASE, items=items, answers=answers, timings=timings),
        answers=tuple(answers),
        scores=tuple(scores),
        timings=tuple(timings),
        confidences=tuple(sure),
        items=tuple(items),
        nearest={item.key: near for item in items[:200]},
        forgetting=FORGETTING,
        memorisation=MEMORISATION,
        judges=JUDGES,
        loss_curves=tuple(LossCurve(stage=name, train=curve) for name in ("dapt_model", "sft_model", "preference_model")),
        stage_rows=(
            StageRows(stage="documents", kept=1282, rejected={"empty": 12}),
            StageRows(stage="candidates", kept=6210, rejected={"no_summary": 201}),
            StageRows(stage="curated_examples", kept=5210, rejected={"near_duplicate": 812, "exact_duplicate": 188}),
            StageRows(stage="verified_examples", kept=5102, rejected={"rejected_by_reviewer": 108}),
        ),
        evidence={"items": "1a" * 16, "answers": "2b" * 16, "scores": "3c" * 16, "comparison": "4d" * 16},
        data_roots={"sft_dataset": "9f" * 16, "eval_set": "3b" * 16},
        model_hashes={"base_model": "1a" * 16, "sft_model": "2b" * 16, "preference_model": "3c" * 16},
        config={"name": "sdk_assistant", "training": {"seed": 0, "note": "</script><b>bold</b>"}},
        versions={"torch": "2.13.0", "transformers": "5.23.0", "python": "3.11.9"},
        seeds={"training": 0, "evaluation": 0},
        teacher="extractive",
        teacher_calls=6411,
        review={"approve_automatic": 5102, "reject_automatic": 108},
        answer_statistics={"num_generated": 1600, "num_reused": 0, "tokens_per_s": 4520.7},
        links={"Dagster": "http://127.0.0.1:3000", "bad": "javascript:alert(1)"},
    )


def make_plain_report() -> ReportInputs:
    """Return inputs with nothing but comparison, answers and scores of the one task that a recipe has by itself."""
    config, draw = EvaluationConfig(bootstrap_samples=200, comparators=("base", "candidate")), random.Random(3)
    items = [replace(item, task="held_out", slices=()) for item in _routing_items(60)]
    answers = [
        replace(_answer(replace(item, task="routing"), name, draw), task="held_out", num_prompt_tokens=0)
        for item in items
        for name in ("base", "candidate")
    ]
    scores = score_answers(answers, items, config)
    compared = compare(scores, config, ReleaseConfig(), items=items, answers=answers)
    return ReportInputs(recipe="demo", comparison=compared, answers=tuple(answers), scores=tuple(scores))
