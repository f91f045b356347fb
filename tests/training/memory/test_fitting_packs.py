"""A packed run that meets the end of its memory, simulated on the CPU."""

import pytest

from tests.training.conftest import Bench
from tests.training.memory.test_fitting import SHAPE, curve, limit_rows
from training.config import StageConfig
from training.methods.job import Job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif("packs" not in Job.__dataclass_fields__, reason="jobs are not packed yet"),
]


def test_packs_are_made_smaller_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = {**SHAPE, "batch_size": None, "packing": True, "tokens_per_batch": 256}
    config = StageConfig(**packed)
    whole = curve(bench.run(bench.spec(config, name="whole-packs")))
    tried = limit_rows(monkeypatch, 2, from_step=3, tokens=160)
    found = curve(bench.run(bench.spec(config, name="packs-short-of-memory")))
    assert [batching.accumulation for batching in tried] == [1, 2]
    assert [point["step"] for point in found] == [point["step"] for point in whole]
    assert [point["tokens"] for point in found] == [point["tokens"] for point in whole], "a step holds the same rows"
    for one, other in zip(whole, found, strict=True):
        assert other["loss"] == pytest.approx(one["loss"], abs=1e-3)
