"""`tunewright serve RECIPE`: the champion behind an OpenAI-compatible address, until Ctrl-C.

tunewright serve sdk_assistant --follow              takes over each new champion without dropping a request
tunewright serve sdk_assistant --port 0 --smoke      for CI: asks it questions of the report, and ends with 0 or 1
TUNEWRIGHT_SERVE_KEY=... tunewright serve sdk_assistant --host 0.0.0.0
"""

import asyncio
import json
import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from curation.errors import TunewrightError
from curation.home import Home
from pipelines.terminal import say

if TYPE_CHECKING:
    from assets.recipe import Recipe
    from evaluation.serving.serving import Ready, ServeOptions

KEY_VARIABLE = "TUNEWRIGHT_SERVE_KEY"


class EngineName(StrEnum):
    """What `--engine` takes."""

    auto = "auto"
    transformers = "transformers"
    vllm = "vllm"
    ollama = "ollama"


class FormName(StrEnum):
    """What `--form` takes."""

    merged = "merged"
    adapter = "adapter"


def serve_command(
    recipe: Annotated[str, typer.Argument(help="Name of a shipped recipe, or the path of a recipe file.")],
    engine: Annotated[EngineName, typer.Option(help="auto: vLLM on a GPU where it is installed, otherwise Transformers.")] = (
        EngineName.auto
    ),
    form: Annotated[FormName, typer.Option(help="The whole model, or base and adapter (vLLM only).")] = FormName.merged,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8000,
    allow_public: Annotated[
        bool, typer.Option("--allow-public", help="Let everybody who reaches this machine ask, without a key.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Take over each new champion; both are in memory for a moment.")
    ] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Ask questions of the report, compare with the stored answers, and end: 0 or 1.")
    ] = False,
    smoke_questions: Annotated[int, typer.Option(min=1, help="How many questions are asked.")] = 20,
    smoke_share: Annotated[float, typer.Option(min=0, max=1, help="Share of answers that must be the stored ones.")] = 1.0,
) -> None:
    """Serve the champion behind OpenAI's API, verified by hash; Ctrl-C stops everything.

    Clients need a key if the environment variable TUNEWRIGHT_SERVE_KEY holds one: Authorization: Bearer KEY.
    """
    from evaluation.serving.engines import choose_engine
    from evaluation.serving.serving import ServeOptions, check_address, serve
    from pipelines.recipe import find_recipe, load_recipe

    found = load_recipe(find_recipe(recipe))
    options = ServeOptions(
        home=Home.from_environment(),
        recipe=found.name,
        choice=choose_engine(engine.value),
        host=host,
        port=port,
        form=form.value,
        key=os.environ.get(KEY_VARIABLE, "").strip(),
        allow_public=allow_public,
        follow=follow,
    )
    check_address(options)
    say(f"engine: {options.choice.engine} ({options.choice.reason})")

    async def when_ready(ready: "Ready") -> int | None:
        _print_address(options, ready)
        return await _ask_questions(options, found, ready, smoke_questions, smoke_share) if smoke else None

    raise typer.Exit(asyncio.run(serve(options, say, when_ready)))


def _print_address(options: "ServeOptions", ready: "Ready") -> None:
    served, url = ready.served, ready.url
    key = f' -H "Authorization: Bearer ${KEY_VARIABLE}"' if options.key else ""
    body = json.dumps({"model": options.recipe, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 64})
    lines = [
        f"ready after {ready.seconds:.1f} s; log: {ready.log}",
        f"  address  {url}/v1",
        f"  model    {options.recipe} ({served.model_hash}), live since {served.entry.created_at} by {served.entry.who}",
        f"  key      {'that of ' + KEY_VARIABLE if options.key else 'none is needed' + (' by anybody' * options.allow_public)}",
        f"  curl {url}/v1/chat/completions -H 'Content-Type: application/json'{key} -d '{body}'",
        "Ctrl-C stops it" + ("; new champions are taken over" if options.follow else ""),
        *warn_withdrawn(options.home, served.model_hash),
    ]
    for line in lines:
        say(line)


def warn_withdrawn(home: Home, model_hash: str) -> list[str]:
    """Return a line for everything withdrawn that a model learnt from; one that says why where that cannot be told."""
    from curation.lineage.withdrawals import standing_withdrawals

    try:
        standing = standing_withdrawals(home)
    except TunewrightError as problem:
        return [f"warning: whether it learnt from what is withdrawn is not known: {problem}"]
    return [f"warning: it learnt from {item.sentence()}" for item in standing if model_hash in item.model_hashes]


async def _ask_questions(
    options: "ServeOptions", recipe: "Recipe", ready: "Ready", num_questions: int, minimum_same: float
) -> int:
    from curation.files import write_atomically
    from evaluation.serving.smoke import SmokeSettings, ask_all, choose_questions

    questions = choose_questions(options.home, recipe.name, ready.served.model_hash, num_questions=num_questions)
    settings = SmokeSettings(
        engine=options.choice.engine,
        key=options.key,
        max_new_tokens=recipe.evaluation.max_new_tokens,
        minimum_same=minimum_same,
        max_new_tokens_by_task={
            task.name: task.max_new_tokens for task in recipe.evaluation.all_tasks if task.max_new_tokens is not None
        },
    )
    result = await ask_all(ready, questions, settings)
    write_atomically(options.folder / "smoke.json", json.dumps(result.as_plain(), indent=1, ensure_ascii=False).encode())
    for line in [*result.describe(), "smoke test: " + ("passed" if result.passed else "FAILED")]:
        say(line)
    say(json.dumps(result.figures(ready.served.export)))
    return 0 if result.passed else 1
