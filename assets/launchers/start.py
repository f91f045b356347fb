"""Starts a training run where the recipe says: on this machine, in a pod, or under Slurm.

start_training(context, pipes, recipe.training.layout, spec=spec, home=home.path)
"""

from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from assets.child import run_child
from assets.launchers.kubernetes import KubernetesClient
from assets.launchers.slurm import SlurmClient
from training.config import StageConfig
from training.launch import child_environment, remote_environment
from training.learning import resolved_stage
from training.scale.config import Layout
from training.scale.conflicts import find_notes, refuse_conflicts
from training.scale.launch_command import build_launch
from training.scale.slurm_script import build_script
from training.scale.stage_situation import find_shape, situation_of
from training.spec import RunSpec


class Start(NamedTuple):
    """A Pipes client, and what it runs."""

    client: Any
    command: list[str]
    environment: dict[str, str]


def start_training(
    context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient, layout: Layout, *, spec: RunSpec, home: Path
) -> None:
    """Write a spec and run it to its end.

    Raises:
        ConflictError: if its settings contradict each other or this machine; then nothing was started.
        TunewrightError: if the run fails.
    """
    work = Path(spec.work_folder)
    work.mkdir(parents=True, exist_ok=True)
    if isinstance(spec.config, StageConfig):
        situation = situation_of(resolved_stage(spec), layout, shape=find_shape(spec.parent_model))
        refuse_conflicts(situation)
        for note in find_notes(situation):
            context.log.warning(str(note))
    else:
        layout = layout.alone()  # the base model is only loaded or built
    start = prepare_start(pipes, layout, spec_path=spec.write(work / "spec.json"), home=home)
    run_child(context, start.client, command=start.command, environment=start.environment, work_folder=work)


def prepare_start(pipes: dg.PipesSubprocessClient, layout: Layout, *, spec_path: Path, home: Path) -> Start:
    """Write what the launcher reads, and return how it is called. Raises OSError."""
    launcher = layout.scale.launcher
    gpus = layout.processes if launcher.gpus is None else launcher.gpus
    if launcher.kind == "kubernetes":
        launch = build_launch(spec_path, layout, python="python")
        launch.write()
        client = KubernetesClient(launcher, home=home, gpus=gpus, work_folder=spec_path.parent)
        return Start(client, launch.command, remote_environment())
    if launcher.kind == "subprocess":
        launch = build_launch(spec_path, layout)
        launch.write()
        return Start(pipes, launch.command, child_environment())
    build_launch(spec_path, layout, rendezvous="slurm:0").write()  # the script knows better where the hosts meet
    script = spec_path.with_name("slurm.sh")
    script.write_text(build_script(spec_path, layout))
    slurm = SlurmClient(launcher, work_folder=spec_path.parent, nodes=layout.nodes, gpus=gpus)
    return Start(slurm, [str(script)], child_environment(is_watched=False))
