"""The programs that serve a model behind OpenAI's API, and how each is started on a champion.

    choice = choose_engine("auto")                 Choice(engine="transformers", device="cpu", reason="no GPU was found")
    plan = plan_engine(choice, served, name="sdk_assistant", port=41873, work=folder, form="merged")
    plan.command                                   ["python", "-m", "transformers.cli.transformers", "serve", ...]

Every engine listens on 127.0.0.1 only, is offline and sends no telemetry; what the world sees is the gate before it.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from curation.errors import EngineMissingError
from evaluation.answering.launch import child_environment
from evaluation.serving.champion import ServedModel

Engine = Literal["transformers", "vllm", "ollama"]
Form = Literal["merged", "adapter"]
ENGINES: tuple[Engine, ...] = ("transformers", "vllm", "ollama")
LOOPBACK = "127.0.0.1"
_QUIET = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1"}
_ADVICE = {
    "transformers": "Install it with this project's dependencies (`pip install 'transformers[serving]'`).",
    "vllm": "Install vLLM on a machine with a GPU (`pip install vllm`), or use `--engine transformers`.",
    "ollama": "Install Ollama so that `ollama` is on PATH, or use `--engine transformers`.",
}


class Choice(NamedTuple):
    """Which engine serves, on what, and why."""

    engine: Engine
    device: Literal["gpu", "cpu"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class EnginePlan:
    """How an engine is started."""

    engine: str
    """The program's name in messages."""
    command: list[str]
    folder: Path
    """Working folder of the process."""
    environment: Mapping[str, str]
    port: int
    model: str
    """What the engine calls the model in requests."""
    health: str
    """Path that answers 200 as soon as the engine answers."""
    after_start: tuple[list[str], ...] = field(default=())
    """Commands to run once it answers and before it is ready."""

    @property
    def url(self) -> str:
        """Return the address of the engine, without a path."""
        return f"http://{LOOPBACK}:{self.port}"


def choose_engine(wanted: str) -> Choice:
    """Return the engine to use: the one asked for, or vLLM on a GPU if it is installed, or else Transformers, or Ollama.

    Raises:
        EngineMissingError: if the one asked for, or every one, is missing.
    """
    device: Literal["gpu", "cpu"] = "gpu" if has_gpu() else "cpu"
    on = "a GPU was found" if device == "gpu" else "no GPU was found"
    if wanted != "auto":
        engine = next(name for name in ENGINES if name == wanted)
        missing = why_missing(engine)
        if missing:
            raise EngineMissingError(engine=engine, reason=missing, advice=_ADVICE[engine])
        return Choice(engine, device, "asked for")
    order: tuple[Engine, ...] = ("vllm", "transformers", "ollama") if device == "gpu" else ("transformers", "ollama")
    for engine in order:
        if not why_missing(engine):
            return Choice(engine, device, on)
    raise EngineMissingError(engine="auto", reason=f"none of {', '.join(order)} is installed", advice=_ADVICE["transformers"])


def why_missing(engine: Engine) -> str:
    """Return why an engine cannot be started in this environment; empty if it can."""
    if engine == "transformers":
        needed = ("transformers", "torch", "fastapi", "uvicorn", "openai")
        lacking = [name for name in needed if importlib.util.find_spec(name) is None]
        return f"{', '.join(lacking)} is not installed" if lacking else ""
    return "" if _find_program(engine) else f"the program '{engine}' is not on PATH"


def has_gpu() -> bool:
    """Tell whether an NVIDIA GPU can be used, without loading torch."""
    program = shutil.which("nvidia-smi")
    if program is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    try:
        found = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and "GPU" in found.stdout


def plan_engine(choice: Choice, served: ServedModel, *, name: str, port: int, work: Path, form: Form = "merged") -> EnginePlan:
    """Return how an engine is started on a champion.

    Args:
        choice: of engine and device.
        served: the champion; its files are verified.
        name: what clients call the model; a file name.
        port: on which the engine listens, on 127.0.0.1.
        work: an empty folder for this start.
        form: `adapter` lets vLLM load the base and put the adapter onto it, so that several may share it.

    Raises:
        EngineMissingError: if the engine cannot serve this form.
        OSError: if the folder cannot be written.
    """
    work.mkdir(parents=True, exist_ok=True)
    if form == "adapter" and choice.engine != "vllm":
        raise EngineMissingError(engine=choice.engine, reason="it serves no adapter", advice="Use `--form merged`, or vLLM.")
    if choice.engine == "transformers":
        return _plan_transformers(choice, served, name=name, port=port, work=work)
    if choice.engine == "vllm":
        return _plan_vllm(served, name=name, port=port, work=work, form=form)
    return _plan_ollama(served, name=name, port=port, work=work)


def _plan_transformers(choice: Choice, served: ServedModel, *, name: str, port: int, work: Path) -> EnginePlan:
    """Under a link that has the model's public name: the server calls a model by the path that it was given."""
    link = work / name
    link.unlink(missing_ok=True)
    link.symlink_to(served.folder.absolute(), target_is_directory=True)
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", name]
    command += ["--host", LOOPBACK, "--port", str(port), "--device", "cpu" if choice.device == "cpu" else "auto"]
    command += ["--dtype", "float32" if choice.device == "cpu" else "bfloat16"]  # as the answers of the gate were computed
    return EnginePlan(
        engine="transformers",
        command=command,
        folder=work,
        environment=child_environment() | _QUIET,
        port=port,
        model=name,
        health="/health",
    )


def _plan_vllm(served: ServedModel, *, name: str, port: int, work: Path, form: Form) -> EnginePlan:
    command = [_find_program("vllm") or "vllm", "serve"]
    if form == "adapter":
        adapter, base = _adapter_of(served)
        rank = _rank_of(adapter)
        command += [str(base), "--enable-lora", "--max-lora-rank", str(rank), "--lora-modules", f"{name}={adapter}"]
        command += ["--tokenizer", str(adapter), "--generation-config", str(adapter)]
        command += ["--chat-template", str(adapter / "chat_template.jinja"), "--served-model-name", f"{name}-base"]
    else:
        command += [str(served.folder), "--served-model-name", name]
    command += ["--host", LOOPBACK, "--port", str(port)]
    return EnginePlan(
        engine="vllm",
        command=command,
        folder=work,
        environment=child_environment() | _QUIET,
        port=port,
        model=name,
        health="/health",
    )


def _plan_ollama(served: ServedModel, *, name: str, port: int, work: Path) -> EnginePlan:
    """With models in a folder of its own, so that a start touches nothing of the user's."""
    program = _find_program("ollama") or "ollama"
    if served.export is None or not (served.export / "Modelfile").exists():
        advice = "Set `release.exports: {merged: true, ollama: true}` and materialize `exports`."
        raise EngineMissingError(engine="ollama", reason="the champion was not exported with a Modelfile", advice=advice)
    environment = child_environment() | _QUIET | {"OLLAMA_HOST": f"{LOOPBACK}:{port}", "OLLAMA_MODELS": str(work / "models")}
    return EnginePlan(
        engine="ollama",
        command=[program, "serve"],
        folder=work,
        environment=environment,
        port=port,
        model=name,
        health="/api/version",
        after_start=([program, "create", name, "-f", str(served.export / "Modelfile")],),
    )


def _adapter_of(served: ServedModel) -> tuple[Path, Path]:
    advice = "Use `--form merged`, or set `release.exports.adapter: true` and materialize `exports`."
    if served.export is None or not (served.export / "adapter" / "adapter_config.json").exists():
        raise EngineMissingError(engine="vllm", reason="the champion was not exported with an adapter", advice=advice)
    if served.parent is None:
        raise EngineMissingError(engine="vllm", reason="the base of the adapter is not in the store", advice=advice)
    return served.export / "adapter", served.parent


def _rank_of(adapter: Path) -> int:
    return int(json.loads((adapter / "adapter_config.json").read_bytes())["r"])


def _find_program(name: str) -> str | None:
    """Return the program beside this Python, or on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)
