import math
from typing import Any

import pytest

from curation.errors import ExportError
from tests.training.export.conftest import Trained
from training.base_model import load_tokenizer
from training.export.conversations import choose_conversations
from training.export.opinion import (
    EXACT_TIE,
    MOST_NEW_TOKENS,
    ROUNDED_TIE,
    Opinion,
    Step,
    ask_model,
    compare_opinions,
    load_whole,
)


def opinion(probabilities: list[list[float]], *answers: list[Step]) -> Opinion:
    import torch

    return Opinion([torch.tensor(probabilities).log()], list(answers))


def say(*tokens: int, gap: float = 1.0, rival: int = 9) -> list[Step]:
    return [Step(token, {token: -0.1, rival: -0.1 - gap}) for token in tokens]


def test_the_divergence_is_the_mean_over_tokens() -> None:
    one, two = opinion([[0.5, 0.5], [0.9, 0.1]]), opinion([[0.25, 0.75], [0.9, 0.1]])
    expected = (0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)) / 2
    assert compare_opinions(one, two).kl == pytest.approx(expected, rel=1e-5)
    assert compare_opinions(one, one).kl == 0
    assert compare_opinions(one, two).num_tokens == 2


@pytest.mark.parametrize("near", [EXACT_TIE, ROUNDED_TIE])
@pytest.mark.parametrize(
    ("gap", "other", "expected"),
    [
        (1.0, say(1, 2), (1, 0, 0)),
        (1.0, say(1, 3), (0, 0, 1)),
        (1.0, say(1), (0, 0, 1)),
        (0.5, say(1, 9), (0, 1, 0)),
        (2.0, say(1, 9), (0, 0, 1)),
        (0.5, say(1, 3), (0, 0, 1)),
    ],
)
def test_answers_may_part_only_where_two_tokens_were_nearly_equal(
    near: float, gap: float, other: list[Step], expected: tuple[int, int, int]
) -> None:
    """Gaps are in units of what counts as nearly equal."""
    trained = opinion([[1.0]], say(1, 2, gap=gap * near))
    agreed = compare_opinions(trained, opinion([[1.0]], other), is_rounded=near == ROUNDED_TIE)
    assert (agreed.num_same, agreed.num_ties, agreed.num_other) == expected
    computed = compare_opinions(trained._replace(is_exact=False), opinion([[1.0]], other))
    assert (computed.num_ties == 1) == (other[-1].token == 9 and gap * near < ROUNDED_TIE)


def test_an_answer_is_greedy_whatever_the_folder_recommends(built: Trained) -> None:
    """Under a repetition penalty the token that is taken is not the likeliest, and may not even be among the likeliest."""
    model = load_whole(built.model, name="demo")
    model.generation_config.update(repetition_penalty=1e4, no_repeat_ngram_size=1)
    tokenizer = load_tokenizer(str(built.model))
    found = ask_model(model, choose_conversations(built.spec(built.model), tokenizer, longest=128)[:3], ends=[])
    steps = [step for answer in found.answers for step in answer]
    assert len(steps) == 3 * MOST_NEW_TOKENS
    assert all(step.token == max(step.likeliest, key=lambda token: step.likeliest[token]) for step in steps)


def test_a_model_is_never_filled_up_with_random_weights(trained: Trained) -> None:
    from safetensors.torch import load_file, save_file

    weights: dict[str, Any] = load_file(trained.model / "model.safetensors")
    lost = next(name for name in weights if "down_proj" in name)
    del weights[lost]
    save_file(weights, trained.model / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExportError, match=r"lacks weights such as .*down_proj"):
        load_whole(trained.model, name="demo")
