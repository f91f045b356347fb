"""Messages of a child: all of them, whole, in order, and seldom asked for."""

import sys
import threading
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.launchers.messages import PatientMessageReader, follow_lines

CHILD = """
import time
from dagster_pipes import open_dagster_pipes
with open_dagster_pipes() as pipes:
    pipes.log.info("first")
    {between}
    pipes.report_asset_materialization(metadata={{"loss": 1.5}}, data_version="v1")
"""


def run_child(between: str, reader: PatientMessageReader) -> tuple[dg.ExecuteInProcessResult, list[str]]:
    client = dg.PipesSubprocessClient(message_reader=reader)

    @dg.asset
    def told(context: dg.AssetExecutionContext) -> Any:
        command = [sys.executable, "-c", CHILD.format(between=between)]
        return client.run(context=context, command=command).get_materialize_result()

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([told], instance=instance, raise_on_error=False)
        logs = [entry.user_message for entry in instance.all_logs(result.run_id)]
    return result, logs


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["temporary", "given"])
def test_what_a_child_says_arrives(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "messages" if kind == "given" else None
    result, logs = run_child("", PatientMessageReader(path))
    assert result.success
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["loss"].value == 1.5
    assert "first" in logs
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore")
def test_a_line_that_is_no_message_does_not_hide_the_next(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    junk = f"open({str(path)!r}, 'a').write('junk' + chr(10) + '[1]' + chr(10))"
    result, logs = run_child(junk, PatientMessageReader(path))
    assert result.success
    assert result.get_asset_materialization_events()[0].materialization.metadata["loss"].value == 1.5
    assert sum("PatientMessageReader" in line for line in logs) == 2, logs


def test_a_torn_line_waits_for_its_end_and_the_last_is_read(tmp_path: Path) -> None:
    path, ended, found = tmp_path / "file", threading.Event(), list[bytes]()
    path.write_bytes(b"a\nb")
    reader = threading.Thread(target=lambda: found.extend(follow_lines(path, ended, poll_seconds=0.01)))
    reader.start()
    time.sleep(0.05)
    with path.open("ab") as file:
        file.write(b"c\n\nlast\ntorn")
    ended.set()
    reader.join(timeout=60)
    assert found == [b"a", b"bc", b"last"]


class CountedRests(threading.Event):
    """Set after some rests, which take no time."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.seconds = number, list[float | None]()

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return len(self.seconds) == self.number


def test_it_looks_twice_a_second(tmp_path: Path) -> None:
    path, ended = tmp_path / "file", CountedRests(7)
    path.touch()
    assert list(follow_lines(path, ended)) == []
    assert ended.seconds == [0.5] * 7
