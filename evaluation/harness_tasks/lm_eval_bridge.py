"""Tasks of EleutherAI's lm-evaluation-harness by their names, asked of our model and scored by the harness itself.

    results = score_by_name(["arc_easy", "gsm8k"], model, limit=100)          # pip install 'tunewright[harness]'
    results[0].totals                                                         {"acc": 0.71, "acc_norm": 0.68}

Prompts, few-shot examples, filters and metrics are the harness's; only the answers come from here. It fetches its data sets
from the hub, or from the hub's cache where `HF_HUB_OFFLINE=1` is set. Tasks that run code of the model are refused: that is
done in a sandbox or not at all.
"""

import functools
import importlib.util
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.errors import EvaluationError
from curation.records import Message
from evaluation.answering.child import describe
from evaluation.harness_tasks.contexts import FEWSHOT_SEED
from evaluation.harness_tasks.score import HarnessItem, HarnessResult, Model


def is_installed() -> bool:
    """Tell whether the harness can be imported."""
    return importlib.util.find_spec("lm_eval") is not None


def score_by_name(
    names: Sequence[str],
    model: Model,
    *,
    folder: Path | None = None,
    num_fewshot: int | None = None,
    limit: int | None = None,
    has_chat_template: bool = False,
    seed: int = FEWSHOT_SEED,
    batch_size: int = 16,
) -> list[HarnessResult]:
    """Score a model on tasks, in the order of their names; a group stands for its tasks.

    Args:
        names: of tasks or groups.
        model: that answers.
        folder: with task files of your own, `!function` included: they run Python, so give only files that you trust.
        num_fewshot: instead of the tasks' own.
        limit: documents of each task, from the first.
        has_chat_template: ask through the model's chat template.
        seed: of the choice of few-shot examples.
        batch_size: prompts or choices at once.

    Raises:
        EvaluationError: the harness is not installed, a name is not known, data cannot be had, or the model fails.
    """
    if not is_installed():
        raise EvaluationError(
            reason=f"tasks by name ({', '.join(names)}) need the extra `harness`: pip install 'tunewright[harness]'."
        )
    import lm_eval

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    manager = find_tasks(names, folder)
    try:
        found = lm_eval.simple_evaluate(
            model=build_harness_model(model, batch_size=batch_size),
            tasks=list(names),
            task_manager=manager,
            num_fewshot=num_fewshot,
            limit=limit,
            apply_chat_template=has_chat_template,
            fewshot_random_seed=seed,
            bootstrap_iters=0,
            log_samples=True,
        )
    except EvaluationError:
        raise
    except Exception as error:  # the harness, datasets and the hub raise what they like
        raise EvaluationError(reason=f"the harness stopped with {', '.join(names)} ({describe(error)}).") from error
    assert found is not None, "this is the only process"
    return [_result(name, found) for name in found["samples"]]


def find_tasks(names: Sequence[str], folder: Path | None) -> Any:
    """Return a `TaskManager` that knows the tasks; those of the harness are looked through (slow) only if needed.

    Raises:
        EvaluationError: it has no task of a name.
    """
    from lm_eval.tasks import TaskManager

    own = str(folder) if folder is not None else None
    if own is not None:
        manager = TaskManager(include_path=own, include_defaults=False)
        if set(names) <= set(manager.all_tasks):
            return manager
    manager = _all_tasks(own)
    unknown = [name for name in names if name not in manager.all_tasks]
    if unknown:
        raise EvaluationError(reason=f"the harness has no task '{unknown[0]}'.")
    return manager


@functools.lru_cache(maxsize=4)
def _all_tasks(folder: str | None) -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=folder)


def build_harness_model(model: Model, *, batch_size: int = 16) -> Any:
    """Return a model as the harness wants it (`lm_eval.api.model.LM`), answered by ours."""
    from lm_eval.api.model import LM

    class HarnessModel(LM):  # type: ignore[misc]
        """Answers the three kinds of requests of the harness."""

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
            pairs = [request.args for request in requests]
            scored = model.choice_log_likelihoods(
                [context for context, _ in pairs], [[continuation] for _, continuation in pairs], batch_size=batch_size
            )
            return [(score.log_likelihood, score.is_greedy) for (score,) in scored]

        def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
            texts = [request.args[0] for request in requests]
            return [score.log_likelihood for score in model.text_log_likelihoods(texts, batch_size=batch_size)]

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            return generate_until(model, [request.args for request in requests], batch_size=batch_size)

        @property
        def tokenizer_name(self) -> str:
            return str(getattr(model, "name", "model"))

        def chat_template(self, chat_template: Any = False) -> str:
            return ""

        def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            if not add_generation_prompt:
                raise EvaluationError(reason="`gen_prefix` cannot be asked through a chat template here.")
            return model.render([Message(role=turn["role"], content=turn["content"]) for turn in chat_history])  # type: ignore[arg-type]

    return HarnessModel()


def generate_until(model: Model, asked: Sequence[tuple[str, dict[str, Any]]], *, batch_size: int) -> list[str]:
    """Go on with prompts, each to its own stop texts and limit. Raises EvaluationError if one wants to be sampled."""
    from lm_eval.models.utils import normalize_gen_kwargs

    groups: dict[tuple[tuple[str, ...], int], list[int]] = {}
    for index, (_, settings) in enumerate(asked):
        plain = normalize_gen_kwargs(settings)
        if plain.get("do_sample") or plain.get("temperature"):
            raise EvaluationError(reason="answers are greedy here, and the task wants them sampled.")
        groups.setdefault((tuple(plain["until"]), int(plain["max_gen_toks"])), []).append(index)
    found = [""] * len(asked)
    for (stop_texts, limit), members in groups.items():
        room = model.context_length - limit
        if room < 1:
            raise EvaluationError(reason=f"a task asks for {limit} new tokens, and the model reads {model.context_length}.")
        prompts = [model.tokenize(asked[index][0])[-room:] for index in members]
        answers = model.write(prompts, max_new_tokens=limit, stop_texts=stop_texts, batch_size=batch_size)
        for index, answer in zip(members, answers, strict=True):
            found[index] = answer.text
    return found


def _result(name: str, found: dict[str, Any]) -> HarnessResult:
    items: dict[int, HarnessItem] = {}
    for sample in found["samples"][name]:
        number = int(sample["doc_id"])
        item = items.setdefault(number, HarnessItem(key=f"{name}/{number}", document_hash=str(sample["doc_hash"])))
        item.reference = str(sample["target"])
        first = sample["arguments"]
        item.prompt = str(first["gen_args_0"]["arg_0"] if isinstance(first, dict) else first[0][0])
        item.answer = str(sample["filtered_resps"][0])
        for metric in sample["metrics"]:
            key = metric if sample["filter"] == "none" else f"{metric},{sample['filter']}"
            value = sample[metric]
            if isinstance(value, (tuple, list)):
                item.scores[key], item.weights[key] = float(value[0]), float(value[1])
            else:
                item.scores[key] = float(value)
    totals = {
        key.removesuffix(",none"): float(value)
        for key, value in found["results"][name].items()
        if "," in key and "_stderr" not in key and isinstance(value, (int, float))
    }
    is_higher = found["higher_is_better"][name]
    return HarnessResult(
        task=name,
        items=[items[number] for number in sorted(items)],
        totals=totals,
        lower_is_better=frozenset(key for key in totals if is_higher.get(key.partition(",")[0]) is False),
        num_errors=0,
        num_cut=0,
    )
