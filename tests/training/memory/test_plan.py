from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from tests.training.memory.test_estimate import FULL, LLAMA_8B, LLAMA_70B, QLORA, run_shape
from training.memory import ModelShape, RunShape
from training.memory.estimate import GIB
from training.memory.plan import Plan, make_plan
from training.memory.speed import seconds_per_step

MEASURED = [  # tokens a second on one H100
    (LLAMA_8B, 8192, {"is_head_fused": False}, 11_165),
    (LLAMA_8B, 8192, {"is_liger": True}, 14_421),
    (LLAMA_8B, 16384, {"is_liger": True, "is_checkpointed": True}, 10_252),
    (LLAMA_8B, 8192, QLORA, 9_375),
    (LLAMA_70B, 2048, QLORA, 1_048),
    (LLAMA_70B, 4096, QLORA, 1_176),
    (LLAMA_70B, 8192, QLORA, 1_237),
    (LLAMA_8B, 8192, FULL, 7_262),
    (LLAMA_8B, 16384, FULL, 8_886),
]


def plan(shape: ModelShape, gib: float, tokens: int = 65_536, *, may_offload: bool = False, **changes: Any) -> Plan:
    wish = run_shape(4096, **{"is_liger": True, **changes})
    return make_plan(shape, wish, memory=round(gib * GIB), tokens_per_step=tokens, may_offload=may_offload)


@pytest.mark.parametrize(("shape", "tokens", "settings", "measured"), MEASURED)
def test_speeds_stand_in_the_measured_proportion(
    shape: ModelShape, tokens: int, settings: dict[str, Any], measured: int
) -> None:
    seconds = seconds_per_step(shape, run_shape(tokens, **{"longest_row": 800, **settings}))
    assert tokens / seconds == pytest.approx(measured, rel=0.16)


def test_a_large_card_needs_no_checkpointing() -> None:
    chosen = plan(LLAMA_8B, 80).chosen
    assert chosen is not None
    assert not chosen.settings.is_checkpointed
    assert chosen.settings.tokens_per_micro_batch == 8192


def test_a_small_card_needs_it() -> None:
    result = plan(LLAMA_8B, 24)
    assert result.chosen is not None
    assert result.chosen.settings.is_checkpointed
    assert result.reason.startswith("lora, checkpointing 24 of 32 layers, 4,096 tokens x 16 is the fastest that fits: 22.1 GiB")
    assert "lora, no checkpointing, 4,096 tokens x 16: 27% faster, 35.6 GiB, but does not fit" in result.reason
    assert "lora, checkpointing, 8,192 tokens x 8: 7% slower, 19.9 GiB" in result.reason


def test_what_is_chosen_keeps_the_effective_batch() -> None:
    for gib in (20, 24, 48, 80, 141):
        chosen = plan(LLAMA_8B, gib).chosen
        assert chosen is not None
        assert chosen.settings.tokens_per_micro_batch * chosen.settings.accumulation == 65_536


def test_a_result_is_never_changed_unasked() -> None:
    assert plan(LLAMA_8B, 12).chosen is None
    free = make_plan(
        LLAMA_8B, run_shape(4096, is_liger=True), memory=12 * GIB, tokens_per_step=32_768, tunings=("lora", "qlora")
    )
    assert free.chosen is not None
    assert free.chosen.settings.tuning == "qlora"


def test_when_nothing_fits_the_remedies_do() -> None:
    result = plan(LLAMA_8B, 24, tuning="full")
    assert result.chosen is None
    assert "needs" in result.reason
    assert any(remedy.startswith("tuning: lora needs 18.") for remedy in result.remedies)
    assert any("optimizer: adamw_8bit " in remedy for remedy in plan(LLAMA_8B, 48, tuning="full").remedies)
    small = plan(LLAMA_8B, 24, tuning="full").remedies
    assert not any("optimizer: adamw_8bit " in remedy for remedy in small)
    assert any("optimizer: adamw_8bit_offloaded " in remedy for remedy in small)
    assert result.remedies[-1].startswith("a device of ")


def test_the_device_that_is_proposed_is_large_enough() -> None:
    refused = plan(LLAMA_70B, 24)
    gib = int(refused.remedies[-1].split()[3])
    assert plan(LLAMA_70B, gib).chosen is not None
    assert plan(LLAMA_70B, gib * 0.97).chosen is None


@settings(max_examples=40)
@given(st.integers(1, 300), st.sampled_from(["full", "lora", "qlora"]), st.booleans(), st.integers(12, 18))
def test_what_is_chosen_fits_and_nothing_that_fits_is_faster(gib: int, tuning: str, may_offload: bool, power: int) -> None:
    result = plan(LLAMA_8B, gib, 1 << power, tuning=tuning, may_offload=may_offload)
    if result.chosen is None:
        assert result.runners_up[0].memory.device > result.budget
        return
    assert result.chosen.memory.device <= result.budget
    for other in result.runners_up:
        assert other.memory.device > result.budget or other.seconds >= result.chosen.seconds - 1e-3


@settings(max_examples=40)
@given(st.integers(8, 200), st.integers(1, 100))
def test_a_larger_card_is_never_slower(gib: int, more: int) -> None:
    small, large = plan(LLAMA_8B, gib).chosen, plan(LLAMA_8B, gib + more).chosen
    if small is not None:
        assert large is not None
        assert large.seconds <= small.seconds + 1e-3


@pytest.mark.parametrize(
    ("changes", "path"),
    [({"memory": 0}, "gpu_memory"), ({"margin": 1.0}, "margin"), ({"tokens_per_step": 100}, "tokens_per_step")],
)
def test_bad_limits_are_refused(changes: dict[str, Any], path: str) -> None:
    wish = RunShape(tokens_per_micro_batch=4096, longest_row=4096)
    with pytest.raises(ConfigError, match=path):
        make_plan(LLAMA_8B, wish, **{"memory": GIB, "tokens_per_step": 8192, **changes})
