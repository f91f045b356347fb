"""Slurm without a cluster: sbatch, squeue, scontrol and scancel on PATH that keep one job in a folder."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterPipesExecutionError

from assets.launchers import slurm, slurm_job
from assets.launchers.slurm import JOB_FILE, SlurmClient
from assets.launchers.slurm_job import End, SlurmJob
from curation.errors import ConfigError, LauncherMissingError
from training.scale.config import LauncherConfig

TOOLS = {
    "sbatch": """printf '%s\\n' "$@" > arguments
echo "sbatch: a word of this site"
echo "77;cluster"
rm -f code
for argument in "$@"; do script="$argument"; done
echo submitted >> story
[ -e pending ] && exit 0
begun='trap : TERM; bash "$1" > slurm-77.log 2>&1; echo $? > code.part; mv code.part code'
setsid bash -c "$begun" job "$script" > /dev/null 2>&1 &
echo $! > pid
""",
    "squeue": """case " $* " in *" --clusters=cluster "*) ;; *) echo "no cluster was named" >&2; exit 1;; esac
[ -e unreachable ] && rm unreachable && echo "slurm_load_jobs error: Unable to contact slurm controller" >&2 && exit 1
[ -e pending ] && echo PENDING && touch queued && exit 0
[ -e pid ] && [ ! -e code ] && echo RUNNING && exit 0
echo "slurm_load_jobs error: Invalid job id specified" >&2
exit 1
""",
    "scontrol": """state=COMPLETED
[ "$(cat code)" = 0 ] || state=FAILED
echo "JobId=77 JobName=tunewright JobState=$state Reason=None Requeue=1 ExitCode=$(cat code):0"
""",
    "scancel": """echo "scancel $*" >> story
case " $* " in
  *" --state=PENDING "*) if [ -e pending ]; then rm pending; echo 0 > code; fi;;
  *" --signal=TERM "*) [ -e pid ] && [ ! -e code ] && kill -TERM -- "-$(cat pid)";;
  *) [ -e pid ] && [ ! -e code ] && kill -KILL -- "-$(cat pid)" && echo 137 > code;;
esac
""",
}
CHILD = """#!/bin/bash
exec {python} -c '
import dagster_pipes, os, sys
with dagster_pipes.open_dagster_pipes() as pipes:
    pipes.log.info("on a host of the cluster")
    pipes.report_asset_materialization(metadata={{"setting": os.environ["SETTING"]}})
print("last words", file=sys.stderr)
sys.exit({status})'
"""
SAVES = "#!/bin/bash\ntrap 'echo saved > saved; exit 143' TERM\ntouch begun\nwhile :; do sleep 0.05; done\n"
DEAF = "#!/bin/bash\ntrap '' TERM\ntouch begun\nwhile :; do sleep 0.05; done\n"


dagster_noise = pytest.mark.filterwarnings("ignore:AssetExecutionContext.:DeprecationWarning", "ignore::dagster.PreviewWarning")
"""Dagster warns of its own calls."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    for name, text in TOOLS.items():
        tool = tmp_path / "bin" / name
        tool.write_text(f'#!/bin/bash\ncd "$FAKE_FOLDER"\n{text}')
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    return tmp_path


def client_of(folder: Path, *, nodes: int = 1, **settings: Any) -> SlurmClient:
    launcher = LauncherConfig(kind="slurm", **settings)
    return SlurmClient(launcher, work_folder=folder, nodes=nodes, gpus=8, poll_seconds=0.05)


def run(folder: Path, text: str, **settings: Any) -> dg.ExecuteInProcessResult:
    script = folder / "slurm.sh"
    script.write_text(text)
    client = client_of(folder, **settings)

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:  # type: ignore[type-arg]
        done = client.run(context=context, command=[str(script)], env={"SETTING": "from here"})
        return done.get_materialize_result()  # type: ignore[no-any-return]

    return dg.materialize([model], raise_on_error=True)


def run_child(folder: Path, status: int, **settings: Any) -> dg.ExecuteInProcessResult:
    return run(folder, CHILD.format(python=sys.executable, status=status), **settings)


def story(folder: Path) -> list[str]:
    return (folder / "story").read_text().splitlines()


def interrupt_once(there: Path) -> threading.Thread:
    """Do what Dagster does when a run is cancelled, once a file is there."""

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not there.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


@pytest.mark.slow
@dagster_noise
def test_a_job_reports_through_files_once(folder: Path) -> None:
    (folder / "unreachable").touch()
    result = run_child(folder, 0, nodes=2, partition="gpu", time="08:00:00", options=("--constraint=h100",))
    (made,) = result.asset_materializations_for_node("model")
    assert made.metadata["setting"].value == "from here"
    arguments = (folder / "arguments").read_text().splitlines()
    assert {"--parsable", "--nodes=2", "--ntasks-per-node=1", "--gpus-per-node=8"} <= set(arguments)
    assert {"--partition=gpu", "--time=08:00:00", "--constraint=h100", "--requeue", "--open-mode=append"} <= set(arguments)
    assert arguments[-1] == str(folder / "slurm.sh")
    assert not (folder / JOB_FILE).exists()


def test_the_warning_goes_to_who_can_save(folder: Path) -> None:
    assert "--signal=B:TERM@60" in client_of(folder).options(), "the batch script has become the training"
    assert "--signal=TERM@60" in client_of(folder, nodes=2).options(), "the batch script has become srun"
    odd = SlurmClient(LauncherConfig(kind="slurm"), work_folder=Path("/a%j/b"), nodes=1, gpus=0)
    assert "--output=/a%%j/b/slurm-%j.log" in odd.options()


@pytest.mark.slow
@dagster_noise
def test_a_job_that_fails_says_its_last_words(folder: Path) -> None:
    with pytest.raises(DagsterPipesExecutionError, match=r"(?s)Slurm job 77 ended as FAILED with code 3.*last words"):
        run_child(folder, 3)


@pytest.mark.slow
@dagster_noise
def test_a_cancelled_run_ends_its_job_which_saves(folder: Path) -> None:
    thread = interrupt_once(folder / "begun")
    with pytest.raises(DagsterExecutionInterruptedError):
        run(folder, SAVES.replace("begun", str(folder / "begun")).replace("> saved", f"> {folder / 'saved'}"))
    thread.join()
    assert (folder / "saved").exists()
    assert (folder / "code").read_text().strip() == "143"
    assert "scancel --clusters=cluster --signal=TERM --batch 77" in story(folder)


@pytest.mark.slow
@dagster_noise
def test_a_job_that_does_not_listen_is_ended_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "GRACE_SECONDS", 0.3)
    thread = interrupt_once(folder / "begun")
    with pytest.raises(DagsterExecutionInterruptedError):
        run(folder, DEAF.replace("begun", str(folder / "begun")), nodes=2)
    thread.join()
    assert story(folder)[-2:] == ["scancel --clusters=cluster --signal=TERM 77", "scancel --clusters=cluster 77"]
    assert (folder / "code").read_text().strip() == "137"


@pytest.mark.slow
@dagster_noise
def test_a_cancelled_run_leaves_no_job_in_the_queue(folder: Path) -> None:
    (folder / "pending").touch()
    thread = interrupt_once(folder / "queued")
    with pytest.raises(DagsterExecutionInterruptedError):
        run_child(folder, 0)
    thread.join()
    assert not (folder / "pending").exists()
    assert not (folder / JOB_FILE).exists()


@pytest.mark.slow
@dagster_noise
def test_a_job_that_was_lost_sight_of_is_ended_before_the_next(folder: Path) -> None:
    (folder / "pending").touch()
    (folder / JOB_FILE).write_text("77;cluster\n")
    assert run_child(folder, 0).success
    told = story(folder)
    assert told[0] == "scancel --clusters=cluster --state=PENDING 77"
    assert told.count("submitted") == 1
    assert told[-1] == "submitted"


@pytest.mark.slow
@dagster_noise
def test_beside_a_lost_job_that_cannot_be_ended_none_is_started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "GRACE_SECONDS", 0.1)
    (folder / "bin" / "scancel").write_text("#!/bin/bash\nexit 1\n")
    (folder / "pending").touch()
    (folder / JOB_FILE).write_text("77;cluster\n")
    with pytest.raises(DagsterPipesExecutionError, match="77;cluster of an earlier try is still there"):
        run_child(folder, 0)
    assert not (folder / "story").exists()


@pytest.mark.slow
@dagster_noise
@pytest.mark.parametrize("name", ["sbatch", "squeue", "scancel"])
def test_without_a_command_it_is_told(folder: Path, name: str) -> None:
    (folder / "bin" / name).unlink()
    with pytest.raises(LauncherMissingError, match=f"launcher 'slurm' of the recipe needs the command {name}"):
        run_child(folder, 0)


@pytest.mark.slow
@dagster_noise
def test_what_sbatch_refuses_is_told(folder: Path) -> None:
    (folder / "bin" / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    with pytest.raises(DagsterPipesExecutionError, match="sbatch ended with code 1: .*invalid partition"):
        run_child(folder, 0)


def test_who_asks_the_accounting_learns_more(folder: Path) -> None:
    job = SlurmJob("77")
    assert SlurmJob.read("hello\n", is_one_host=True) is None
    (folder / "bin" / "scontrol").write_text("#!/bin/bash\nexit 1\n")
    assert job.read_end() == End("UNKNOWN", None)
    (folder / "bin" / "sacct").write_text("#!/bin/bash\necho 'CANCELLED by 1000|0:15'\n")
    (folder / "bin" / "sacct").chmod(0o755)
    assert job.read_end() == End("CANCELLED", 0)


@pytest.mark.parametrize(("line", "is_there"), [("", False), ("RUNNING", True), ("COMPLETING", True)])
def test_the_name_of_a_cluster_is_no_job(folder: Path, line: str, is_there: bool) -> None:
    (folder / "bin" / "squeue").write_text(f"#!/bin/bash\necho 'CLUSTER: one'\necho '{line}'\n")
    assert SlurmJob("77", "one").is_there() == is_there


def test_a_controller_that_does_not_answer_has_not_ended_a_job(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bin" / "squeue").write_text("#!/bin/bash\nexec sleep 60\n")
    monkeypatch.setattr(slurm_job, "ANSWER_SECONDS", 0.05)
    assert SlurmJob("77").is_there()


@pytest.mark.parametrize(
    "settings",
    [
        {"options": ("--wrap=rm -rf /",)},
        {"options": ("--wait",)},
        {"options": ("-N 4",)},
        {"options": ("--comment=a\nb",)},
        {"partition": "gpu; rm -rf /"},
        {"partition": "-p"},
        {"time": "8 hours"},
        {"gpus": -1},
    ],
)
def test_settings_that_could_do_something_else_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        LauncherConfig(kind="slurm", **settings)
