"""What `make dev` leaves behind when people are impatient: nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines import dev

DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)"


@pytest.fixture
def deaf_service() -> Iterator[subprocess.Popen[bytes]]:
    """A service that does not heed Ctrl-C."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"deaf\n"
    yield process
    for number, handler in handlers.items():
        signal.signal(number, handler)
    process.kill()
    process.wait()
    process.stdout.close()


class Watched:
    """A process; whenever it is waited for, somebody presses Ctrl-C."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.pid = process.pid
        self._process = process

    def wait(self, timeout: float | None = None) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return self._process.wait(timeout)


def test_a_second_ctrl_c_leaves_no_service_behind(
    deaf_service: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "STOP_SECONDS", 0.4)
    watched: Any = Watched(deaf_service)
    dev._stop([(dev._Service(name="deaf", port=0, command=[]), watched)])
    assert deaf_service.returncode == -signal.SIGKILL
