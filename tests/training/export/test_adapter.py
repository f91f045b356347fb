import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.errors import ExportError, ExportRefusedError
from tests.training.export.conftest import Trained, make_adapter
from training.export.adapter import RANKS, check_adapter, scale_of, why_unserved, write_adapter


def updates(folder: Path) -> dict[str, Any]:
    """Return scale * B A of every layer, in float64."""
    from safetensors.torch import load_file

    config, tensors = json.loads((folder / "adapter_config.json").read_text()), load_file(folder / "adapter_model.safetensors")
    return {
        key: scale_of(config) * (tensors[key.replace("lora_A", "lora_B")].double() @ matrix.double())
        for key, matrix in tensors.items()
        if "lora_A" in key
    }


def change(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def change_tensors(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "adapter_model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "adapter_model.safetensors")


@given(rank=st.integers(1, 512), rslora=st.booleans(), alpha=st.floats(0.1, 512))
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_padded_adapter_is_the_same_update(
    built: Trained, tmp_path_factory: pytest.TempPathFactory, rank: int, rslora: bool, alpha: float
) -> None:
    folder = tmp_path_factory.mktemp("adapter")
    source = make_adapter(folder / "in", built.parent, rank=rank, use_rslora=rslora, lora_alpha=alpha)
    written = write_adapter(source, folder / "out", name="demo", base="demo/base")
    config = json.loads((written / "adapter_config.json").read_text())
    assert config["r"] in RANKS
    assert config["r"] >= rank
    assert config["use_rslora"] is False
    assert config["lora_alpha"] / config["r"] == scale_of({"r": rank, "lora_alpha": alpha, "use_rslora": rslora})
    before, after = updates(source), updates(written)
    assert all(after[key].allclose(before[key], rtol=1e-12, atol=1e-15) for key in before), "but for the order of a sum"
    check_adapter(written, source, name="demo")


@pytest.mark.parametrize(("rank", "served"), [(1, 8), (8, 8), (17, 32), (64, 64), (300, 320), (512, 512)])
def test_ranks_go_up_to_the_next_that_vllm_takes(built: Trained, tmp_path: Path, rank: int, served: int) -> None:
    source = make_adapter(tmp_path / "in", built.parent, rank=rank, lora_alpha=2 * rank)
    written = write_adapter(source, tmp_path / "out", name="demo", base="demo/base", revision="abc")
    config = json.loads((written / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (served, 2 * served)
    assert isinstance(config["lora_alpha"], int)
    assert (config["base_model_name_or_path"], config["revision"]) == ("demo/base", "abc")


def test_lists_in_any_order_give_the_same_bytes(built: Trained, tmp_path: Path) -> None:
    one = make_adapter(tmp_path / "one", built.parent, target_modules=["v_proj", "q_proj", "down_proj"])
    two = make_adapter(tmp_path / "two", built.parent, target_modules=["down_proj", "v_proj", "q_proj"])
    written = [write_adapter(part, tmp_path / f"{part.name}-out", name="demo", base="b") for part in (one, two)]
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (written[0] / file).read_bytes() == (written[1] / file).read_bytes()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern"),
        ({"bias": "all"}, "bias 'all'"),
        ({"peft_type": "LOHA"}, "LOHA"),
        ({"r": 513}, "rank 513"),
    ],
)
def test_what_vllm_does_not_serve_is_refused(built: Trained, tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    source = make_adapter(tmp_path / "in", built.parent)
    assert why_unserved(source) == ""
    change(source, **changes)
    assert reason in why_unserved(source)
    with pytest.raises(ExportRefusedError, match="vLLM cannot serve the adapter"):
        write_adapter(source, tmp_path / "out", name="demo", base="b")
    assert not (tmp_path / "out").exists()


def test_a_whole_module_in_the_weights_is_refused(built: Trained, tmp_path: Path) -> None:
    import torch

    source = make_adapter(tmp_path / "in", built.parent)
    change_tensors(source, lambda tensors: tensors.update({"base_model.model.lm_head.weight": torch.ones(2, 2)}))
    assert "lm_head" in why_unserved(source)


def _rank_17(folder: Path) -> None:
    source = make_adapter(folder.with_name("rank17"), folder.parent / "parent", rank=17, lora_alpha=34)
    shutil.copytree(source, folder, dirs_exist_ok=True)


def _other_number(folder: Path) -> None:
    change_tensors(folder, lambda tensors: next(iter(tensors.values()))[0].add_(1e-6))


def _not_zero(folder: Path) -> None:
    change_tensors(folder, lambda tensors: next(iter(tensors.values()))[7].add_(1e-6))


def _one_matrix_less(folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.popitem() and None)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_rank_17, "rank 17 is none that vLLM serves"),
        (lambda folder: change(folder, lora_alpha=8), "counts 1 times, and 2 times in training"),
        (lambda folder: change(folder, use_rslora=True), "times in training"),
        (lambda folder: change(folder, base_model_name_or_path=""), "does not name its base"),
        (lambda folder: change(folder, target_modules=["v_proj", "q_proj"]), "no order"),
        (_other_number, "differs"),
        (_not_zero, "differs"),
        (_one_matrix_less, "not the same matrices"),
    ],
)
def test_a_broken_adapter_is_noticed(trained: Trained, damage: Callable[[Path], None], reason: str) -> None:
    source = trained.model / "adapter"
    written = write_adapter(source, trained.parent.with_name("written"), name="demo", base="b")
    check_adapter(written, source, name="demo")
    damage(written)
    with pytest.raises(ExportRefusedError, match=reason):
        check_adapter(written, source, name="demo")


@pytest.mark.parametrize("text", ["", "[]", '{"r": 0, "lora_alpha": 1}', '{"r": "8", "lora_alpha": 1}', '{"r": 8}'])
def test_an_unreadable_configuration_is_an_error_of_its_own(trained: Trained, text: str) -> None:
    (trained.model / "adapter" / "adapter_config.json").write_text(text)
    with pytest.raises(ExportError, match=r"adapter_config\.json cannot be read"):
        why_unserved(trained.model / "adapter")
