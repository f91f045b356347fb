"""Which answers are judged against which, and what each judge of a jury says of them.

    pairs = pair_answers(answers, "base", config, seed=0)
    rows, stopped = judge_pairs(jury, pairs, config)        one JudgedPair a judge and pair; why judges stopped, by name

Judges see the question and two answers, never who wrote them; each pair is asked in both orders (`curation.judging.judge`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from curation.errors import EvaluationError
from curation.ids import content_hash, stable_fraction
from curation.judging.judgements import CandidatePair, PairJudgement, Winner
from curation.judging.jury import Juror
from curation.records import Message
from evaluation.judge.config import PairwiseConfig, judge_name
from evaluation.judge.records import JudgedPair, JudgeReply
from evaluation.records import EvalAnswer

CANDIDATE = "candidate"
SIDES: dict[Winner, str] = {"a": "candidate", "b": "opponent", "tie": "tie"}


class AnswerPair(NamedTuple):
    """What candidate and opponent answered to one item."""

    candidate: EvalAnswer
    opponent: EvalAnswer


def pair_answers(answers: Iterable[EvalAnswer], opponent: str, config: PairwiseConfig, *, seed: int) -> list[AnswerPair]:
    """Return the pairs of answers to identical items, sorted by item: a stable subset of at most `max_pairs`.

    There is none if the opponent did not answer, as a champion that there is not. Where a likelihood was measured nothing was
    written, so there is nothing to judge.

    Raises:
        EvaluationError: if candidate and opponent did not answer the same items, or there are two answers to one.
    """
    ours, theirs = _by_item(answers, (CANDIDATE, opponent), config.tasks)
    measured = {at for at, row in ours.items() if row.log_likelihoods}
    ours, theirs = ({at: row for at, row in rows.items() if at not in measured} for rows in (ours, theirs))
    if not theirs:
        return []
    if {at: _asked(row) for at, row in ours.items()} != {at: _asked(row) for at, row in theirs.items()}:
        raise EvaluationError(reason=f"'{opponent}' and 'candidate' did not answer the same items.")
    chosen = sorted(ours, key=lambda at: (stable_fraction("/".join(at), f"judge:{seed}"), at))[: config.max_pairs]
    return [AnswerPair(ours[at], theirs[at]) for at in sorted(chosen)]


def _by_item(
    answers: Iterable[EvalAnswer], names: Sequence[str], tasks: Sequence[str]
) -> list[dict[tuple[str, str], EvalAnswer]]:
    found: dict[str, dict[tuple[str, str], EvalAnswer]] = {name: {} for name in names}
    for answer in answers:
        rows, at = found.get(answer.comparator), (answer.task, answer.item_key)
        if rows is None or (tasks and at[0] not in tasks):
            continue
        if at in rows:
            raise EvaluationError(reason=f"'{answer.comparator}' has two answers to item '{answer.item_key}'.")
        rows[at] = answer
    return [found[name] for name in names]


def _asked(answer: EvalAnswer) -> tuple[str, str, str]:
    return answer.item_hash, answer.group, answer.prompt


def judge_pairs(
    jury: Sequence[Juror], pairs: Sequence[AnswerPair], config: PairwiseConfig
) -> tuple[list[JudgedPair], dict[str, str]]:
    """Return what every judge says of every pair, and why judges stopped half-way, by judge.

    Raises:
        DatabaseError: if replies cannot be stored or read.
    """
    asked = [_candidate_pair(pair, config) for pair in pairs]
    rows: list[JudgedPair] = []
    stopped: dict[str, str] = {}
    for juror in jury:
        name, heard = judge_name(juror.config), juror.compare(asked)
        rows += [_record(name, pair, said) for pair, said in zip(pairs, heard.judgements, strict=True)]
        stopped |= {name: heard.stopped} if heard.stopped else {}
    return rows, stopped


def _candidate_pair(pair: AnswerPair, config: PairwiseConfig) -> CandidatePair:
    reference = pair.candidate.reference
    return CandidatePair(
        key=pair_key(pair),
        prompt=(Message(role="user", content=pair.candidate.prompt),),
        a=pair.candidate.answer,
        b=pair.opponent.answer,
        sources=(reference,) if config.shows_reference and reference.strip() else (),
    )


def pair_key(pair: AnswerPair) -> str:
    """Return the name of a pair: opponent, task where there is one, and item."""
    return "/".join(part for part in (pair.opponent.comparator, pair.candidate.task, pair.candidate.item_key) if part)


def _record(judge: str, pair: AnswerPair, said: PairJudgement) -> JudgedPair:
    return JudgedPair(
        key=f"{judge}/{pair_key(pair)}",
        judge=judge,
        opponent=pair.opponent.comparator,
        task=pair.candidate.task,
        item_key=pair.candidate.item_key,
        group=pair.candidate.group,
        candidate_hash=content_hash(pair.candidate.answer),
        opponent_hash=content_hash(pair.opponent.answer),
        length_difference=len(pair.candidate.answer) - len(pair.opponent.answer),
        status=said.status,
        winner="none" if said.winner is None else SIDES[said.winner],  # type: ignore[arg-type]
        replies=replies_of(said),
        num_rounds=said.num_rounds,
        num_flips=said.num_flips,
        detail=said.detail,
        request_ids=said.request_ids,
    )


def replies_of(said: PairJudgement) -> tuple[JudgeReply, ...]:
    """Return the votes of a judgement as they are stored."""
    return tuple(
        JudgeReply(order=vote.order, sample_index=vote.sample_index, position=vote.position, reason=vote.reason)
        for vote in said.votes
    )


def describe_stops(stopped: Mapping[str, str]) -> tuple[str, ...]:
    """Return one sentence a judge that stopped."""
    return tuple(f"Judge '{name}' stopped half-way: {reason}" for name, reason in sorted(stopped.items()))
