"""The split is stable, follows the group only, and has about the share asked for."""

from hypothesis import given
from hypothesis import strategies as st

from curation.curate.config import CurateConfig
from curation.curate.split import split_documents, split_of
from curation.records import Document


def test_the_share_is_about_right() -> None:
    sides = [split_of(f"group {number}", CurateConfig(eval_share=0.2)) for number in range(5000)]
    assert 0.18 < sides.count("eval") / 5000 < 0.22


@given(st.text(), st.floats(0.01, 0.49))
def test_a_larger_share_only_adds_to_the_held_out_side(group: str, share: float) -> None:
    if split_of(group, CurateConfig(eval_share=share)) == "eval":
        assert split_of(group, CurateConfig(eval_share=0.5)) == "eval"


def test_another_salt_draws_another_split() -> None:
    groups = [str(number) for number in range(200)]
    first = [split_of(group, CurateConfig()) for group in groups]
    assert first != [split_of(group, CurateConfig(split_salt="other")) for group in groups]


def test_pretraining_text_is_on_the_train_side() -> None:
    documents = [
        Document(
            key=f"s/{n}", source="s", title="", kind="text", text="x", sections=(), group=f"g{n}", license="", output_terms=""
        )
        for n in range(50)
    ]
    kept = split_documents(documents, CurateConfig())
    assert 0 < len(kept) < 50
    assert {split_of(document.group, CurateConfig()) for document in kept} == {"train"}
