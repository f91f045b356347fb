"""A small data set of every kind of row, and a card that tells everything there is to tell."""

import pytest

from curation.data_card.card import (
    CardFile,
    CardSource,
    CardTerms,
    ContaminationResult,
    DataCard,
    DuplicateCount,
    FilterCount,
    GenerationCount,
    LengthSummary,
    PrivacyCount,
    SliceCount,
    SplitCount,
    StageCount,
)
from curation.data_card.shapes import Row
from curation.records import Example, Message, PreferencePair, Provenance, ToolCall, UnpairedPreference
from curation.terms.report import Obligation

HOSTILE = (
    "a | b",
    "x |\n| --- | y",
    "</td></table><script>alert(1)</script>",
    "![pixel](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "`; rm -rf` **bold** ~~gone~~ $x$",
    "---\nlicense: mit\n---",
    "'\"; drop: [table]\n- x: !!python/object/apply:os.system ['true']",
    "\u202egnp.exe\u200b\x00\x1b[31m",
    "{{ 7*7 }} {% raw %}",
    "&lt;b&gt; &amp; <b>",
    "# not a heading",
    "<script src=//evil.example/x",
    "1. one",
    "\\",
)


def make_origin(**fields: object) -> Provenance:
    defaults: dict[str, object] = {"origin": "human", "method": "demonstration", "license": "MIT"}
    return Provenance(**{**defaults, **fields})  # type: ignore[arg-type]


def make_example(key: str = "api/1", *, split: str = "train", answer: str = "Use head().", **origin: object) -> Example:
    messages = (Message(role="user", content="How do I see the first rows?"), Message(role="assistant", content=answer))
    return Example(key=key, task="qa", messages=messages, group=key, split=split, provenance=make_origin(**origin))  # type: ignore[arg-type]


def make_tool_example(key: str = "api/tool") -> Example:
    calls = (
        ToolCall(id="c1", name="look_up", arguments='{"name":"head"}'),
        ToolCall(id="c2", name="look_up", arguments='{"name":"tail"}'),
    )
    messages = (
        Message(role="user", content="What is head?"),
        Message(role="assistant", content="", tool_calls=calls),
        Message(role="tool", content="first rows", tool_call_id="c1", name="look_up"),
        Message(role="assistant", content="It gives the first rows."),
    )
    tools = '[{"function":{"name":"look_up"},"type":"function"}]'
    return Example(key=key, task="tools", messages=messages, tools=tools, group=key, split="train", provenance=make_origin())


@pytest.fixture
def rows() -> list[Row]:
    prompt = (Message(role="user", content="Which is better?"),)
    pair = PreferencePair(
        key="api/1/pair",
        task="qa",
        prompt=prompt,
        chosen="head()",
        rejected="tail()",
        rejected_kind="wrong",
        group="api/1",
        split="train",
        provenance=make_origin(origin="synthetic", parents=("api/1",), method="wrong_route", generation_depth=1),
    )
    thumb = UnpairedPreference(
        key="api/3",
        task="qa",
        prompt=prompt,
        answer="Ask someone else.",
        is_desirable=False,
        group="api/3",
        provenance=make_origin(),
    )
    return [make_example("api/1"), make_example("api/2", split="eval"), make_tool_example(), pair, thumb]


SOURCES = (
    CardSource(
        name="api",
        license="MIT",
        url="https://example.org/LICENSE",
        retrieved="2026-11-20",
        sha256="ab" * 32,
        rows=1500,
    ),
    CardSource(name="questions", license="CC-BY-4.0", rows=20),
)
TERMS = CardTerms(
    use="internal use",
    passed=True,
    detail="All 1520 rows are allowed for internal use.",
    verdicts={"allowed": 1520},
    obligations=(
        Obligation(
            kind="attribution",
            subject="questions",
            license="CC-BY-4.0",
            text="The Help Desk",
            url="https://example.org",
            num_rows=20,
        ),
    ),
)
LENGTHS = (
    LengthSummary(
        part="answer",
        unit="characters",
        minimum=1,
        median=120,
        p95=800,
        maximum=2000,
        edges=(1, 10, 100, 2001),
        counts=(20, 500, 1000),
    ),
)
FILES = (
    CardFile(
        path="data/examples-train.parquet",
        kind="examples",
        split="train",
        format="parquet",
        rows=1220,
        num_bytes=99_000,
        sha256="cd" * 32,
    ),
)


@pytest.fixture
def full_card() -> DataCard:
    return DataCard(
        name="sdk_assistant",
        description="Answers questions about an API.",
        version="9f" * 16,
        created_at="2026-11-24T03:00:00",
        owner="team:assistants",
        rows=1520,
        tokens=45210,
        sources=SOURCES,
        terms=TERMS,
        slices=(
            SliceCount(dimension="origin", name="synthetic", rows=1500, tokens=45000),
            SliceCount(dimension="origin", name="human", rows=20, tokens=210),
        ),
        stages=(
            StageCount(stage="candidates", kept=2000, rejected={"unparsable_reply": 10}),
            StageCount(
                stage="curated_examples", kept=1520, rejected={"near_duplicate": 400, "exact_duplicate": 80}, tokens=45210
            ),
        ),
        filters=(FilterCount(rule="language", setting="en", checked=2000, rejected=0),),
        duplicates=(DuplicateCount(kind="near", kept_source="questions", dropped_source="api", rows=400),),
        contamination=(ContaminationResult(benchmark="eval_set", items=300, pairs=2, rows=1, method="rare 8-grams"),),
        privacy=(PrivacyCount(entity="EMAIL", action="mask", findings=3),),
        splits=(SplitCount(split="eval", rows=300, groups=60), SplitCount(split="train", rows=1220, groups=240)),
        languages={"en": 1500, "de": 15, "und": 5},
        lengths=LENGTHS,
        generation=(
            GenerationCount(method="grounded_qa", teacher="extractive", template="grounded_qa/2", depth=1, rows=1500),
            GenerationCount(method="demonstration", teacher="", template="", depth=0, rows=20),
        ),
        collapse={"real_weight": 0.31, "distinct_2": 0.5},
        hashes={"examples": "11" * 16},
        files=FILES,
        limits=("Only one version of the API is covered.",),
    )


def hostile_card(text: str) -> DataCard:
    """Return a card that says a hostile text wherever a text can stand."""
    return DataCard(
        name=text,
        description=text,
        owner=text,
        rows=1,
        sources=(CardSource(name=text, license=text, output_terms=text),),
        terms=CardTerms(
            use=text,
            passed=False,
            detail=text,
            verdicts={text: 1},
            obligations=(Obligation(kind=text, subject=text, license=text, text=text, url=text, num_rows=1),),
        ),
        slices=(SliceCount(dimension="source", name=text, rows=1), SliceCount(dimension="origin", name=text, rows=1)),
        stages=(StageCount(stage=text, kept=1, rejected={text: 1}),),
        filters=(FilterCount(rule=text, setting=text, checked=1, rejected=1),),
        duplicates=(DuplicateCount(kind=text, kept_source=text, dropped_source=text, rows=1),),
        contamination=(ContaminationResult(benchmark=text, items=1, pairs=1, rows=1, method=text, detail=text),),
        privacy=(PrivacyCount(entity=text, action=text, findings=1),),
        splits=(SplitCount(split=text, rows=1, groups=1),),
        languages={text: 1},
        lengths=(LengthSummary(part=text, unit=text, minimum=1, median=1, p95=1, maximum=1, edges=(1, 2), counts=(1,)),),
        generation=(GenerationCount(method=text, teacher=text, template=text, depth=1, rows=1),),
        collapse={text: 1.0},
        hashes={text: text},
        limits=(text,),
    )
