"""Processes that ask one endpoint share it, forget those that were killed, and work without the file."""

import asyncio
from pathlib import Path

import pytest

from curation.synthesis.engine import shared_limits
from curation.synthesis.engine.rate_control import RateControl
from curation.synthesis.engine.shared_limits import SharedLimits


def test_those_that_are_there_share(tmp_path: Path) -> None:
    first, second = (SharedLimits(tmp_path / "limits.db", "e") for _ in range(2))
    other = SharedLimits(tmp_path / "limits.db", "f")
    assert [one.renew().num_processes for one in (first, second, first, other)] == [1, 2, 2, 1]
    second.leave()
    assert first.renew().num_processes == 1


def test_one_that_was_killed_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (SharedLimits(tmp_path / "limits.db", "e") for _ in range(2))
    second.renew()
    assert first.renew().num_processes == 2
    now = shared_limits.time.time()
    monkeypatch.setattr("curation.synthesis.engine.shared_limits.time.time", lambda: now + 4)
    assert first.renew().num_processes == 1


def test_what_one_is_told_holds_for_all(tmp_path: Path) -> None:
    first, second = (SharedLimits(tmp_path / "limits.db", "e") for _ in range(2))
    first.renew(30.0)
    second.renew(5.0)
    assert 29 < second.renew().blocked_seconds <= 30


def keep_for(shared: SharedLimits, control: RateControl, seconds: float) -> float:
    async def run() -> float:
        task = asyncio.create_task(shared.keep(control))
        await asyncio.sleep(seconds)
        share = control.share
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return share

    return asyncio.run(run())


def test_a_control_follows_and_is_free_again(tmp_path: Path) -> None:
    SharedLimits(tmp_path / "limits.db", "e").renew(20.0)
    control = RateControl()
    assert keep_for(SharedLimits(tmp_path / "limits.db", "e"), control, 0.3) == 0.5
    assert control.share == 1.0
    assert isinstance(control.try_start(), float)
    assert SharedLimits(tmp_path / "limits.db", "e").renew().num_processes == 2


def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "limits.db").write_bytes(b"no database" * 500)
    assert keep_for(SharedLimits(tmp_path / "limits.db", "e"), RateControl(), 0.1) == 1.0
    assert keep_for(SharedLimits(tmp_path / "limits.db" / "x", "e"), RateControl(), 0.1) == 1.0
