"""Rows get a verdict from everything they come from; what is not clear stops the data set and names the rows."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.config import ConfigError
from curation.terms.config import AllowedUses, TermsConfig, TermsStatement
from curation.terms.judge import judge_terms
from curation.terms.report import assess_terms
from curation.terms.uses import SEVERITY
from tests.curation.terms.conftest import MakeRow, make_row

LICENSES = {
    "api": "MIT",
    "guides": "Apache-2.0",
    "news": "CC-BY-NC-4.0",
    "wiki": "CC-BY-SA-4.0",
    "geo": "ODbL-1.0",
    "bare": "",
    "dual": "MIT OR CC-BY-NC-4.0",
}
SHARED = TermsConfig(use="commercial", redistribute_data=True, redistribute_model=True)
ME = "Ada Okafor"


def verdict_of(row: object, config: TermsConfig, licenses: dict[str, str] = LICENSES, **options: object) -> str:
    judged = judge_terms([row], config, licenses, **options)  # type: ignore[arg-type, type-var]
    return judged.rows[0].provenance.terms_verdict  # type: ignore[attr-defined, no-any-return]


def test_the_shipped_kind_of_recipe_passes(make_row: MakeRow) -> None:
    rows = [make_row("api/a#0"), make_row("guides/b#0", "Apache-2.0"), make_row("api/a#1", parents=("api/a#0",))]
    for config in (TermsConfig(), SHARED):
        judged = judge_terms(rows, config, LICENSES)
        assert judged.report.verdicts == {"allowed": 3}
        assert assess_terms(judged.report, config).passed
    assert {item.subject for item in judged.report.obligations if item.kind == "attribution"} == {"api", "guides"}


@pytest.mark.parametrize(
    ("key", "license", "config", "expected"),
    [
        ("news/1", "CC-BY-NC-4.0", TermsConfig(use="research"), "allowed"),
        ("news/1", "CC-BY-NC-4.0", TermsConfig(use="internal"), "unknown"),
        ("news/1", "CC-BY-NC-4.0", TermsConfig(use="commercial"), "forbidden"),
        ("nd/1", "CC-BY-ND-4.0", TermsConfig(use="commercial"), "allowed"),
        ("nd/1", "CC-BY-ND-4.0", TermsConfig(redistribute_data=True), "forbidden"),
        ("dual/1", "MIT OR CC-BY-NC-4.0", TermsConfig(use="commercial"), "allowed"),
        ("both/1", "MIT AND CC-BY-NC-4.0", TermsConfig(use="commercial"), "forbidden"),
        ("wiki/1", "CC-BY-SA-4.0", SHARED, "allowed"),
        ("odd/1", "LicenseRef-house", TermsConfig(), "unknown"),
        ("bare/1", "", TermsConfig(), "unknown"),
        ("api/1", "Apache-2.0", TermsConfig(), "conflicting"),
    ],
)
def test_own_licence(make_row: MakeRow, key: str, license: str, config: TermsConfig, expected: str) -> None:
    assert verdict_of(make_row(key, license), config) == expected


def test_a_row_answers_for_its_documents_parents_and_their_parents(make_row: MakeRow) -> None:
    config = TermsConfig(use="commercial")
    assert verdict_of(make_row("api/1", documents=("api/x", "news/7")), config) == "forbidden"
    assert verdict_of(make_row("api/1", parents=("news/gone",)), config) == "forbidden"
    rows = [make_row("api/2", parents=("api/1",)), make_row("api/1", parents=("news/0",)), make_row("news/0", "CC-BY-NC-4.0")]
    assert [row.provenance.terms_verdict for row in judge_terms(rows, config, LICENSES).rows] == ["forbidden"] * 3
    assert verdict_of(rows[0], config, ancestors=rows[1:]) == "forbidden"


def test_a_parent_brings_its_teacher(make_row: MakeRow) -> None:
    rows = [make_row("api/1", teacher="gpt-5"), make_row("api/2", parents=("api/1",))]
    config = TermsConfig(competes_with_teacher=True)
    assert [row.provenance.terms_verdict for row in judge_terms(rows, config, LICENSES).rows] == ["forbidden"] * 2


def test_rows_that_are_each_others_parents_are_judged(make_row: MakeRow) -> None:
    rows = [make_row("api/1", parents=("api/2", "api/1")), make_row("api/2", parents=("api/1",))]
    assert [row.provenance.terms_verdict for row in judge_terms(rows, TermsConfig(), LICENSES).rows] == ["allowed"] * 2


def test_a_document_may_have_a_licence_of_its_own(make_row: MakeRow) -> None:
    row = make_row("bare/1#q", "MIT", documents=("bare/1",))
    config = TermsConfig(use="commercial")
    assert verdict_of(row, config, documents={"bare/1": "MIT"}) == "allowed"
    assert verdict_of(row, config, documents={"bare/1": "CC-BY-NC-4.0"}) == "forbidden"


def test_share_alike_licences_exclude_each_other_only_when_rows_are_handed_on(make_row: MakeRow) -> None:
    row = make_row("wiki/1", "CC-BY-SA-4.0", documents=("geo/1",))
    assert verdict_of(row, TermsConfig()) == "allowed"
    assert verdict_of(row, SHARED) == "conflicting"
    older = make_row("wiki/1", "CC-BY-SA-3.0", documents=("new/1",))
    assert verdict_of(older, SHARED, {"wiki": "CC-BY-SA-3.0", "new": "CC-BY-SA-4.0"}) == "allowed"
    chosen = make_row("wiki/1", "CC-BY-SA-4.0", documents=("two/1",))
    assert verdict_of(chosen, SHARED, {"wiki": "CC-BY-SA-4.0", "two": "ODbL-1.0 OR CC-BY-SA-4.0"}) == "allowed"


def test_a_teacher_has_to_be_confirmed(make_row: MakeRow) -> None:
    row = make_row("api/1", teacher="gpt-5-mini")
    confirmed = {"gpt-5-mini": TermsStatement(confirmed_by=ME)}
    assert verdict_of(row, TermsConfig()) == "unknown"
    assert verdict_of(row, TermsConfig(teachers=confirmed)) == "allowed"
    assert verdict_of(row, TermsConfig(teachers=confirmed, competes_with_teacher=True)) == "forbidden"
    assert verdict_of(row, TermsConfig(competes_with_teacher=True)) == "forbidden"
    allowed = TermsStatement(allowed=AllowedUses(compete=True), reason="contract 17", confirmed_by=ME)
    assert verdict_of(row, TermsConfig(teachers={"gpt-5-mini": allowed}, competes_with_teacher=True)) == "allowed"


def test_what_a_teacher_invented_stands_under_its_terms_alone(make_row: MakeRow) -> None:
    row = make_row("magpie/any#magpie/1/0", "", teacher="gpt-5-mini")
    row = replace(row, provenance=replace(row.provenance, request_ids=("r1",)))
    confirmed = TermsConfig(teachers={"gpt-5-mini": TermsStatement(confirmed_by=ME)})
    assert verdict_of(row, confirmed) == "allowed", "there is no source whose licence could be missing"
    assert verdict_of(row, TermsConfig()) == "unknown", "nobody read the teacher's terms"
    assert verdict_of(row, confirmed, {"magpie": ""}) == "unknown", "a source of that name has to say its licence"
    without_call = replace(row, provenance=replace(row.provenance, request_ids=()))
    assert verdict_of(without_call, confirmed) == "unknown"
    from_bare = replace(row, provenance=replace(row.provenance, parents=("bare/1",)))
    assert verdict_of(from_bare, confirmed) == "unknown", "its parent's source has no licence"


def test_an_unlisted_teacher_needs_a_whole_statement(make_row: MakeRow) -> None:
    row = make_row("api/1", teacher="house/model")
    assert verdict_of(row, TermsConfig(teachers={"house/model": TermsStatement(confirmed_by=ME)})) == "unknown"
    stated = TermsStatement(license="Apache-2.0", confirmed_by=ME)
    assert verdict_of(row, TermsConfig(teachers={"house/model": stated})) == "allowed"


def test_what_a_person_found_stands_in_for_the_catalogue(make_row: MakeRow) -> None:
    row = make_row("news/1", "CC-BY-NC-4.0")
    bought = TermsStatement(allowed=AllowedUses(commercial=True), reason="licence bought", confirmed_by=ME)
    assert verdict_of(row, TermsConfig(use="commercial", sources={"news": bought})) == "allowed"
    stricter = TermsStatement(allowed=AllowedUses(train=False), reason="opt-out in robots.txt", confirmed_by=ME)
    assert verdict_of(make_row("api/1"), TermsConfig(sources={"api": stricter})) == "forbidden"


def test_a_confirmed_statement_settles_a_conflict(make_row: MakeRow) -> None:
    row = make_row("api/1", "Apache-2.0")
    settled = TermsStatement(license="Apache-2.0", reason="relicensed in 2025", confirmed_by=ME)
    assert verdict_of(row, TermsConfig(sources={"api": settled})) == "allowed"
    assert verdict_of(row, TermsConfig(sources={"api": replace(settled, confirmed_by="")})) == "conflicting"


@pytest.mark.parametrize(
    ("text", "config", "expected"),
    [
        ("unrestricted", SHARED, "allowed"),
        ("No competing models, attribution", TermsConfig(), "allowed"),
        ("no_competing_models", TermsConfig(competes_with_teacher=True), "forbidden"),
        ("unrestricted; no_training", TermsConfig(), "forbidden"),
        ("Please be nice.", TermsConfig(), "unknown"),
        ("CC-BY-NC-4.0", TermsConfig(use="commercial"), "forbidden"),
    ],
)
def test_output_terms(make_row: MakeRow, text: str, config: TermsConfig, expected: str) -> None:
    assert verdict_of(make_row("api/1", output_terms=text), config) == expected


def test_free_output_terms_pass_once_a_person_read_them(make_row: MakeRow) -> None:
    statement = TermsStatement(
        output_terms="Please be nice.",
        allowed=AllowedUses(train=True, commercial=True),
        reason="asked the author",
        confirmed_by=ME,
    )
    row = make_row("api/1", output_terms="Please be nice.")
    assert verdict_of(row, TermsConfig(sources={"api": statement})) == "allowed"
    assert verdict_of(row, TermsConfig(sources={"api": statement}, redistribute_data=True)) == "unknown"


def test_the_message_names_rows_and_what_to_add(make_row: MakeRow) -> None:
    rows = [make_row(f"bare/{number}", "") for number in range(9, -1, -1)] + [make_row("api/1")]
    judged = judge_terms(rows, TermsConfig(), LICENSES)
    assessment = assess_terms(judged.report, TermsConfig())
    assert not assessment.passed
    assert assessment.detail.startswith("10 of 11 rows are not allowed (internal use).")
    assert "First: bare/0, bare/1, bare/2, bare/3, bare/4." in assessment.detail
    assert "add `license:` to the source" in assessment.detail
    assert "`terms.sources.bare`" in assessment.detail


def test_actions(make_row: MakeRow) -> None:
    rows = [make_row("bare/1", ""), make_row("api/1")]
    dropped = judge_terms(rows, TermsConfig(action="drop"), LICENSES)
    assert [row.key for row in dropped.rows] == ["api/1"]
    assert [(item.key, item.reason, item.stage) for item in dropped.rejected] == [("bare/1", "terms_unknown", "terms")]
    assert dropped.report.num_rows == 2
    assert assess_terms(dropped.report, TermsConfig(action="drop")).passed
    warned = judge_terms(rows, TermsConfig(action="warn"), LICENSES)
    assert len(warned.rows) == 2
    assert assess_terms(warned.report, TermsConfig(action="warn")).passed
    assert not assess_terms(warned.report, TermsConfig()).passed


def test_the_report_counts_by_licence_source_and_teacher(make_row: MakeRow) -> None:
    rows = [make_row("api/1", teacher="gpt-5"), make_row("api/2"), make_row("news/1", "CC-BY-NC-4.0")]
    counts = judge_terms(rows, TermsConfig(use="research"), LICENSES).report.counts
    found = {(item.dimension, item.name, item.verdict): item.num_rows for item in counts}
    assert found == {
        ("license", "MIT", "allowed"): 1,
        ("license", "MIT", "unknown"): 1,
        ("license", "CC-BY-NC-4.0", "allowed"): 1,
        ("source", "api", "allowed"): 1,
        ("source", "api", "unknown"): 1,
        ("source", "news", "allowed"): 1,
        ("teacher", "gpt-5", "unknown"): 1,
    }


def test_attribution_is_said_as_the_author_wants_it(make_row: MakeRow) -> None:
    config = TermsConfig(sources={"api": TermsStatement(attribution="The API Authors", url="https://example.org/api")})
    (named,) = judge_terms([make_row("api/1"), make_row("api/2")], config, LICENSES).report.obligations
    assert (named.kind, named.text, named.url, named.num_rows) == (
        "attribution",
        "The API Authors",
        "https://example.org/api",
        2,
    )


@pytest.mark.parametrize("license", ["MIT OR CC-BY-NC-4.0", "CC-BY-SA-4.0 OR MIT"])
def test_of_two_licences_only_the_chosen_one_obliges(make_row: MakeRow, license: str) -> None:
    (named,) = judge_terms([make_row("two/1", license)], SHARED, {"two": license}).report.obligations
    assert named.license == "MIT"


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "javascript:alert(1)"},
        {"retrieved": "yesterday"},
        {"retrieved": "2026-02-31"},
        {"sha256": "12"},
        {"allowed": AllowedUses(train=True)},
        {"allowed": AllowedUses(train=True), "reason": "because"},
        {"license": "x" * 1001},
    ],
)
def test_statements_are_checked(fields: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        TermsStatement(**fields)  # type: ignore[arg-type]


NAMES = st.sampled_from(sorted(LICENSES))
CONFIGS = st.builds(
    TermsConfig,
    use=st.sampled_from(["internal", "research", "commercial"]),
    redistribute_data=st.booleans(),
    redistribute_model=st.booleans(),
    competes_with_teacher=st.booleans(),
)
TEACHERS = st.sampled_from(["", "extractive", "gpt-5", "mystery", "llama2", "Qwen/Qwen3-8B"])


@given(st.lists(NAMES, max_size=4), NAMES, TEACHERS, CONFIGS)
@settings(max_examples=150, deadline=None)
def test_one_more_source_never_makes_a_verdict_milder(names: list[str], extra: str, teacher: str, config: TermsConfig) -> None:
    def severity(sources: list[str], used: str) -> int:
        row = make_row("api/1", teacher=used, documents=tuple(f"{name}/1" for name in sources))
        return SEVERITY[verdict_of(row, config)]

    before = severity(names, "")
    assert severity([*names, extra], "") >= before
    assert severity(names, teacher) >= before
    parent = make_row("api/1", documents=tuple(f"{name}/1" for name in names), parents=(f"{extra}/2",))
    assert SEVERITY[verdict_of(parent, config)] >= before


@given(st.lists(NAMES, min_size=1, max_size=4), CONFIGS)
@settings(max_examples=60, deadline=None)
def test_a_wider_use_never_makes_a_verdict_milder(names: list[str], config: TermsConfig) -> None:
    row = make_row("api/1", documents=tuple(f"{name}/1" for name in names))
    narrow, wide = (
        replace(config, redistribute_data=False, competes_with_teacher=False),
        replace(config, redistribute_data=True),
    )
    assert SEVERITY[verdict_of(row, wide)] >= SEVERITY[verdict_of(row, narrow)]


@given(st.lists(st.tuples(NAMES, TEACHERS), min_size=1, max_size=8), CONFIGS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_does_not_matter(drawn: list[tuple[str, str]], config: TermsConfig, rng: random.Random) -> None:
    rows = [make_row(f"{name}/{index}", LICENSES[name], teacher=teacher) for index, (name, teacher) in enumerate(drawn)]
    shuffled = rows[:]
    rng.shuffle(shuffled)
    first, second = judge_terms(rows, config, LICENSES), judge_terms(shuffled, config, LICENSES)
    assert first.report == second.report
    assert sorted(first.rows, key=lambda row: row.key) == sorted(second.rows, key=lambda row: row.key)
