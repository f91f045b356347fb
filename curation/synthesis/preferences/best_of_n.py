"""Preference pairs from n answers to one prompt: the best against the worst by a judge, confirmed in both orders.

    method = BestOfN(BestOfNConfig(judge=judge, samples=4), judge=judge_session, student=student_session)
    made = method.make(method.plan(Inputs(examples=rows)), session)
    made.pairs[0].chosen, made.pairs[0].rejected_kind        "Tea is ...", "judged_worse"

Where the student is the model that is being trained, behind an endpoint, the pairs are on-policy: DPO learns most from mistakes
that the model really makes (Tajwar et al., "Preference fine-tuning of LLMs should leverage suboptimal, on-policy data", 2024).
Near-identical answers teach nothing and are passed over; a pair is kept only if the judge says the same in both orders.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from curation.config import check, config
from curation.ids import stable_fraction
from curation.judging.config import JudgeConfig
from curation.judging.judge import Judge
from curation.judging.judgements import Candidate, CandidatePair, PairJudgement, ScoreJudgement
from curation.judging.length_control import length_correlation
from curation.judging.report import mean_spread, report_pairs
from curation.records import Example, JudgeVote, PreferencePair
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.methods.invented_rows import InventedRows, Origin, origin_of
from curation.synthesis.methods.method import Inputs, Made, Unit
from curation.synthesis.parse import MAX_ANSWER_CHARS, UnusableError, check_text
from curation.synthesis.preferences.choose_pair import Bounds, Scored, choose_pair
from curation.synthesis.prompts.best_of_n import render_sample
from curation.synthesis.teachers.config import TeacherConfig

METHOD = "best_of_n"


@config
class BestOfNConfig:
    """Preference pairs from several answers to each demonstration's prompt."""

    judge: JudgeConfig
    """Who judges, and by which rubric."""

    student: TeacherConfig | None = None
    """Who answers: the model that is being trained, behind an endpoint (on-policy). Null: the recipe's teachers."""

    samples: int = 4
    """Answers to each prompt. With 2 they are only compared; with more they are scored first, and two are compared."""

    temperature: float | None = None
    """Sampling temperature of the answers, 0 to 2; null takes that of the model that answers."""

    min_margin: float = 1.0
    """How many points of the judge's scale the chosen answer must be above the rejected one."""

    max_similarity: float = 0.9
    """Jaccard similarity of character 5-grams from which two answers are near-identical, 0.5 to 1."""

    max_length_ratio: float = 2.0
    """How many times longer the longer answer of a pair may be; 0 for no limit."""

    length_penalty: float = 0.5
    """Points of the scale that a pair loses for an e-fold difference in length, when the pair of a prompt is chosen."""

    def __post_init__(self) -> None:
        check(2 <= self.samples <= 16, "samples", "must lie in 2..16", self.samples)
        heat = self.temperature
        check(heat is None or 0 < heat <= 2, "temperature", "must lie in (0, 2]: 0 gives the same answer each time", heat)
        check(0 < self.min_margin <= 2_000, "min_margin", "must be above 0", self.min_margin)
        check(0.5 <= self.max_similarity <= 1, "max_similarity", "must lie in 0.5..1", self.max_similarity)
        ratio = self.max_length_ratio
        check(ratio == 0 or 1 <= ratio <= 1_000, "max_length_ratio", "must be 0, or at least 1", ratio)
        check(0 <= self.length_penalty <= 100, "length_penalty", "must lie in 0..100", self.length_penalty)
        if self.samples == 2:
            check(self.min_margin == 1.0, "min_margin", "has no effect with 2 samples, which are not scored", self.min_margin)
            check(self.length_penalty == 0.5, "length_penalty", "has no effect with 2 samples", self.length_penalty)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know before trusting these pairs."""
        student, judge = self.student, self.judge.teacher
        is_same = student is not None and (student.endpoint, student.model) == (judge.endpoint, judge.model)
        own = (f"'{judge.label}' judges its own answers; models prefer what they wrote themselves.",) if is_same else ()
        return (*self.judge.warnings, *own)


class _Sampled(NamedTuple):
    """An answer that can be judged."""

    key: str
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class _Proposed:
    """Two answers to one prompt that are to be compared; `a` is the better one by score, if there are scores."""

    unit: Unit
    a: _Sampled
    b: _Sampled
    scores: tuple[ScoreJudgement, ScoreJudgement] | None = None


class BestOfN:
    """See the module."""

    name = METHOD

    def __init__(self, config: BestOfNConfig, *, judge: Session, student: Session | None = None) -> None:
        """Take the sessions that ask the judge and, if it is not a teacher of the recipe, the model that answers."""
        self.config = config
        self._judge_session = judge
        self._student = student

    def plan(self, inputs: Inputs) -> list[Unit]:
        """Return one unit for each demonstration that ends with an answer to a user and calls no tools."""
        fit = [row for row in inputs.examples if not row.tools and row.prompt and row.prompt[-1].role == "user"]
        units = [Unit(key=f"{row.key}#{self.name}", payload=row) for row in fit]
        return sorted(units, key=lambda unit: (stable_fraction(unit.key, f"order {inputs.seed}"), unit.key))

    def make(self, units: Sequence[Unit], session: Session) -> Made:
        """Sample, score, choose two, compare. Every unit ends as one pair or one rejection, `UNIT/0`."""
        rows = InventedRows(self.name)
        writer = self._student or session
        judge = Judge(self.config.judge, self._judge_session, names=_names_of(writer))
        sampled = self._sample(units, writer, rows)
        scores = self._score(sampled, judge) if self.config.samples > 2 else {}
        proposed = [found for unit in units if (found := self._propose(unit, sampled[unit.key], scores, rows)) is not None]
        judged = judge.compare([_comparison(item) for item in proposed])
        for item, judgement in zip(proposed, judged, strict=True):
            self._keep(item, judgement, rows)
        return rows.made(**self._figures(units, rows.pairs, judged, list(scores.values())))

    def _sample(self, units: Sequence[Unit], writer: Session, rows: InventedRows) -> dict[str, list[_Sampled]]:
        """Return the usable answers to each unit's prompt, each text once; what cannot be used is a rejection."""
        asks = [self._ask(unit, number, writer) for unit in units for number in range(self.config.samples)]
        answers = iter(writer.ask(asks))
        sampled: dict[str, list[_Sampled]] = {}
        for unit in units:
            mine = sampled.setdefault(unit.key, [])
            for number in range(self.config.samples):
                answer, key = next(answers), f"{unit.key}/sample/{number}"
                if _refuse(answer, key, origin_of([unit.payload]), rows):
                    continue
                if all(answer.text != other.answer.text for other in mine):
                    mine.append(_Sampled(key, answer))
        return sampled

    def _ask(self, unit: Unit, number: int, writer: Session) -> Ask:
        heat = {} if self.config.temperature is None else {"temperature": self.config.temperature}
        seed = (writer.seed + number) % 2**31
        prompt = render_sample(unit.payload.prompt)
        return Ask(key=f"{unit.key}/sample/{number}", prompt=prompt, sample_index=number, parameters={"seed": seed, **heat})

    def _score(self, sampled: dict[str, list[_Sampled]], judge: Judge) -> dict[str, ScoreJudgement]:
        """Return the scores of all answers, by key, asked in one round. Prompts with a single answer are not scored."""
        candidates = [
            Candidate(key=item.key, prompt=item.answer.ask.prompt.messages, answer=item.answer.text)
            for mine in sampled.values()
            for item in (mine if len(mine) > 1 else ())
        ]
        return {judgement.key: judgement for judgement in judge.score(candidates)}

    def _propose(
        self, unit: Unit, sampled: Sequence[_Sampled], scores: dict[str, ScoreJudgement], rows: InventedRows
    ) -> _Proposed | None:
        """Return the two answers to compare, or say why there are none."""
        origin = origin_of([unit.payload])
        try:
            if len(sampled) < 2:
                raise UnusableError("too_few_samples", f"Only {len(sampled)} different answers could be used.")
            for item in sampled if scores else ():
                _note_unscored(item, scores[item.key], origin, rows)
            usable = [
                Scored(text=item.answer.text, score=scores[item.key].score if scores else None, place=at)
                for at, item in enumerate(sampled)
                if not scores or scores[item.key].score is not None
            ]
            best, worst = choose_pair(usable, self._bounds())
        except UnusableError as problem:
            rows.reject(f"{unit.key}/0", origin, problem, sampled[0].answer.text if sampled else "")
            return None
        a, b = sampled[best.place], sampled[worst.place]
        return _Proposed(unit=unit, a=a, b=b, scores=(scores[a.key], scores[b.key]) if scores else None)

    def _bounds(self) -> Bounds:
        return Bounds(
            min_margin=self.config.min_margin,
            max_similarity=self.config.max_similarity,
            max_length_ratio=self.config.max_length_ratio,
            length_penalty=self.config.length_penalty if self.config.judge.length_control else 0.0,
        )

    def _keep(self, item: _Proposed, judgement: PairJudgement, rows: InventedRows) -> None:
        """Add the pair if the judge prefers the answer with the higher score in both orders; else its rejection."""
        origin, key = origin_of([item.unit.payload]), f"{item.unit.key}/0"
        problem = _find_fault(item, judgement)
        if problem is not None:
            rows.reject(key, origin, problem, item.a.answer.text)
            return
        rows.pairs.append(_build(key, item, judgement, origin))

    def _figures(
        self,
        units: Sequence[Unit],
        pairs: Sequence[PreferencePair],
        judged: Sequence[PairJudgement],
        scores: Sequence[ScoreJudgement],
    ) -> dict[str, float]:
        figures = report_pairs(judged, self.config.judge).figures()
        figures["kept_share"] = len(pairs) / len(units) if units else 0.0
        figures["length_correlation"] = length_correlation([len(pair.chosen) - len(pair.rejected) for pair in pairs])
        return figures | ({"judge_spread": mean_spread(scores)} if scores else {})


def _refuse(answer: Answer, key: str, origin: Origin, rows: InventedRows) -> bool:
    """Turn an answer that cannot be used into a rejection; False if it can be."""
    if rows.refuse(answer, key, origin):
        return True
    try:
        check_text(answer.text, "answer", 1, MAX_ANSWER_CHARS)
    except UnusableError as problem:
        rows.reject(key, origin, problem, answer.text)
        return True
    return False


def _names_of(session: Session) -> list[str]:
    """Return the names that the writers of a session go by."""
    return [name for teacher in session.teachers for name in (teacher.config.model, teacher.config.name) if name]


def _comparison(item: _Proposed) -> CandidatePair:
    return CandidatePair(key=f"{item.unit.key}/0", prompt=item.unit.payload.prompt, a=item.a.answer.text, b=item.b.answer.text)


def _note_unscored(item: _Sampled, score: ScoreJudgement, origin: Origin, rows: InventedRows) -> None:
    """Turn an answer that the judge gave no score into a rejection."""
    if score.status != "judged":
        reason = "speaks_to_judge" if score.status == "flagged" else "not_judged"
        rows.reject(item.key, origin, UnusableError(reason, score.detail), item.answer.text)


def _find_fault(item: _Proposed, judgement: PairJudgement) -> UnusableError | None:
    """Return why a compared pair is not kept."""
    if judgement.status != "judged":
        return UnusableError("speaks_to_judge" if judgement.status == "flagged" else "not_judged", judgement.detail)
    if judgement.num_flips:
        num = f"{judgement.num_flips} of {judgement.num_rounds}"
        return UnusableError("orders_disagree", f"In {num} rounds the judge changed its mind when the answers changed places.")
    if judgement.winner == "tie":
        return UnusableError("judged_tie", "The judge prefers neither answer.")
    if item.scores is not None and judgement.winner == "b":
        return UnusableError("judge_contradicts_itself", "The judge scores one answer higher and prefers the other.")
    return None


def _build(key: str, item: _Proposed, judgement: PairJudgement, origin: Origin) -> PreferencePair:
    """Return the pair, with the calls for both answers and of the judge, and all its votes."""
    example: Example = item.unit.payload
    chosen, rejected = (item.a, item.b) if judgement.winner == "a" else (item.b, item.a)
    scores = item.scores or ()
    calls = [*rejected.answer.request_ids, *(name for score in scores for name in score.request_ids), *judgement.request_ids]
    terms = (*origin.output_terms, rejected.answer.output_terms, judgement.output_terms)
    provenance = chosen.answer.provenance(
        method=METHOD,
        license=origin.license,
        output_terms=terms,
        generation_depth=origin.depth + 1,
        parents=origin.parents,
        spans=origin.spans,
        votes=_votes(judgement, item.scores),
    )
    return PreferencePair(
        key=key,
        task=example.task,
        prompt=example.prompt,
        chosen=chosen.answer.text,
        rejected=rejected.answer.text,
        rejected_kind="judged_worse",
        group=example.group,
        split=example.split,
        provenance=replace(provenance, request_ids=tuple(dict.fromkeys((*provenance.request_ids, *calls)))),
    )


def _votes(judgement: PairJudgement, scores: tuple[ScoreJudgement, ScoreJudgement] | None) -> tuple[JudgeVote, ...]:
    """Return all votes on a pair: 1, 0.5 or 0 for the chosen answer, then the scores of both."""
    worth = {judgement.winner: 1.0, "tie": 0.5}
    compared = [
        JudgeVote(judge=vote.judge, score=worth.get(vote.winner, 0.0), reason=f"[{vote.position}] {vote.reason}")
        for vote in judgement.votes
    ]
    scored = [
        replace(vote, reason=f"[{name}] {vote.reason}")
        for name, score in zip(("chosen", "rejected"), scores or (), strict=False)
        for vote in score.votes
    ]
    return (*compared, *scored)
