"""A GGUF file answers the gate's questions again, in llama.cpp's own server, where somebody has installed that.

    why_not_asked(items, config)                     "" or why it cannot be asked here
    ask_gguf(file, items, config, work, say=print)   [EvalAnswer(comparator="gguf", ...)], one a written item, in their order

It is asked as its users ask it: over the chat address, with the template in the file.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from curation.errors import EngineFailedError, EngineMemoryError, EvaluationError
from curation.ids import hash_file
from evaluation.answering.as_answer import as_answer
from evaluation.answering.cache import Given
from evaluation.answering.endpoint import answer_items, opened_answers
from evaluation.answering.endpoint_config import EndpointConfig
from evaluation.answering.launch import child_environment
from evaluation.answering.spec import plan_tasks
from evaluation.config import EvaluationConfig
from evaluation.records import EvalAnswer, EvalItem
from evaluation.serving.engine_process import EngineProcess, find_free_port, start_engine, stop_engine, wait_ready
from evaluation.serving.engines import LOOPBACK, EnginePlan

GGUF = "gguf"
GGUF_FILE = "model.gguf"
SERVER = "llama-server"


def written_items(items: Sequence[EvalItem], config: EvaluationConfig) -> list[EvalItem]:
    """Return the items whose answers are plain text: a server gives no likelihoods, and takes calls of tools apart."""
    written = {task.name for task in plan_tasks(config) if task.way == "generation"}
    return [item for item in items if item.task in written and not item.tools]


def why_not_asked(items: Sequence[EvalItem], config: EvaluationConfig) -> str:
    """Return why a GGUF file cannot be asked here, as a sentence; empty if it can."""
    if shutil.which(SERVER) is None:
        return f"It was not asked: llama.cpp's `{SERVER}` is in no folder of PATH. How far it agrees says proof.json."
    if not written_items(items, config):
        return "It was not asked: all tasks measure likelihoods or calls of tools. How far it agrees says proof.json."
    return ""


def ask_gguf(
    file: Path, items: Sequence[EvalItem], config: EvaluationConfig, work: Path, *, say: Callable[[str], None]
) -> list[EvalAnswer]:
    """Return what the file answers to the items whose answers are written, greedily, one after the other.

    Args:
        file: the GGUF file.
        items: of any tasks.
        config: how long answers may be.
        work: a folder of this hand-over; the server's log is left in it.
        say: takes lines for people.

    Raises:
        EvaluationError: if llama.cpp does not serve the file, or an item stays without an answer.
    """
    folder = work / GGUF
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    engine = start_engine(_plan(file, folder), log=folder / f"{SERVER}.log")
    try:
        asyncio.run(wait_ready(engine, say))
        return _ask(engine, hash_file(file), written_items(items, config), config, folder, say)
    except (EngineFailedError, EngineMemoryError) as error:
        raise EvaluationError(reason=f"llama.cpp does not serve {file.name}. {error}") from error
    finally:
        asyncio.run(stop_engine(engine))


def _plan(file: Path, folder: Path) -> EnginePlan:
    port = find_free_port()
    command = [shutil.which(SERVER) or SERVER, "--model", str(file.absolute()), "--host", LOOPBACK, "--port", str(port)]
    command += ["--ctx-size", "0", "--parallel", "1", "--jinja", "--reasoning-format", "none"]
    return EnginePlan(
        engine=SERVER,
        command=command,
        folder=folder,
        environment=child_environment(),
        port=port,
        model=GGUF,
        health="/health",
    )


def _ask(
    engine: EngineProcess,
    digest: str,
    items: Sequence[EvalItem],
    config: EvaluationConfig,
    folder: Path,
    say: Callable[[str], None],
) -> list[EvalAnswer]:
    endpoint = EndpointConfig(model=GGUF, base_url=f"{engine.plan.url}/v1", revision=digest, concurrency=1)
    with opened_answers(folder) as ledger:
        run = answer_items(
            endpoint,
            items,
            plan_tasks(config),
            ledger=ledger,
            seed=config.seed,
            on_progress=lambda progress: say(f"{GGUF}: {progress}"),
        )
    silent = [item.key for item in items if run.answers[item.key].error]
    if silent:
        first = run.answers[silent[0]].error
        raise EvaluationError(reason=f"the {GGUF} model gave no answer to {len(silent)} items, first '{silent[0]}': {first}")
    given = {key: Given(answer.text, answer.num_tokens, answer.num_prompt_tokens) for key, answer in run.answers.items()}
    return [as_answer(GGUF, digest, item, given[item.key]) for item in items]
