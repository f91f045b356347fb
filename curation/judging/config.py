"""By which rubric a judge judges, how often it is asked, and when it is not believed.

judge:
  teacher: {kind: openai, model: gpt-6-sol, revision: "2026-08-01"}
  criteria:
    - {name: accuracy, text: "Is everything that the answer says true?", weight: 2, anchors: {1: "wrong", 5: "all true"}}
    - {name: clarity, text: "Does a newcomer understand it?"}
  votes: 3
"""

import re
from dataclasses import field

from curation.config import check, config
from curation.ids import content_hash
from curation.synthesis.teachers.config import TeacherConfig

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

MIN_ROUNDS = 20
"""Rounds that are needed before the share of flips says anything."""


@config
class Criterion:
    """One thing that a judge looks at."""

    name: str
    """Short name, `accuracy`; a key of the judge's reply."""

    text: str
    """What to look at, as a question or a rule."""

    weight: float = 1.0
    """How much it counts in the score, relative to the other criteria."""

    anchors: dict[int, str] = field(default_factory=dict)
    """What a score means, for some or all scores of the scale."""

    def __post_init__(self) -> None:
        check(_NAME.fullmatch(self.name) is not None, "name", "must be a short name such as accuracy", self.name)
        check(self.name != "reason", "name", "must not be 'reason'", self.name)
        check(0 < len(self.text.strip()) <= 4_000, "text", "must say what to look at", self.text)
        check(0 < self.weight <= 1_000, "weight", "must be above 0", self.weight)


@config
class JudgeConfig:
    """A judge: a model, a rubric, and how far it is trusted."""

    teacher: TeacherConfig
    """The model that judges. State its `revision`: a judge that changes under the same name makes scores incomparable."""

    rubric: str = ""
    """What makes an answer good, in your words. Beside `criteria` it is an introduction to them."""

    criteria: tuple[Criterion, ...] = ()
    """Named criteria, each scored by itself; the score of an answer is their weighted mean."""

    lowest: int = 1
    """Lowest score of the scale."""

    highest: int = 5
    """Highest score of the scale."""

    approve_from: float = 4.0
    """Score from which an answer counts as good, where a verdict of the judge is compared with one of a person."""

    votes: int = 1
    """How often each thing is asked (for pairs: in each order). Odd; the median or the majority counts."""

    temperature: float | None = None
    """Sampling temperature of the judge, 0 to 2. Null: the teacher's."""

    kappa_floor: float = 0.4
    """Agreement with people (Cohen's kappa) below which the judge gives advice to nobody."""

    min_labels: int = 50
    """Items with a person's verdict that are needed before agreement says anything; with fewer there is no advice."""

    max_flip_share: float = 0.15
    """Share of comparisons that may come out differently when the answers change places; above it there is no advice."""

    length_control: bool = True
    """Whether what length explains is taken out of win rates and margins (Dubois et al., 2024)."""

    max_chars: int = 40_000
    """Longer answers are not judged; they are never cut, since a judge cannot judge what it does not see."""

    def __post_init__(self) -> None:
        check(self.teacher.kind == "openai", "teacher.kind", "must be 'openai': rules judge nothing", self.teacher.kind)
        check(bool(self.rubric.strip() or self.criteria), "rubric", "is needed, or `criteria`", self.rubric)
        check(len(self.rubric) <= 20_000, "rubric", "must have at most 20000 characters", len(self.rubric))
        names = [criterion.name for criterion in self.criteria]
        check(len(set(names)) == len(names), "criteria", "must have different names", names)
        check(-1_000 <= self.lowest < self.highest <= 1_000, "highest", "must be above `lowest`", self.highest)
        for criterion in self.criteria:
            strange = [score for score in criterion.anchors if not self.lowest <= score <= self.highest]
            check(not strange, f"criteria.{criterion.name}.anchors", "must be scores of the scale", strange)
        fits = self.lowest < self.approve_from <= self.highest
        check(fits, "approve_from", "must be a score of the scale, above its lowest", self.approve_from)
        check(1 <= self.votes <= 15 and self.votes % 2 == 1, "votes", "must be odd, 1..15", self.votes)
        heat = self.temperature
        check(heat is None or 0 <= heat <= 2, "temperature", "must lie in 0..2", heat)
        is_varied = self.votes == 1 or self._effective_temperature != 0
        check(is_varied, "votes", "has no effect with temperature 0, which gives one and the same vote", self.votes)
        self._check_trust()

    def _check_trust(self) -> None:
        check(0 <= self.kappa_floor <= 1, "kappa_floor", "must lie in 0..1", self.kappa_floor)
        check(2 <= self.min_labels <= 100_000, "min_labels", "must lie in 2..100000", self.min_labels)
        check(0 <= self.max_flip_share <= 1, "max_flip_share", "must lie in 0..1", self.max_flip_share)
        check(100 <= self.max_chars <= 1_000_000, "max_chars", "must lie in 100..1000000", self.max_chars)

    @property
    def _effective_temperature(self) -> float | None:
        return self.teacher.temperature if self.temperature is None else self.temperature

    @property
    def rubric_hash(self) -> str:
        """Hash of what the judge is told to look at: scores of different rubrics are not comparable."""
        named = [[item.name, item.text, item.weight, sorted(item.anchors.items())] for item in self.criteria]
        return content_hash([self.rubric, named, self.lowest, self.highest])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know before trusting this judge."""
        if self.teacher.revision.strip():
            return ()
        return (
            f"The judge '{self.teacher.label}' has no `revision`: if the model behind this name changes, old and"
            " new scores are mixed and stored replies of the old one are reused. State one under `judge.teacher.revision`.",
        )
