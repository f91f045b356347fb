import pytest

from curation.errors import ConfigError
from training.scale.cpu_sharding import DEEPSPEED, FSDP, ON_CPU, is_sharded_on_cpu, sharding_arguments


@pytest.fixture(autouse=True)
def one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (FSDP, DEEPSPEED, ON_CPU):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_only_several_processes_without_devices_that_were_told_to_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_sharded_on_cpu()
    assert sharding_arguments(is_bf16=False) == {}
    monkeypatch.setenv(FSDP, "true")
    assert not is_sharded_on_cpu(), "GPUs are accelerate's own business"
    monkeypatch.setenv(ON_CPU, "true")
    assert is_sharded_on_cpu()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not is_sharded_on_cpu()


def test_deepspeed_does_not_become_ddp_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEEPSPEED, "true")
    assert sharding_arguments(is_bf16=False) == {}
    monkeypatch.setenv(ON_CPU, "true")
    with pytest.raises(ConfigError, match="needs CUDA devices"):
        sharding_arguments(is_bf16=False)
