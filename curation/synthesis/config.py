"""Which synthetic examples a teacher writes.

generate:
  routing:
    questions_per_document: 5
    routes: {strings: ["polars.Expr.str.*", "polars.Series.str.*"], io: ["polars.read_*", "polars.scan_*"]}
  pairs: {per_example: 1, kinds: [wrong_route, wrong_format]}
"""

from dataclasses import field
from typing import Literal

from curation.config import check, config
from curation.synthesis.methods.conversation import ConversationConfig
from curation.synthesis.methods.conversion import ConversionConfig
from curation.synthesis.methods.document_qa import DocumentQaConfig
from curation.synthesis.methods.evol_instruct import EvolInstructConfig
from curation.synthesis.methods.grounded_qa import GroundedQaConfig
from curation.synthesis.methods.magpie import MagpieConfig
from curation.synthesis.methods.raft import RaftConfig
from curation.synthesis.methods.reasoning import ReasoningConfig
from curation.synthesis.methods.self_instruct import SelfInstructConfig
from curation.synthesis.methods.tool_calls import ToolCallsConfig
from curation.synthesis.methods.translation import TranslationConfig
from curation.synthesis.methods.variation import VariationConfig
from curation.synthesis.methods.verifiable import VerifiableConfig
from curation.synthesis.preferences.best_of_n import BestOfNConfig
from curation.synthesis.routes import RoutingConfig

PairKind = Literal["wrong_route", "wrong_format", "ungrounded"]


@config
class PairsConfig:
    """Preference pairs: the example's answer against a plausible wrong one."""

    per_example: int = 1
    """Pairs made from each example."""

    kinds: tuple[PairKind, ...] = ("wrong_route", "wrong_format")
    """What may be wrong: `wrong_route` names another label, `wrong_format` is not the JSON that was asked for, `ungrounded` is
    an answer of the teacher that the source does not support. Kinds that do not fit an example are passed over."""

    def __post_init__(self) -> None:
        check(1 <= self.per_example <= 10, "per_example", "must lie in 1..10", self.per_example)
        distinct = 0 < len(self.kinds) == len(set(self.kinds))
        check(distinct, "kinds", "needs at least one kind, each once", list(self.kinds))


ON_DOCUMENTS = frozenset(
    {"routing", "grounded_qa", "document_qa", "raft", "conversation", "conversion", "verifiable", "translation"}
)
"""Methods that work on documents."""
ON_DEMONSTRATIONS = frozenset({"variation", "self_instruct", "evol_instruct", "reasoning", "best_of_n"})
"""Methods that work on demonstrations."""
ON_NOTHING = frozenset({"tool_calls", "magpie"})
"""Methods that need neither."""


@config
class GenerateConfig:
    """What is generated from the documents; a method that is left out is not used."""

    routing: RoutingConfig | None = None
    """Questions that are routed to a part of the API."""

    grounded_qa: GroundedQaConfig | None = None
    """Questions answered from the document."""

    document_qa: DocumentQaConfig | None = None
    """Questions about a document with verbatim cited spans, a share of them unanswerable."""

    raft: RaftConfig | None = None
    """Questions among the document that answers them and hard distractors (retrieval-augmented fine-tuning)."""

    conversation: ConversationConfig | None = None
    """Conversations of several turns that a document supports."""

    conversion: ConversionConfig | None = None
    """Raw tickets or threads turned into demonstrations."""

    variation: VariationConfig | None = None
    """Prompts of demonstrations in other words, or as other people would put them."""

    self_instruct: SelfInstructConfig | None = None
    """New instructions beside those of the demonstrations."""

    evol_instruct: EvolInstructConfig | None = None
    """Demonstrations made harder or rarer."""

    reasoning: ReasoningConfig | None = None
    """Traces of reasoning whose final answers are right."""

    verifiable: VerifiableConfig | None = None
    """Prompts whose answers a grader checks against a proved reference (reinforcement learning)."""

    tool_calls: ToolCallsConfig | None = None
    """Requests with the calls of tools that answer them, and requests that no tool answers."""

    translation: TranslationConfig | None = None
    """Translation pairs, checked by translating back."""

    magpie: MagpieConfig | None = None
    """Requests that the teacher itself writes in the place of a user."""

    best_of_n: BestOfNConfig | None = None
    """Preference pairs from several answers to each demonstration's prompt, the best against the worst by a judge."""

    pairs: PairsConfig | None = None
    """Preference pairs from these examples and from the demonstrations."""

    quotas: dict[str, int | dict[str, int]] = field(default_factory=dict)
    """Accepted rows that a method shall make: `{raft: 500}`, or by slice, `{verifiable: {number: 100, choice: 50}}`. Accepted
    are rows that the method's own checks and `curate.rules` let pass. A quota is shared out evenly among the source shards."""

    max_candidates: int = 10_000
    """Rows that may be proposed for a quota, in each slice and shard, before it is given up."""

    seed: int = 0
    """Seed of the teacher's sampling and of every choice made here."""

    def _check_quotas(self) -> None:
        for name, quota in self.quotas.items():
            known = name in ON_DOCUMENTS | ON_DEMONSTRATIONS | ON_NOTHING and getattr(self, name) is not None
            check(known, f"quotas.{name}", "must be the name of a method that this recipe uses", name)
            numbers = list(quota.values()) if isinstance(quota, dict) else [quota]
            check(bool(numbers) and all(1 <= number <= 10**7 for number in numbers), f"quotas.{name}", "must be above 0", quota)
        check(1 <= self.max_candidates <= 10**8, "max_candidates", "must be above 0", self.max_candidates)

    def methods(self, work_on: frozenset[str]) -> list[str]:
        """Return the names of the recipe's methods among those that work on documents, or on demonstrations."""
        return [name for name in sorted(work_on) if getattr(self, name) is not None]

    @property
    def makes_tasks(self) -> bool:
        """Whether any method makes prompts that a grader checks."""
        return self.verifiable is not None

    def __post_init__(self) -> None:
        kinds = self.pairs.kinds if self.pairs else ()
        needs_routing = "wrong_route" in kinds and self.routing is None
        check(not needs_routing, "pairs.kinds", "'wrong_route' needs a `routing` section, which holds the labels", list(kinds))
        needs_answers = "ungrounded" in kinds and self.grounded_qa is None
        check(not needs_answers, "pairs.kinds", "'ungrounded' needs a `grounded_qa` section", list(kinds))
        self._check_quotas()
        check(0 <= self.seed < 2**31, "seed", "must lie in 0..2147483647", self.seed)
