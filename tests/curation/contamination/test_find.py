"""The whole check: reports, clearing, dropping, paraphrases, and how it is told."""

from collections.abc import Sequence

import numpy as np
import pytest

from curation.contamination.config import BenchmarkFileConfig, ClearedPairConfig, ContaminationConfig
from curation.contamination.find import ContaminationIndex, drop_contaminated, find_contamination, longest_common_run
from curation.contamination.items import items_of
from curation.contamination.report import assess
from curation.embedding.embedder import Vectors
from curation.errors import ConfigError
from curation.records import ContaminationPair
from curation.tables import to_arrow
from tests.curation.contamination.rows import QUESTION, SOLUTION, document, example, filler, item

CONFIG = ContaminationConfig()
BLOCK = ContaminationConfig(action="block")
ITEM = item("bench/1", QUESTION, SOLUTION)
CLEAN = [example(f"clean/{number}", filler(number), "ok") for number in range(30)]
REWRITTEN = "Odalys grows fourteen tulips in each of seven rows; Bertrand gets a third, nine break. What number is left?"


class TopicEmbedder:
    """Puts texts that share a topic word close to each other, at a cosine that the test decides."""

    name = "topics"
    revision = "t1"
    dimension = 8

    def __init__(self, cosine: float) -> None:
        self.cosine = cosine
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            topic = 0 if "tulips" in text else 1 + len(text) % 3
            row[topic] = self.cosine if text != QUESTION else 1.0
            row[4 + topic] = np.sqrt(1 - row[topic] ** 2)
        return rows

    def close(self) -> None:
        """Nothing to free."""


def test_a_report_lists_and_counts() -> None:
    rows = [*CLEAN, example("leak/1", QUESTION, SOLUTION), example("leak/2", f"Hm. {QUESTION}")]
    report = find_contamination(rows, [ITEM, item("bench/2", filler(900))], CONFIG)
    assert [(pair.record_key, pair.item_key, pair.benchmark) for pair in report.pairs] == [
        ("leak/1", "bench/1", "bench"),
        ("leak/2", "bench/1", "bench"),
    ]
    assert report.contaminated_rows == {"leak/1", "leak/2"}
    assert report.contaminated_items == {("bench", "bench/1")}
    assert report.counts["rows"] == 32
    assert report.counts["contaminated_rows"] == 2
    assert report.counts["pairs_ngram"] == 2
    assert "not looked for" in report.method[1]
    assert to_arrow(ContaminationPair, report.pairs).num_rows == 2


def test_a_check_fails_with_the_first_pair_in_words() -> None:
    assessment = assess(find_contamination([*CLEAN, example("leak/1", f"Hm. {QUESTION}")], [ITEM], BLOCK), BLOCK)
    assert not assessment.passed
    for part in ("'leak/1'", "'bench/1'", "1 of 31 rows", "a gardener named odalys plants tulips", "contamination.cleared"):
        assert part in assessment.problem
    assert "\n" not in assessment.problem
    assert assess(find_contamination(CLEAN, [ITEM], BLOCK), BLOCK) == (assess(find_contamination([], [], BLOCK), BLOCK))


@pytest.mark.parametrize(("record_key", "item_key"), [("leak/1", "bench/1"), ("leak/1", ""), ("", "bench/1")])
def test_cleared_pairs_count_no_more(record_key: str, item_key: str) -> None:
    cleared = ClearedPairConfig(record_key=record_key, item_key=item_key, reason="The item was taken from this very page.")
    config = ContaminationConfig(cleared=(cleared,))
    rows = [*CLEAN, example("leak/1", QUESTION)]
    report = find_contamination(rows, [ITEM], config)
    assert (report.pairs, len(report.cleared)) == ((), 1)
    assert assess(report, config).passed
    assert len(drop_contaminated(rows, [ITEM], config).kept) == 31


def test_dropping_tells_why() -> None:
    rows = [*CLEAN, example("leak/1", QUESTION, "no"), example("leak/0", f"Hm. {QUESTION}")]
    cleaned = drop_contaminated(rows, [ITEM], CONFIG, stage="candidates")
    assert cleaned.kept == tuple(CLEAN)
    assert [(row.key, row.reason, row.stage, row.other_key) for row in cleaned.rejections] == [
        ("leak/0", "contaminated", "candidates", "bench/1"),
        ("leak/1", "contaminated", "candidates", "bench/1"),
    ]
    assert cleaned.rejections[1].similarity == 1.0
    assert "leak/1" in cleaned.rejections[1].detail
    assert find_contamination(cleaned.kept, [ITEM], CONFIG).pairs == ()


def test_an_index_serves_many_calls() -> None:
    index = ContaminationIndex.build([ITEM], CONFIG)
    rows = [*CLEAN, example("leak/1", QUESTION)]
    assert find_contamination(rows, index, CONFIG) == find_contamination(rows, [ITEM], CONFIG)


def test_examples_are_items_of_the_eval_set() -> None:
    report = find_contamination([example("leak/1", QUESTION)], [example("eval/1", QUESTION, SOLUTION)], CONFIG)
    assert report.contaminated_items == {("eval_set", "eval/1")}


def test_a_system_message_of_one_item_is_its_own() -> None:
    items = items_of([example("e/1", "Is it so?", "ok", system="Shared."), example("e/2", "Why?", "ok", system="Shared."),
                      example("e/3", "Who?", "ok", system="Only here.")])  # fmt: skip
    assert [entry.prompt for entry in items] == ["Is it so?", "Why?", "Only here.\nWho?"]


@pytest.mark.parametrize(
    ("text", "answer", "cosine", "is_found"),
    [
        (REWRITTEN, "#### 57", 0.80, True),
        (REWRITTEN, "#### 57", 0.71, True),
        (REWRITTEN, "no idea", 0.80, True),
        (REWRITTEN, "#### 57", 0.60, False),
        (REWRITTEN.replace("fourteen", "30").replace("seven", "40").replace("nine", "80"), "#### 800", 0.97, False),
        ("Which of all the tulips in that garden would you pick?", "The red one.", 0.85, False),
        ("Which of all the tulips in that garden would you pick?", "The red one.", 0.95, True),
    ],
)
def test_paraphrases_need_a_cosine_and_what_survives(text: str, answer: str, cosine: float, is_found: bool) -> None:
    report = find_contamination([*CLEAN, example("leak/1", text, answer)], [ITEM], CONFIG, TopicEmbedder(cosine))
    assert [(pair.record_key, pair.measure) for pair in report.pairs] == ([("leak/1", "embedding")] if is_found else [])
    assert "topics" in report.method[1]


def test_a_paraphrase_inside_a_document_is_found() -> None:
    page = (
        f"{' '.join(filler(number) for number in range(20))}\n{REWRITTEN}\n{' '.join(filler(number) for number in range(20))}"
    )
    report = find_contamination([document("web/1", page)], [ITEM], CONFIG, TopicEmbedder(0.95))
    assert [(pair.record_key, pair.field) for pair in report.pairs] == [("web/1", "document")]
    other = REWRITTEN.replace("fourteen", "thirty").replace("seven", "forty").replace("nine", "eighty")
    assert find_contamination([document("web/1", other)], [ITEM], CONFIG, TopicEmbedder(0.95)).pairs == ()


def test_a_copy_is_listed_once() -> None:
    report = find_contamination([example("leak/1", QUESTION, SOLUTION)], [ITEM], CONFIG, TopicEmbedder(0.99))
    assert [pair.measure for pair in report.pairs] == ["ngram"]


def test_items_are_embedded_once_for_an_index() -> None:
    embedder = TopicEmbedder(0.9)
    index = ContaminationIndex.build([ITEM], CONFIG, embedder)
    find_contamination([example("leak/1", REWRITTEN)], index, CONFIG, embedder)
    assert embedder.asked == [QUESTION, REWRITTEN]


def test_longest_common_run() -> None:
    assert longest_common_run(["a", "b", "c", "d"], ["x", "b", "c", "d", "y", "a", "b"]) == ["b", "c", "d"]
    assert longest_common_run([], ["a"]) == []
    assert longest_common_run(["b"], ["a"]) == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"ngram": 2}, "ngram"),
        ({"min_hits": 0}, "min_hits"),
        ({"min_coverage": 0.0}, "min_coverage"),
        ({"min_answer_coverage": 1.5}, "min_answer_coverage"),
        ({"max_row_frequency": 0}, "max_row_frequency"),
        ({"embedding": " "}, "embedding"),
        ({"cosine": 0.0}, "cosine"),
        ({"cosine": 0.95}, "cosine_alone"),
    ],
)
def test_settings_are_checked(values: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        ContaminationConfig(**values)  # type: ignore[arg-type]


def test_benchmarks_and_clearings_are_checked() -> None:
    one = BenchmarkFileConfig(name="a", path="a.jsonl")
    with pytest.raises(ConfigError, match="one name"):
        ContaminationConfig(benchmarks=(one, one))
    with pytest.raises(ConfigError, match="eval_set"):
        BenchmarkFileConfig(name="eval_set", path="a")
    with pytest.raises(ConfigError, match="path"):
        BenchmarkFileConfig(name="a", path=" ")
    with pytest.raises(ConfigError, match="record_key"):
        ClearedPairConfig(record_key="", item_key="", reason="x")
    with pytest.raises(ConfigError, match="reason"):
        ClearedPairConfig(record_key="a", item_key="", reason=" ")
