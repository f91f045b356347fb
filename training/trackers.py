"""Experiment trackers: off unless the recipe names one, told by our own words, and never a reason for a training to fail.

training:
  trackers: [mlflow]             # or wandb, trackio; each has to be installed, and is configured by its own variables

A run is called RECIPE/ASSET/FINGERPRINT. What is logged beside the curve: method, configuration, roots of the data, parent and
seed. No address of a store, no path, no variable of the environment: those may hold secrets.
"""

import contextlib
import functools
import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from curation.config import as_plain
from curation.errors import TrackerMissingError
from training.scale.ranks import is_first_rank
from training.spec import RunSpec

PROJECT = "tunewright"
LONGEST_PARAMETER = 500
"""MLflow refuses longer ones."""
PARAMETERS_AT_ONCE = 100
"""MLflow refuses more in one request."""
UNTOLD = ("_runtime", "_per_second", "total_flos")
"""Ends of names in the trainer's log that are no result."""


class Tracker(Protocol):
    """One tracker, and one run in it."""

    def log(self, values: dict[str, float], step: int) -> None:
        """Tell what was measured at a step."""

    def finish(self) -> None:
        """The run is over."""


class Mlflow:
    """A run of MLflow; the server is what MLFLOW_TRACKING_URI says."""

    def __init__(self, name: str, run_id: str, facts: dict[str, Any]) -> None:
        self._module = importlib.import_module("mlflow")
        self._module.set_experiment(PROJECT)
        self._module.start_run(run_name=name, tags={"fingerprint": run_id})
        parameters = [(key, str(value)[:LONGEST_PARAMETER]) for key, value in flatten(facts).items()]
        for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
            self._module.log_params(dict(parameters[start : start + PARAMETERS_AT_ONCE]))

    def log(self, values: dict[str, float], step: int) -> None:
        """Tell what was measured at a step."""
        self._module.log_metrics(values, step=step)

    def finish(self) -> None:
        """The run is over."""
        self._module.end_run()


class SessionTracker:
    """A run of Weights & Biases or of trackio, which speak alike; an interrupted run goes on as the same one."""

    def __init__(self, module: str, name: str, options: dict[str, Any], facts: dict[str, Any]) -> None:
        self._module = importlib.import_module(module)
        self._module.init(project=PROJECT, name=name, config=facts, resume="allow", **options)

    def log(self, values: dict[str, float], step: int) -> None:
        """Tell what was measured at a step."""
        self._module.log(values, step=step)

    def finish(self) -> None:
        """The run is over."""
        self._module.finish()


def require_trackers(names: tuple[str, ...]) -> None:
    """Refuse to start when a tracker is not there, before anything heavy is done. Raises TrackerMissingError."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise TrackerMissingError(tracker=name)


def start_tracker(name: str, spec: RunSpec) -> Tracker:
    """Begin a run in a tracker. Raises whatever the tracker raises."""
    run_name, facts = name_run(spec), describe_run(spec)
    if name == "mlflow":
        return Mlflow(run_name, spec.fingerprint, facts)
    return SessionTracker(name, run_name, {"id": spec.fingerprint} if name == "wandb" else {}, facts)


def name_run(spec: RunSpec) -> str:
    """Return what a run is called: recipe, asset and fingerprint."""
    return f"{spec.run_name or spec.stage}/{spec.fingerprint[:12]}"


def describe_run(spec: RunSpec) -> dict[str, Any]:
    """Return what is told of a run: what determines it, and no address or path."""
    return {
        "stage": spec.stage,
        "config": as_plain(spec.config),
        "data": spec.tables,
        "parent": spec.parent,
        "seed": spec.stage_seed,
        "fingerprint": spec.fingerprint,
    }


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted names; lists as JSON."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = json.dumps(value) if isinstance(value, list) else value
    return flat


class Trackers:
    """All trackers of a run. One that fails is told of once, and left alone from then on."""

    def __init__(self, spec: RunSpec, say: Callable[[str], None]) -> None:
        self._say = say
        self._open: dict[str, Tracker] = {}
        for name in spec.trackers:
            self._try(name, functools.partial(self._start, name, spec))

    def log(self, values: dict[str, Any], step: int) -> None:
        """Tell the numbers that were measured at a step."""
        numbers = {name: float(value) for name, value in values.items() if _is_told(name, value)}
        for name, tracker in list(self._open.items()):
            self._try(name, functools.partial(tracker.log, numbers, step))

    def finish(self) -> None:
        """The run is over."""
        for name, tracker in list(self._open.items()):
            self._try(name, tracker.finish)

    def _start(self, name: str, spec: RunSpec) -> None:
        self._open[name] = start_tracker(name, spec)

    def _try(self, name: str, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:  # whatever it is, the training is worth more
            self._open.pop(name, None)
            self._say(f"the tracker {name} failed and is left alone: {type(error).__name__}: {str(error)[:200]}")


def _is_told(name: str, value: Any) -> bool:
    return isinstance(value, (int, float)) and not name.endswith(UNTOLD)


@contextlib.contextmanager
def tracked(trainer: Any, spec: RunSpec, say: Callable[[str], None]) -> Iterator[None]:
    """Let the trackers of a run hear what its trainer logs; they end with the block, however it is left."""
    if not spec.trackers or not is_first_rank():
        yield
        return
    from transformers import TrainerCallback

    class Callback(TrainerCallback):  # type: ignore[misc]
        """Hands the log on."""

        trackers: Trackers | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.trackers = Trackers(spec, say)

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
            if self.trackers is not None:
                self.trackers.log(logs or {}, state.global_step)

    callback = Callback()
    trainer.add_callback(callback)
    try:
        yield
    finally:
        if callback.trackers is not None:
            callback.trackers.finish()
