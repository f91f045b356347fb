"""Every figure of memorisation has its control, and a limit that cannot be judged counts as broken."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from curation.errors import ConfigError, EvaluationError
from evaluation.memorisation.config import MemorisationConfig
from evaluation.memorisation.records import RowProbe, Side
from evaluation.memorisation.summary import Memorisation, summarise_rows

CONFIG = MemorisationConfig(prefix_tokens=(16, 50))


def rows(model: str, side: Side, losses: list[float], *, num_verbatim: int = 0, **changes: Any) -> Iterator[RowProbe]:
    for number, loss in enumerate(losses):
        yield dataclasses.replace(
            RowProbe(
                key=f"{model}/{side}/{number}", model=model, model_hash=f"hash of {model}", side=side, row_key=str(number),
                row_hash=f"{side} {number}", group=str(number), log_likelihood=-loss * 10, num_tokens=10, tried=(16,),
                verbatim=(16,) if number < num_verbatim else (), rank=0, num_references=0,
            ),
            **changes,
        )  # fmt: skip


def summarise(*parts: Iterator[RowProbe], config: MemorisationConfig = CONFIG) -> Memorisation:
    return summarise_rows([row for part in parts for row in part], base="base", model="sft", config=config, seed=0)


def test_the_gap_is_that_beyond_the_base() -> None:
    found = summarise(
        rows("base", "training", [3.0, 3.2] * 20), rows("base", "held_out", [3.4, 3.6] * 20),
        rows("sft", "training", [1.0, 1.2] * 20), rows("sft", "held_out", [2.4, 2.6] * 20),
    )  # fmt: skip
    assert found.gap is not None
    assert found.gap.value == pytest.approx(1.0)
    assert found.gap.low == found.gap.high == pytest.approx(1.0)  # every row gained the same
    assert (found.gap.training_loss, found.gap.held_out_loss) == (pytest.approx(1.1), pytest.approx(2.5))
    assert found.broken(dataclasses.replace(CONFIG, max_gap=0.9)) == [
        "Training rows are known better than held-out ones by 1.000 nats a token."
    ]
    assert found.broken(dataclasses.replace(CONFIG, max_gap=1.1)) == []


def test_a_row_that_the_base_does_not_read_is_left_out_of_the_gap() -> None:
    unread = {"log_likelihood": 0.0, "num_tokens": 0}
    before = [*rows("base", "training", [3.0] * 20)]
    before[0] = dataclasses.replace(before[0], **unread)  # type: ignore[arg-type]
    sides = (rows("base", "held_out", [3.0] * 20), rows("sft", "training", [1.0] * 20), rows("sft", "held_out", [2.0] * 20))
    found = summarise(iter(before), *sides)
    assert found.gap is not None
    assert found.gap.value == pytest.approx(1.0)
    sides = (rows("base", "held_out", [3.0]), rows("sft", "training", [1.0]), rows("sft", "held_out", [2.0]))
    assert summarise(rows("base", "training", [3.0], **unread), *sides).gap is None


def test_a_gap_that_may_be_chance_breaks_no_limit() -> None:
    before = [3.0] * 6
    found = summarise(
        rows("base", "training", before), rows("base", "held_out", before),
        rows("sft", "training", [0.0, 4.0] * 3), rows("sft", "held_out", [0.5, 4.0] * 3),
    )  # fmt: skip
    assert found.gap is not None
    assert found.gap.value > 0.2
    assert found.broken(dataclasses.replace(CONFIG, max_gap=0.1)) == []


def test_verbatim_rows_count_beyond_held_out_rows_and_documents_beyond_the_base() -> None:
    losses = [1.0] * 20
    found = summarise(
        rows("base", "training", losses), rows("base", "held_out", losses), rows("base", "documents", losses, num_verbatim=1),
        rows("sft", "training", losses, num_verbatim=12), rows("sft", "held_out", losses, num_verbatim=4),
        rows("sft", "documents", losses, num_verbatim=3),
    )  # fmt: skip
    by_kind = {(one.side, one.prefix_tokens): one for one in found.extractable}
    training, documents = by_kind["training", 16], by_kind["documents", 16]
    assert (training.share, training.control, training.excess) == (0.6, 0.2, pytest.approx(0.4))
    assert training.low < 0.6 < training.high
    assert documents.excess == pytest.approx(0.1)
    assert by_kind["training", 50].num_tried == 0
    (sentence,) = found.broken(dataclasses.replace(CONFIG, max_extractable=0.3))
    assert "Rows of training are continued verbatim after 16 tokens: 60.0% of 20 against 20.0%" in sentence
    assert found.broken(dataclasses.replace(CONFIG, max_extractable=0.5)) == []


def test_exposure_is_reported_beside_that_of_canaries_that_were_not_planted() -> None:
    losses, canary = [1.0] * 3, {"num_references": 511}
    found = summarise(
        rows("base", "training", losses, rank=256, **canary), rows("base", "held_out", losses, rank=256, **canary),
        rows("sft", "training", losses, rank=1, **canary), rows("sft", "held_out", losses, rank=256, **canary),
    )  # fmt: skip
    assert (found.exposures, found.control_exposures) == ((9.0,) * 3, (1.0,) * 3)
    assert found.broken(dataclasses.replace(CONFIG, max_exposure=8)) == ["A planted canary has an exposure of 9.0 bits."]


def test_a_limit_that_cannot_be_judged_is_broken() -> None:
    found = summarise(rows("base", "training", [1.0]), rows("sft", "training", [1.0]))
    limits = dataclasses.replace(CONFIG, max_gap=1.0, max_exposure=1.0)
    assert [sentence.split(",")[0] for sentence in found.broken(limits)] == [
        "The gap between training and held-out loss could not be measured: a side has no rows that both read.",
        "A limit for the exposure of canaries is set",
    ]
    short = [rows(model, side, [1.0], tried=()) for model in ("base", "sft") for side in ("training", "held_out")]
    (sentence,) = summarise(*short).broken(dataclasses.replace(CONFIG, max_extractable=0.5))
    assert "could not be tried: every row has fewer than 24 tokens to continue" in sentence


def test_a_gap_that_is_no_number_is_broken() -> None:
    found = summarise(
        rows("base", "training", [1.0] * 3), rows("base", "held_out", [1.0] * 3),
        rows("sft", "training", [float("nan")] * 3), rows("sft", "held_out", [1.0] * 3),
    )  # fmt: skip
    assert len(found.broken(dataclasses.replace(CONFIG, max_gap=1.0))) == 1


def test_models_that_were_tried_on_other_rows_are_refused() -> None:
    with pytest.raises(EvaluationError, match="same rows"):
        summarise(rows("base", "training", [1.0, 1.0]), rows("sft", "training", [1.0]))
    mixed = [*rows("sft", "training", [1.0]), *rows("sft", "held_out", [1.0], model_hash="another")]
    with pytest.raises(EvaluationError, match="stems from 2 models"):
        summarise(rows("base", "training", [1.0]), rows("base", "held_out", [1.0]), iter(mixed))


@pytest.mark.parametrize(
    "settings",
    [{"max_rows": 0}, {"prefix_tokens": ()}, {"prefix_tokens": (50, 16)}, {"suffix_tokens": 1}, {"references": 3},
     {"max_gap": -1.0}, {"max_extractable": 1.0}, {"max_exposure": 10.0}, {"references": 63, "max_exposure": 6.0},
     {"blocks": True}, {"max_gap": float("nan")}],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="memorisation"):
        MemorisationConfig(**settings)
