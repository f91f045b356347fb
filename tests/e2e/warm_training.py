"""A Pipes client whose training processes need not load the libraries: each is forked from one that has.

    with WarmPipes() as pipes:
        dg.materialize(assets, resources={"home": home, "pipes": pipes})

It runs `training.run.main` with the arguments, environment and messages that it would have otherwise; only Python's start
and the imports, most of the time of a tiny training, are spared. Tests of the start itself use the real client.
"""

import json
import os
import signal
import subprocess
import sys
from typing import Any, Self

import dagster as dg
from dagster._core.errors import DagsterPipesExecutionError
from dagster._core.pipes.client import PipesClientCompletedInvocation

from assets.launchers.messages import PatientMessageReader
from training.launch import child_environment

SERVER = """
import json, os, sys, traceback
import peft, torch, transformers, trl  # loaded once, no thread started
from trl import DPOTrainer, GRPOTrainer, KTOTrainer, RewardTrainer, RLOOTrainer, SFTTrainer
import training.run
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    process = os.fork()
    if not process:
        status = 1
        try:
            os.dup2(2, 1)
            os.environ.clear()
            os.environ.update(asked["environment"])
            status = training.run.main(asked["arguments"])
        except SystemExit as error:
            status = int(error.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class WarmPipes:
    """Starts training processes by forking."""

    def __enter__(self) -> Self:
        environment = child_environment({**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""})
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._read() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.send_signal(signal.SIGKILL)
        self._server.wait()

    def run(self, *, context: Any, command: list[str], env: dict[str, str]) -> PipesClientCompletedInvocation:
        """Run `python -m training.run SPEC` to its end. Raises DagsterPipesExecutionError."""
        assert command[1:3] == ["-m", "training.run"]
        reader, injector = PatientMessageReader(), dg.PipesTempFileContextInjector()
        with dg.open_pipes_session(context=context, context_injector=injector, message_reader=reader) as session:
            environment = {**env, **session.get_bootstrap_env_vars(), "OMP_NUM_THREADS": "1"}
            assert self._server.stdin is not None
            self._server.stdin.write(json.dumps({"arguments": command[3:], "environment": environment}) + "\n")
            self._server.stdin.flush()
            status = int(self._read())
            if status:
                raise DagsterPipesExecutionError(f"External execution process failed with code {status}")
        return PipesClientCompletedInvocation(session)

    def _read(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()
