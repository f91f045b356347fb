"""What counts as a duplicate, and which copy stays.

duplicates: {near_threshold: 0.6, keep: [origin, newest], scope: all}
"""

from typing import Literal

from curation.config import check, config

Criterion = Literal["origin", "newest", "longest_answer"]
Scope = Literal["all", "within", "across"]


@config
class DuplicateConfig:
    """Rules for exact, near and semantic duplicates."""

    exact: bool = True
    """Drop rows whose prompt and answer are equal but for white space."""

    conflicts: Literal["reject", "keep"] = "reject"
    """Rows whose equal prompts have different answers: reject them all (nobody knows which is right), or keep them."""

    near_threshold: float = 0.6
    """Jaccard similarity of character 5-grams from which two prompts with one answer are near copies, 0.5 to 1; 1 turns it
    off. Prompts of fewer than 15 words must reach 0.8 (part of the sibling guard)."""

    split_threshold: float = 0.9
    """Similarity from which prompts with other answers may not stand on both sides of the split (near_threshold
    counts where it is higher)."""

    semantic_threshold: float | None = None
    """Cosine similarity of embeddings from which two prompts are copies, 0.5 to 1; null turns it off."""

    answers: Literal["equal", "near"] = "equal"
    """Near copies of a prompt are dropped if their answers are equal, or already if these are near copies as well."""

    keep: tuple[Criterion, ...] = ("origin", "newest")
    """Which copy stays, most important first: `origin` human before synthetic, `newest` the later `created_at`,
    `longest_answer`; the smaller key decides last."""

    sibling_guard: bool = True
    """Never take prompts with other numbers, names, code, negations or opposites for copies, however similar they are."""

    giant_cluster_rows: int = 50
    """Near and semantic copies that hang together in larger clusters raise an alarm (0.1 % of a table of 50,000 rows)."""

    giant_cluster: Literal["keep_and_alarm", "reject"] = "keep_and_alarm"
    """Keep the rows of such a cluster until somebody has looked at it, or drop its copies like all others."""

    scope: Scope = "all"
    """Compare all rows, only those of one source (`within`), or only those of different sources (`across`)."""

    def __post_init__(self) -> None:
        check(0.5 <= self.near_threshold <= 1, "near_threshold", "must lie in [0.5, 1]", self.near_threshold)
        split = self.split_threshold
        check(
            self.near_threshold <= split <= 1 or self.near_threshold >= 1, "split_threshold", "is below near_threshold", split
        )
        semantic = self.semantic_threshold
        check(semantic is None or 0.5 <= semantic <= 1, "semantic_threshold", "must lie in [0.5, 1]", semantic)
        check(len(set(self.keep)) == len(self.keep), "keep", "names a criterion twice", self.keep)
        check(self.giant_cluster_rows >= 2, "giant_cluster_rows", "must be at least 2", self.giant_cluster_rows)
