"""Processes that ask one endpoint share it, forget those that were killed, and work without the file."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from curation.synthesis.engine import shared_limits
from curation.synthesis.engine.rate_control import RateControl
from curation.synthesis.engine.shared_limits import SharedLimits


@pytest.fixture(autouse=True)
def _long_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_limits, "LEASE_SECONDS", 600.0)  # however slow the machine, they end only where a test says so


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
    monkeypatch.setattr("curation.synthesis.engine.shared_limits.time.time", lambda: now + 700)
    assert first.renew().num_processes == 1


def test_what_one_is_told_holds_for_all(tmp_path: Path) -> None:
    first, second = (SharedLimits(tmp_path / "limits.db", "e") for _ in range(2))
    first.renew(3000.0)
    second.renew(5.0)
    assert 2900 < second.renew().blocked_seconds <= 3000


def keep_until(shared: SharedLimits, control: RateControl, is_enough: Callable[[], bool]) -> float:
    async def run() -> float:
        task = asyncio.create_task(shared.keep(control))
        async with asyncio.timeout(60):
            while not is_enough():
                await asyncio.sleep(0.01)
        share = control.share
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return share

    return asyncio.run(run())


def test_a_control_follows_and_is_free_again(tmp_path: Path) -> None:
    SharedLimits(tmp_path / "limits.db", "e").renew(20.0)
    control = RateControl()
    assert keep_until(SharedLimits(tmp_path / "limits.db", "e"), control, lambda: control.share < 1) == 0.5
    assert control.share == 1.0
    assert isinstance(control.try_start(), float)
    assert SharedLimits(tmp_path / "limits.db", "e").renew().num_processes == 2


class CountedLimits(SharedLimits):
    """Counts how often it was tried to renew them."""

    num_tries = 0

    def renew(self, blocked_seconds: float = 0.0) -> shared_limits.Shared:
        self.num_tries += 1
        return super().renew(blocked_seconds)


def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "limits.db").write_bytes(b"no database" * 500)
    monkeypatch.setattr(shared_limits, "RENEW_SECONDS", 0.01)
    for path in (tmp_path / "limits.db", tmp_path / "limits.db" / "x"):
        shared = CountedLimits(path, "e")
        assert keep_until(shared, RateControl(), lambda shared=shared: shared.num_tries > 2) == 1.0  # type: ignore[misc]
