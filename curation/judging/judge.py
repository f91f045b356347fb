"""A judge at work: scores with reasons, and pairs asked in both orders, each as often as the rubric wants.

    judge = Judge(config, session)
    judge.score([Candidate(key="faq/1", prompt=messages, answer="Yes.")])[0].score          4.0
    judge.compare([CandidatePair(key="faq/1", prompt=messages, a="Yes.", b="No.")])[0].winner     "a"

Zheng et al. ("Judging LLM-as-a-judge", 2023) found that judges prefer the answer that stands first, the longer one, and their
own. So both orders are asked and a disagreement is a tie, writers are not shown, and length is measured
(`curation.judging.length_control`). What speaks to the judge is not shown to it at all.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from curation.judging.anonymise import anonymise
from curation.judging.config import JudgeConfig
from curation.judging.judgements import (
    MAX_REASON_CHARS,
    ORDERS,
    Candidate,
    CandidatePair,
    PairJudgement,
    PairVote,
    ScoreJudgement,
    Status,
    judge_rounds,
    median_score,
)
from curation.judging.prompts import render_pair, render_score
from curation.records import JudgeVote, Message
from curation.synthesis.asking import Answer, Ask, Session
from curation.synthesis.injection import InstructionSpan, find_instructions
from curation.synthesis.prompts.template import Prompt

FindInstructions = Callable[[str], Sequence[InstructionSpan]]
"""Returns where a text speaks to the model that reads it."""


class Judge:
    """Asks a judge through a session, whose ledger keeps every reply."""

    def __init__(
        self,
        config: JudgeConfig,
        session: Session,
        *,
        names: Sequence[str] = (),
        find_instructions: FindInstructions = find_instructions,
    ) -> None:
        """Take a rubric and the session that asks the judge.

        Args:
            config: the rubric, and how often to ask.
            session: the judge's own session, or that of the teachers if they are to judge.
            names: names that the writers of the answers go by; the judge does not see them.
            find_instructions: finds text that speaks to the judge.
        """
        self.config = config
        self._session = session
        self._names = tuple(names)
        self._find = find_instructions

    def score(self, candidates: Sequence[Candidate]) -> list[ScoreJudgement]:
        """Return a judgement of each answer, in order. The votes of all are asked in one round."""
        problems = [self._problem(item.prompt, item.sources, [item.answer]) for item in candidates]
        asks = [
            self._ask(item.key, render_score(self.config, item.prompt, self._plain(item.answer), item.sources), number)
            for item, problem in zip(candidates, problems, strict=True)
            for number in range(0 if problem else self.config.votes)
        ]
        answers = iter(self._session.ask(asks))
        return [
            ScoreJudgement(key=item.key, status=problem[0], detail=problem[1])
            if problem
            else self._judge_score(item, [next(answers) for _ in range(self.config.votes)])
            for item, problem in zip(candidates, problems, strict=True)
        ]

    def compare(self, pairs: Sequence[CandidatePair]) -> list[PairJudgement]:
        """Return which answer of each pair is preferred in both orders, in order. All are asked in one round.

        Answers that are equal once their writers' marks are gone are a tie, and nothing is asked.
        """
        problems = [self._problem(pair.prompt, pair.sources, [pair.a, pair.b]) for pair in pairs]
        asks = [[] if problem else list(self._ask_both(pair)) for pair, problem in zip(pairs, problems, strict=True)]
        answers = iter(self._session.ask(list(chain.from_iterable(asks))))
        return [
            PairJudgement(key=pair.key, status=problem[0], detail=problem[1], length_difference=pair.length_difference)
            if problem
            else self._judge_pair(pair, [next(answers) for _ in mine])
            for pair, problem, mine in zip(pairs, problems, asks, strict=True)
        ]

    def _ask(self, key: str, prompt: Prompt, number: int) -> Ask:
        heat = {} if self.config.temperature is None else {"temperature": self.config.temperature}
        seed = (self._session.seed + number) % 2**31
        return Ask(key=key, prompt=prompt, sample_index=number, parameters={"seed": seed, **heat})

    def _ask_both(self, pair: CandidatePair) -> Iterator[Ask]:
        """Yield the asks of a pair: for every vote, the two orders."""
        a, b = self._plain(pair.a), self._plain(pair.b)
        if a == b:
            return
        for number in range(self.config.votes):
            for first, second in ((a, b), (b, a)):
                yield self._ask(pair.key, render_pair(self.config, pair.prompt, first, second, pair.sources), number)

    def _plain(self, answer: str) -> str:
        return anonymise(answer, self._names)

    def _problem(self, prompt: Sequence[Message], sources: Sequence[str], answers: Sequence[str]) -> tuple[Status, str] | None:
        """Return why something is not shown to the judge: status and detail."""
        for name, texts in (("answer", answers), ("prompt", [turn.text for turn in prompt]), ("source", sources)):
            kinds = [span.kind for text in texts for span in self._find(text)]
            if kinds:
                return "flagged", f"The {name} holds text that speaks to its reader ({kinds[0]}); only a person can approve it."
        longest = max(map(len, answers))
        if longest > self.config.max_chars:
            return "failed", f"An answer has {longest} characters; more than judge.max_chars are not judged."
        return None

    def _judge_score(self, item: Candidate, answers: Sequence[Answer]) -> ScoreJudgement:
        usable = [answer for answer in answers if answer.problem is None]
        votes = tuple(
            JudgeVote(judge=judge_of(answer), score=self._read(answer), reason=reason_of(answer)) for answer in usable
        )
        if 2 * len(votes) <= len(answers):
            return ScoreJudgement(
                key=item.key, status="failed", votes=votes, detail=_faults(answers), request_ids=_ids(answers)
            )
        scores = [vote.score for vote in votes]
        return ScoreJudgement(
            key=item.key,
            status="judged",
            score=median_score(votes),
            votes=votes,
            spread=(max(scores) - min(scores)) / (self.config.highest - self.config.lowest),
            request_ids=_ids(answers),
            output_terms=usable[0].output_terms,
        )

    def _read(self, answer: Answer) -> float:
        """Return the score in a reply: the weighted mean of its criteria."""
        if not self.config.criteria:
            return float(answer.value["score"])
        total = sum(item.weight * answer.value["scores"][item.name] for item in self.config.criteria)
        return float(total / sum(item.weight for item in self.config.criteria))

    def _judge_pair(self, pair: CandidatePair, answers: Sequence[Answer]) -> PairJudgement:
        if not answers:
            return PairJudgement(key=pair.key, status="judged", winner="tie", detail="The two answers are the same.")
        votes = tuple(
            PairVote(
                judge=judge_of(answer),
                order=ORDERS[at % 2],
                sample_index=at // 2,
                position=answer.value["winner"],
                reason=reason_of(answer),
            )
            for at, answer in enumerate(answers)
            if answer.problem is None
        )
        winner, num_rounds, num_flips = judge_rounds(votes)
        is_judged = 2 * num_rounds > self.config.votes
        return PairJudgement(
            key=pair.key,
            status="judged" if is_judged else "failed",
            winner=winner if is_judged else None,
            votes=votes,
            num_rounds=num_rounds,
            num_flips=num_flips,
            length_difference=pair.length_difference,
            detail="" if is_judged else _faults(answers),
            request_ids=_ids(answers),
            output_terms=next((answer.output_terms for answer in answers if answer.problem is None), ""),
        )


def judge_of(answer: Answer) -> str:
    """Return the name of a judge with its revision."""
    return f"{answer.teacher}@{answer.teacher_revision}" if answer.teacher_revision else answer.teacher


def reason_of(answer: Answer) -> str:
    """Return the reason that a judge gives, on one line and no longer than a row may hold."""
    return "".join(letter for letter in " ".join(answer.value["reason"].split()) if letter.isprintable())[:MAX_REASON_CHARS]


def _ids(answers: Sequence[Answer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(answer.request_ids for answer in answers)))


def _faults(answers: Sequence[Answer]) -> str:
    faults = dict.fromkeys(answer.problem.detail for answer in answers if answer.problem is not None)
    return f"Too few of {len(answers)} replies can be used: {' '.join(faults)}"[:500]
