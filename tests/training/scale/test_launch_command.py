import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from training.launch import child_environment, remote_environment
from training.parent_watch import PARENT_VARIABLE
from training.scale.config import Layout, ParallelConfig, ScaleConfig
from training.scale.launch_command import build_launch
from training.scale.slurm_script import build_script

SPEC = Path("/shared/my work/spec.json")
TWO_HOSTS = ScaleConfig(rendezvous="gpu-1:29500", max_restarts=3)


def test_one_process_needs_no_launcher() -> None:
    launch = build_launch(SPEC, Layout())
    assert launch.command[1:] == ["-m", "training.run", str(SPEC)]
    assert launch.files == {}


def test_ddp_goes_through_torchrun() -> None:
    command = build_launch(SPEC, Layout(processes=4)).command
    assert command[1:5] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    assert command[-3:] == ["-m", "training.run", str(SPEC)]


def test_several_hosts_meet() -> None:
    command = build_launch(SPEC, Layout(processes=8, nodes=2, scale=TWO_HOSTS)).command
    assert command[command.index("--rdzv-endpoint") + 1] == "gpu-1:29500"
    assert command[command.index("--max-restarts") + 1] == "3"
    assert command[command.index("--nnodes") + 1] == "2"
    assert "--standalone" not in command


def values_of(layout: Layout) -> dict[str, Any]:
    (content,) = build_launch(SPEC, layout).files.values()
    values: dict[str, Any] = yaml.safe_load(content)
    return values


def test_fsdp_gets_its_keys() -> None:
    values = values_of(Layout(processes=4, strategy="fsdp2"))
    assert values["distributed_type"] == "FSDP"
    assert values["fsdp_config"]["fsdp_version"] == 2
    assert values["num_processes"] == 4
    assert "parallelism_config" not in values


def test_a_mesh_gets_its_sizes() -> None:
    mesh = ParallelConfig(replicate=2, context=2)
    values = values_of(Layout(processes=8, nodes=2, strategy="fsdp2", scale=ScaleConfig(rendezvous="a:1", parallel=mesh)))
    assert values["parallelism_config"] == {
        "parallelism_config_dp_replicate_size": 2,
        "parallelism_config_dp_shard_size": 4,
        "parallelism_config_cp_size": 2,
        "parallelism_config_tp_size": 1,
    }
    assert (values["num_machines"], values["num_processes"], values["rdzv_backend"]) == (2, 16, "c10d")


@pytest.mark.parametrize(("strategy", "stage"), [("deepspeed_zero2", 2), ("deepspeed_zero3", 3)])
def test_deepspeed_gets_its_stage(strategy: Any, stage: int) -> None:
    values = values_of(Layout(processes=2, strategy=strategy))
    assert values["distributed_type"] == "DEEPSPEED"
    assert values["deepspeed_config"]["zero_stage"] == stage
    assert values["deepspeed_config"].get("zero3_save_16bit_model", False) == (stage == 3)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["fsdp2", "deepspeed_zero2", "deepspeed_zero3"])
def test_accelerate_reads_what_we_write(tmp_path: Path, strategy: Any) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    mesh = ParallelConfig(replicate=2) if strategy == "fsdp2" else ParallelConfig()
    layout = Layout(processes=4, nodes=2, strategy=strategy, scale=ScaleConfig(rendezvous="gpu-1:29511", parallel=mesh))
    launch = build_launch(tmp_path / "spec.json", layout, rank="1")
    launch.write()
    arguments, _, _ = _validate_launch_command(launch_command_parser().parse_args(launch.command[3:]))
    assert (arguments.num_processes, arguments.num_machines, str(arguments.machine_rank)) == (8, 2, "1")
    assert (arguments.main_process_ip, str(arguments.main_process_port)) == ("gpu-1", "29511")
    assert arguments.use_fsdp == (strategy == "fsdp2")
    assert arguments.use_deepspeed == (strategy != "fsdp2")
    assert arguments.use_parallelism_config == (strategy == "fsdp2")
    if strategy == "fsdp2":
        assert (arguments.fsdp_version, arguments.parallelism_config_dp_shard_size) == (2, 4)
    else:
        assert arguments.zero_stage == int(strategy[-1])


FAKES = {
    "scontrol": '#!/bin/sh\n[ "$3" = "gpu-[1-2]" ] && printf "gpu-1\\ngpu-2\\n"\n',
    "srun": '#!/bin/bash\nshift\nSLURM_NODEID=1 exec "$@"\n',
    "python": '#!/bin/bash\nprintf "%s\\n" "$@"\n',
}


@pytest.mark.parametrize("strategy", ["ddp", "fsdp2"])
def test_the_batch_script_tells_each_host_where_to_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: Any) -> None:
    for name, text in FAKES.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr("training.scale.slurm_script.PYTHON", str(tmp_path / "python"))
    (tmp_path / "slurm.sh").write_text(build_script(SPEC, Layout(processes=8, nodes=2, strategy=strategy)))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_NODELIST": "gpu-[1-2]"}
    done = subprocess.run(["bash", str(tmp_path / "slurm.sh")], env=environment, capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert said[-1] == str(SPEC), "a path with a blank stays one word"
    if strategy == "ddp":
        assert "gpu-1:29500" in said
    else:
        assert said[said.index("--machine_rank") + 1] == "1"
        assert said[said.index("--main_process_ip") + 1] == "gpu-1"


def test_a_container_gets_nothing_of_this_host() -> None:
    given = {"PATH": "/bin", "OPENAI_API_KEY": "secret", "TUNEWRIGHT_DATABASE_URL": "postgresql://u:p@h/d", "HF_HOME": "/hf",
             "TUNEWRIGHT_STORE": "s3://bucket", "TUNEWRIGHT_SANDBOX": "strict"}  # fmt: skip
    passed = remote_environment(given)
    assert {"HF_HOME", "TUNEWRIGHT_STORE", "TUNEWRIGHT_SANDBOX"} <= set(passed)
    assert not {"PATH", "OPENAI_API_KEY", "TUNEWRIGHT_DATABASE_URL", PARENT_VARIABLE} & set(passed)


def test_a_run_on_another_host_is_not_watched() -> None:
    assert child_environment({}, is_watched=False)[PARENT_VARIABLE] == ""
    assert child_environment({})[PARENT_VARIABLE].isdigit()
