"""A few of the kills that `python -m benchmarks.promotion_kills` does a hundred of."""

from pathlib import Path

import pytest

from benchmarks.promotion_child import live_model
from benchmarks.promotion_kills import kill_often

pytestmark = pytest.mark.slow


def test_a_killed_promotion_or_rollback_leaves_the_old_champion_or_the_new_one(tmp_path: Path) -> None:
    kills = kill_often(tmp_path, 5, seed=1)
    assert kills.torn == []
    assert kills.states["old"] + kills.states["new"] == kills.num_kills == 5
    link = tmp_path / "champions" / "demo"
    assert live_model(tmp_path) == link.resolve().name
    (link.resolve() / "model-0.safetensors").write_text("half")
    assert live_model(tmp_path) is None  # what the reader would have noticed
