from pathlib import Path

import pytest

from curation.errors import ExportRefusedError
from tests.training.export.conftest import Trained
from training.export.opinion import EXACT_TIE, Opinion, Step
from training.export.proof import judge_form


def opinion(probabilities: list[float], *tokens: int, gap: float = 1.0) -> Opinion:
    import torch

    answer = [Step(token, {token: -0.1, 9: -0.1 - gap}) for token in tokens]
    return Opinion([torch.tensor([probabilities]).log()], [answer])


TRAINED = opinion([0.5, 0.5], 1, 2)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (opinion([0.5, 0.5], 1, 9), "1 of 1 greedy answers differ"),
        (opinion([0.5, 0.5], 1), "1 of 1 greedy answers differ"),
        (opinion([0.53, 0.47], 1, 2), "0.0018 nats a token, and 0.001 is allowed"),
        (opinion([float("nan"), 0.5], 1, 2), "nan nats"),
        (opinion([0.5, 0.25, 0.25], 1, 2), "a vocabulary of 3 tokens, and 2 were trained"),
    ],
)
def test_a_form_that_thinks_otherwise_is_refused(built: Trained, tmp_path: Path, found: Opinion, reason: str) -> None:
    assert judge_form(built.spec(tmp_path), "merged", TRAINED, TRAINED, is_rounded=False).num_same == 1
    with pytest.raises(ExportRefusedError, match=reason):
        judge_form(built.spec(tmp_path), "merged", TRAINED, found, is_rounded=False)


def test_a_form_may_part_where_the_trained_model_had_no_preference(built: Trained, tmp_path: Path) -> None:
    undecided = opinion([0.5, 0.5], 1, 2, gap=EXACT_TIE / 2)
    agreed = judge_form(built.spec(tmp_path), "merged", undecided, opinion([0.51, 0.49], 1, 9), is_rounded=False)
    assert (agreed.num_same, agreed.num_ties, agreed.num_other) == (0, 1, 0)
