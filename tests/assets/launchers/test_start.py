from pathlib import Path
from typing import Any

import pytest

from assets.launchers import start
from assets.launchers.kubernetes import KubernetesClient
from assets.launchers.slurm import SlurmClient
from assets.launchers.start import prepare_start, start_training
from curation.errors import ConflictError
from training.config import BaseModelConfig, StageConfig
from training.config.presets import ModelSize, resolve_stage
from training.parent_watch import PARENT_VARIABLE
from training.scale.config import LauncherConfig, Layout, ScaleConfig
from training.spec import RunSpec

PIPES: Any = object()
CONTEXT: Any = object()


def launched(kind: Any, **changes: Any) -> Layout:
    settings = {"image": "i", "volume_claim": "v"} if kind == "kubernetes" else {}
    return Layout(**changes, scale=ScaleConfig(launcher=LauncherConfig(kind=kind, **settings)))


def test_this_machine_starts_the_process_itself(tmp_path: Path) -> None:
    begun = prepare_start(PIPES, Layout(processes=2), spec_path=tmp_path / "spec.json", home=tmp_path)
    assert begun.client is PIPES
    assert "torch.distributed.run" in begun.command
    assert begun.environment[PARENT_VARIABLE].isdigit()


def test_slurm_gets_a_script_and_no_parent_to_watch(tmp_path: Path) -> None:
    layout = launched("slurm", processes=8, nodes=2, strategy="fsdp2")
    begun = prepare_start(PIPES, layout, spec_path=tmp_path / "spec.json", home=tmp_path)
    assert isinstance(begun.client, SlurmClient)
    assert begun.command == [str(tmp_path / "slurm.sh")]
    assert "srun" in (tmp_path / "slurm.sh").read_text()
    assert (tmp_path / "accelerate.yaml").exists()
    assert "--gpus-per-node=8" in begun.client.options()
    assert begun.environment[PARENT_VARIABLE] == ""


def test_a_pod_gets_its_own_interpreter(tmp_path: Path) -> None:
    begun = prepare_start(PIPES, launched("kubernetes", processes=4), spec_path=tmp_path / "spec.json", home=tmp_path)
    assert isinstance(begun.client, KubernetesClient)
    assert begun.command[0] == "python"
    assert "PATH" not in begun.environment


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    size = ModelSize(num_parameters=1_000_000, context_length=1024)
    monkeypatch.setattr(start, "run_child", lambda context, client, *, command, **_: commands.append(command))
    monkeypatch.setattr(start, "resolved_stage", lambda spec: resolve_stage(spec.config, size).stage)
    return commands


def test_conflicts_are_refused_before_anything_is_started(tmp_path: Path, started: list[list[str]]) -> None:
    spec = RunSpec(config=StageConfig(method="sft"), store_url="", work_folder=str(tmp_path / "work"))
    with pytest.raises(ConflictError, match=r"training\.scale\.rendezvous: is missing"):
        start_training(CONTEXT, PIPES, Layout(nodes=2), spec=spec, home=tmp_path)
    assert started == []
    assert not (tmp_path / "work" / "spec.json").exists()
    start_training(CONTEXT, PIPES, Layout(), spec=spec, home=tmp_path)
    assert len(started) == 1
    assert (tmp_path / "work" / "spec.json").exists()


def test_the_base_model_is_built_by_one_process(tmp_path: Path, started: list[list[str]]) -> None:
    spec = RunSpec(config=BaseModelConfig(), store_url="", work_folder=str(tmp_path / "work"))
    start_training(CONTEXT, PIPES, Layout(processes=4), spec=spec, home=tmp_path)
    assert started[0][1:3] == ["-m", "training.run"]
