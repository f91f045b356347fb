"""Which benchmarks training rows must not give away, and what counts as giving away.

contamination: {action: drop, benchmarks: [{name: gsm8k, path: data/test.jsonl, prompt_column: question}]}
"""

from typing import Literal

from curation.config import check, config

OFFLINE_MODEL = "offline-minilm"


@config
class BenchmarkFileConfig:
    """A file of evaluation items that training rows are compared with."""

    name: str
    """How the benchmark is called in reports."""

    path: str
    """File or fsspec URL: JSONL, JSON, CSV, TSV or Parquet, also as .gz or .zst."""

    prompt_column: str = ""
    """Column with the question; empty to detect it by its name."""

    answer_column: str = ""
    """Column with the reference answer; empty to detect it by its name (a benchmark may have none)."""

    def __post_init__(self) -> None:
        check(bool(self.name.strip()), "name", "must not be empty", self.name)
        check("/" not in self.name and self.name != "eval_set", "name", "must not be 'eval_set' or hold a slash", self.name)
        check(bool(self.path.strip()), "path", "must not be empty", self.path)


@config
class ClearedPairConfig:
    """A pair that a person has looked at and found harmless."""

    record_key: str
    """Key of the training row or document; empty for every row."""

    item_key: str
    """Key of the evaluation item; empty for every item."""

    reason: str
    """Why it is harmless; shown in the report."""

    def __post_init__(self) -> None:
        check(bool(self.record_key or self.item_key), "record_key", "needs a record_key, an item_key or both", self.record_key)
        check(bool(self.reason.strip()), "reason", "must say why the pair is harmless", self.reason)


@config
class ContaminationConfig:
    """Rules of the contamination check."""

    benchmarks: tuple[BenchmarkFileConfig, ...] = ()
    """Benchmark files to compare with, besides the recipe's own eval_set."""

    action: Literal["drop", "block", "report"] = "drop"
    """`drop` removes the rows that give an item away, before training and before anything is generated from them; `block` keeps
    them, and nothing is trained until a person has decided; `report` trains on them, and the report shows the clean scores."""

    ngram: int = 8
    """Words a run that counts as evidence, 5 to 13; parts of fewer than 8 times as many words use runs of 4."""

    min_hits: int = 2
    """Rare runs that a row must share with an item."""

    min_coverage: float = 0.3
    """Share of the rare runs of an item's prompt that a row must hold."""

    min_answer_coverage: float = 0.5
    """The same for an item's answer, whose phrases are less telling."""

    max_row_frequency: int = 20
    """Runs in more different rows, or in more different items, are templates and count for nothing."""

    embedding: str | None = None
    """Model that finds paraphrases: `offline-minilm` (extra `embeddings`), `hashing` (sees wording only), a folder, or the name
    of a model in the local cache. None by default: paraphrases are not looked for."""

    cosine: float = 0.78
    """Cosine from which a row paraphrases an item if numbers, final answers or names agree (0.08 less if two of these do)."""

    cosine_alone: float = 0.9
    """Cosine from which nothing else has to agree; numbers and answers still must not contradict each other."""

    cleared: tuple[ClearedPairConfig, ...] = ()
    """Pairs that a person has cleared."""

    def __post_init__(self) -> None:
        check(5 <= self.ngram <= 13, "ngram", "must lie in 5 to 13", self.ngram)
        check(1 <= self.min_hits <= 20, "min_hits", "must lie in 1 to 20", self.min_hits)
        check(0 < self.min_coverage <= 1, "min_coverage", "must lie in (0, 1]", self.min_coverage)
        check(0 < self.min_answer_coverage <= 1, "min_answer_coverage", "must lie in (0, 1]", self.min_answer_coverage)
        check(self.max_row_frequency >= 1, "max_row_frequency", "must be at least 1", self.max_row_frequency)
        check(self.embedding is None or bool(self.embedding.strip()), "embedding", "must name a model", self.embedding)
        check(0 < self.cosine <= 1, "cosine", "must lie in (0, 1]", self.cosine)
        check(self.cosine <= self.cosine_alone <= 1, "cosine_alone", "must lie in [cosine, 1]", self.cosine_alone)
        names = [benchmark.name for benchmark in self.benchmarks]
        check(len(set(names)) == len(names), "benchmarks", "two benchmarks have one name", names)
