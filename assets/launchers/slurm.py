"""A Pipes client that trains under Slurm: a job of sbatch, with files of the shared work folder as channel.

    client = SlurmClient(layout.scale.launcher, work_folder=work, nodes=2, gpus=8)
    client.run(context=context, command=["/shared/work/slurm.sh"], env={...})

The work folder and the store must lie on a file system that this machine and the hosts share. Dagster reads the messages of the
run from a file there; when the Dagster run is cancelled, so is the job, with time to write a checkpoint. A job that Slurm
preempts is queued again and goes on from its checkpoint. One that this machine lost sight of is ended before the next is
submitted: two must not write the same checkpoints.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterPipesExecutionError
from dagster._core.pipes.client import PipesClientCompletedInvocation

from assets.launchers.messages import PatientMessageReader
from assets.launchers.slurm_job import ANSWER_SECONDS, POLL_SECONDS, SlurmJob
from curation.errors import LauncherMissingError
from curation.files import write_atomically
from training.scale.config import LauncherConfig

GRACE_SECONDS = 60.0
"""How long a job that is told to end may take to write its last checkpoint."""
LAST_LINES = 20
NEEDED = ("sbatch", "squeue", "scancel")
JOB_FILE = "slurm-job"
"""Holds the number of the job, below the work folder, while it may run."""


class SlurmClient:
    """Starts a batch script and waits for it."""

    def __init__(
        self, launcher: LauncherConfig, *, work_folder: Path, nodes: int, gpus: int, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._launcher = launcher
        self._work = work_folder
        self._nodes = nodes
        self._gpus = gpus
        self._poll_seconds = poll_seconds

    def run(
        self, *, context: dg.AssetExecutionContext, command: Sequence[str], env: Mapping[str, str]
    ) -> PipesClientCompletedInvocation:
        """Submit the script and wait for its end.

        Args:
            context: of the asset.
            command: path of the batch script, and arguments.
            env: environment of the job, on top of that of this process.

        Raises:
            LauncherMissingError: if there is no sbatch, squeue or scancel.
            DagsterPipesExecutionError: if the job fails, or one before it cannot be ended.
        """
        missing = next((name for name in NEEDED if shutil.which(name) is None), None)
        if missing is not None:
            advice = "Start Dagster on a login host of the cluster, or set launcher.kind to subprocess."
            raise LauncherMissingError(kind="slurm", what=f"the command {missing}", advice=advice)
        self._end_lost(context)
        with dg.open_pipes_session(
            context=context,
            context_injector=dg.PipesFileContextInjector(str(self._work / "pipes-context")),
            message_reader=PatientMessageReader(self._work / "pipes-messages"),
        ) as session:
            job = self._submit(context, command, {**os.environ, **env, **session.get_bootstrap_env_vars()})
            try:
                context.log.info(f"[slurm] job {job}")
                job.wait(poll_seconds=self._poll_seconds)
            except DagsterExecutionInterruptedError:
                self._stop(context, job)
                raise
            self._job_file.unlink(missing_ok=True)
            end = job.read_end()
        if end.state != "COMPLETED":
            how = f"{end.state} with code {end.code}" if end.code is not None else end.state
            raise DagsterPipesExecutionError(f"Slurm job {job.number} ended as {how}{self._tail(job.number)}")
        return PipesClientCompletedInvocation(session)

    def options(self) -> list[str]:
        """Return the options of sbatch; a minute before its time is up, the training is told to save and leave."""
        launcher = self._launcher
        whom = "B:" if self._is_one_host else ""  # else the steps: the batch script is srun then, which would kill them
        options = ["--parsable", "--export=ALL", f"--nodes={self._nodes}", "--ntasks-per-node=1", f"--signal={whom}TERM@60"]
        options += ["--requeue", "--open-mode=append", "--job-name=tunewright"]
        options += [f"--output={str(self._work).replace('%', '%%')}/slurm-%j.log"]
        options += [f"--gpus-per-node={self._gpus}"] if self._gpus else []
        named = {"partition": launcher.partition, "account": launcher.account, "time": launcher.time}
        options += [f"--{name}={value}" for name, value in named.items() if value is not None]
        return [*options, *launcher.options]

    @property
    def _is_one_host(self) -> bool:
        return self._nodes == 1

    @property
    def _job_file(self) -> Path:
        return self._work / JOB_FILE

    def _submit(self, context: dg.AssetExecutionContext, command: Sequence[str], environment: dict[str, str]) -> SlurmJob:
        is_interrupted = False
        with subprocess.Popen(
            ["sbatch", *self.options(), *command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C must not end it between the job and its number
        ) as sbatch:
            try:
                said, complained = sbatch.communicate()
            except DagsterExecutionInterruptedError:
                is_interrupted = True
                said, complained = sbatch.communicate(timeout=ANSWER_SECONDS)
        job = SlurmJob.read(said, is_one_host=self._is_one_host)
        if job is None:
            raise DagsterPipesExecutionError(f"sbatch ended with code {sbatch.returncode}: {said} {complained}".rstrip())
        write_atomically(self._job_file, f"{job}\n".encode())
        if is_interrupted:
            self._stop(context, job)
            raise DagsterExecutionInterruptedError
        return job

    def _end_lost(self, context: dg.AssetExecutionContext) -> None:
        job = SlurmJob.read_file(self._job_file, is_one_host=self._is_one_host)
        if job is not None and job.is_there():
            context.log.info(f"[slurm] job {job} of an earlier try is still there")
            if not self._stop(context, job):
                raise DagsterPipesExecutionError(
                    f"Slurm job {job} of an earlier try is still there and would write the same checkpoints; end it first"
                )

    def _stop(self, context: dg.AssetExecutionContext, job: SlurmJob) -> bool:
        context.log.info(f"[slurm] ending job {job}")
        is_gone = job.stop(GRACE_SECONDS, poll_seconds=min(self._poll_seconds, 1.0))
        if is_gone:
            self._job_file.unlink(missing_ok=True)
        else:
            context.log.warning(f"[slurm] job {job} was told to end and is still there; see squeue")
        return is_gone

    def _tail(self, number: str) -> str:
        try:
            lines = (self._work / f"slurm-{number}.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n" + "\n".join(lines[-LAST_LINES:])
