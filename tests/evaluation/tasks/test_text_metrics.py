"""chrF and ROUGE give what the libraries give that people know them from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.character_f import chrf
from evaluation.tasks.rouge import measure_rouge

sacrebleu = pytest.importorskip("sacrebleu.metrics")
rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")

WORDS = "the a cat dog runs fast, over lazy brown fox jumps 3.5 ok x-ray"
ASCII = st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join)
ANY = st.lists(st.sampled_from(["the", "Über", "straße", "東京", "タワー", "fast,", "a", "привет"]), max_size=10).map(" ".join)


@given(ASCII | ANY, ASCII | ANY)
def test_chrf_is_that_of_sacrebleu(hypothesis: str, reference: str) -> None:
    found = sacrebleu.CHRF().sentence_score(hypothesis, [reference]).score
    assert chrf(hypothesis, reference) == pytest.approx(found / 100, abs=1e-9)


@given(ASCII, ASCII)
def test_rouge_is_that_of_rouge_score(answer: str, reference: str) -> None:
    """On ASCII: other letters part words there, which leaves nothing of most languages."""
    scored = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, answer)
    expected = [scored[name].fmeasure for name in ("rouge1", "rouge2", "rougeL")]
    assert list(measure_rouge(reference, answer)) == pytest.approx(expected, abs=1e-9)
