"""A batch job of Slurm: is it still there, how did it end, and how it is ended with time to write a checkpoint.

job = SlurmJob.read("77;cluster", is_one_host=True)
while job.is_there(): ...           # squeue
job.read_end()                      # End(state="FAILED", code=3), from scontrol or sacct
job.stop(seconds=60)                # scancel: out of the queue, else SIGTERM, else an end
"""

import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple, Self

NUMBER = re.compile(r"(?P<number>\d+)(;(?P<cluster>[\w.-]+))?")
POLL_SECONDS = 5.0
"""Between two questions to squeue, which the controller answers for everybody."""
ANSWER_SECONDS = 60.0
GONE = "Invalid job id"
"""What squeue says of a job that ended a while ago."""
STATE = re.compile(r"^[A-Z_]+$", re.MULTILINE)
"""A line of squeue's that is about a job: some versions name the cluster above it, header or not."""
FIELDS = re.compile(r"\b(JobState|ExitCode)=(\S+)")


class End(NamedTuple):
    """How a job ended."""

    state: str
    """As Slurm names it: COMPLETED, FAILED, TIMEOUT, CANCELLED, NODE_FAIL, ...; UNKNOWN where nothing could be learnt."""
    code: int | None
    """Exit code of the batch script."""


class SlurmJob(NamedTuple):
    """A submitted job."""

    number: str
    cluster: str | None = None
    is_one_host: bool = True
    """Whether the batch script has become the training; with several hosts it is srun, which kills them at a SIGTERM."""

    @classmethod
    def read(cls, said: str, *, is_one_host: bool) -> Self | None:
        """Return the job that `sbatch --parsable` names, wherever a site's own words stand around it; None if it names none."""
        found = next((match for line in said.splitlines() if (match := NUMBER.fullmatch(line.strip()))), None)
        return cls(found["number"], found["cluster"], is_one_host) if found else None

    @classmethod
    def read_file(cls, path: Path, *, is_one_host: bool) -> Self | None:
        """Return the job whose number an earlier process left in a file."""
        return cls.read(path.read_text(), is_one_host=is_one_host) if path.exists() else None

    def __str__(self) -> str:
        return f"{self.number};{self.cluster}" if self.cluster else self.number

    def is_there(self) -> bool:
        """Tell whether the job waits or runs; a controller that does not answer has not ended it."""
        done = self._ask("squeue", "--noheader", "--format=%T", f"--jobs={self.number}")
        return GONE not in done.stderr if done.returncode else STATE.search(done.stdout) is not None

    def wait(self, seconds: float = float("inf"), *, poll_seconds: float = POLL_SECONDS) -> bool:
        """Return whether the job ended within so many seconds."""
        until = time.monotonic() + seconds
        while self.is_there():
            if time.monotonic() >= until:
                return False
            time.sleep(poll_seconds)
        return True

    def read_end(self) -> End:
        """Return how the job ended: the controller knows for some minutes, the accounting for ever, where there is one."""
        done = self._ask("scontrol", "show", "job", "--oneliner", self.number)
        found = dict(FIELDS.findall(done.stdout))
        state, code = found.get("JobState"), found.get("ExitCode")
        if state is None:
            done = self._ask(
                "sacct", "--noheader", "--parsable2", "--allocations", "--format=State,ExitCode", f"--jobs={self.number}"
            )
            state, _, code = done.stdout.strip().partition("\n")[0].partition("|")
        first = (code or "").partition(":")[0]
        return End((state or "UNKNOWN").split()[0], int(first) if first.isdigit() else None)

    def stop(self, seconds: float, *, poll_seconds: float = POLL_SECONDS) -> bool:
        """End the job: at once while it waits, else after the seconds that it may take to save. Returns whether it is gone.

        A signal does not take a waiting job out of the queue; without one it would run after all, for nobody.
        """
        try:
            self._ask("scancel", "--state=PENDING", self.number)
            self._ask("scancel", "--signal=TERM", *(["--batch"] if self.is_one_host else []), self.number)
            if self.wait(seconds, poll_seconds=poll_seconds):
                return True
        finally:
            self._ask("scancel", self.number)
        return self.wait(seconds, poll_seconds=poll_seconds)

    def _ask(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        where = [f"--clusters={self.cluster}"] if self.cluster else []
        command = [program, *where, *arguments]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS, start_new_session=True
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(command, 1, "", str(error))
