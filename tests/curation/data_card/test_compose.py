"""The card says what the stages stored; rows lie beside it only where they may be handed on."""

from dataclasses import replace
from pathlib import Path

from curation.data_card.compose import CardInputs, compose_card
from curation.data_card.export import write_card
from curation.records import ContaminationPair, Example, Message, PrivacyFinding, Provenance, Rejection
from curation.terms.config import TermsConfig


def example(number: int, license: str = "MIT") -> Example:
    messages = (Message(role="user", content=f"Where is boat {number}?"), Message(role="assistant", content="In the harbour."))
    provenance = Provenance(origin="human", method="demonstration", license=license)
    return Example(
        key=f"boats/{number}", task="qa", messages=messages, group=f"g{number}", split="train", provenance=provenance
    )


def rejection(key: str, reason: str, other: str = "") -> Rejection:
    return Rejection(
        key=key, stage="curated_examples", reason=reason, detail="", record_hash="", excerpt="", other_key=other, similarity=1.0
    )


def finding(number: int) -> PrivacyFinding:
    return PrivacyFinding(
        key=str(number), record_key="a", field="text", entity="EMAIL", start=0, end=1, detector="d", action="mask"
    )


def inputs(license: str = "MIT") -> CardInputs:
    pair = ContaminationPair(
        key="p", record_key="boats/1", item_key="quiz/1", benchmark="quiz", field="prompt", measure="ngram", score=0.9
    )
    return CardInputs(
        name="harbour",
        rows=[example(number, license) for number in range(4)],
        stages=[("documents", 9, {"document_too_short": 1})],
        rejections=[
            rejection("boats/9", "near_duplicate", "boats/1"),
            rejection("ports/1", "exact_duplicate", "boats/1"),
            rejection("boats/8", "refusal"),
        ],
        rows_curated=7,
        findings=[finding(1), finding(2)],
        contamination_pairs=[pair],
        items={"quiz": 12, "eval_set": 3},
        licenses={"boats": license},
        roots={"sft_dataset": "9f"},
        source_versions={"boats": "v1"},
    )


def test_the_card_counts_what_the_stages_stored() -> None:
    card = compose_card(inputs())
    assert card.rows == 4
    assert {(item.kind, item.kept_source, item.dropped_source): item.rows for item in card.duplicates} == {
        ("near", "boats", "boats"): 1,
        ("exact", "boats", "ports"): 1,
    }
    assert [(item.rule, item.checked, item.rejected) for item in card.filters] == [("refusal", 7, 1)]
    assert [(item.entity, item.findings) for item in card.privacy] == [("EMAIL", 2)]
    assert {item.benchmark: (item.items, item.pairs) for item in card.contamination} == {"quiz": (12, 1), "eval_set": (3, 0)}
    assert [(source.name, source.license, source.version) for source in card.sources] == [("boats", "MIT", "v1")]
    assert card.terms.passed


def test_rows_that_may_not_be_handed_on_do_not_lie_beside_the_card(tmp_path: Path) -> None:
    free, bound = inputs(), inputs("proprietary")
    for name, given in (("free", free), ("bound", bound)):
        write_card(given.rows, tmp_path / name, compose_card(given), terms=TermsConfig(), licenses=given.licenses)
    assert sorted(path.name for path in (tmp_path / "free" / "data").iterdir()) == ["examples-train.parquet"]
    assert not (tmp_path / "bound" / "data").exists()
    assert "may not be handed on" in (tmp_path / "bound" / "README.md").read_text()
    assert replace(compose_card(bound), rows=0).terms.passed is False
