"""The judges against people: pairs that people decided in the review, decided by the judges as well.

    pairs = labelled_pairs(items, verdicts, limit=200, seed=0)
    rows, stopped = judge_labels(jury, pairs)                     one JudgedLabel a judge, pair and person
    agreement_of(rows)                                            kappa and AC1 with intervals

Two kinds of verdicts say which of two answers is better: those on preference pairs, and edits, where a person has put another
answer in the place of the one shown. Which side of an edited pair is called A is by chance, and stays so.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from curation.ids import stable_fraction
from curation.judging.agreement import cohen_kappa, gwet_ac1
from curation.judging.judgements import CandidatePair
from curation.judging.jury import Juror
from curation.judging.people import LABELS, Agreement, standing_verdicts
from curation.records import Message, ReviewItem, Verdict
from evaluation.judge.config import judge_name
from evaluation.judge.pairs import replies_of
from evaluation.judge.records import JudgedLabel

Side = Literal["a", "b", "tie"]
_CHOICES = ("prefer_a", "prefer_b", "tie", "both_bad")


@dataclass(frozen=True, kw_only=True)
class LabelledPair:
    """Two answers of which people said which is better."""

    key: str
    prompt: tuple[Message, ...]
    a: str
    b: str
    labels: tuple[tuple[str, Side], ...]
    """Person and what they said; each person once."""


def labelled_pairs(items: Iterable[ReviewItem], verdicts: Iterable[Verdict], *, limit: int, seed: int) -> list[LabelledPair]:
    """Return what people decided about pairs, sorted by key: a stable subset of at most `limit` pairs.

    Args:
        items: what people were shown.
        verdicts: in any order; the newest of each person that was not undone counts, and none that is automatic.
        limit: most pairs.
        seed: chooses among more.
    """
    by_item: dict[str, list[Verdict]] = {}
    for verdict in standing_verdicts(verdicts):
        by_item.setdefault(verdict.key, []).append(verdict)
    found = [pair for item in items for pair in _pairs_of(item, by_item.get(item.key, []))]
    chosen = sorted(found, key=lambda pair: (stable_fraction(pair.key, f"labels:{seed}"), pair.key))[:limit]
    return sorted(chosen, key=lambda pair: pair.key)


def _pairs_of(item: ReviewItem, verdicts: Sequence[Verdict]) -> list[LabelledPair]:
    if item.kind == "pair":
        labels = tuple((said.reviewer, cast(Side, LABELS[said.decision])) for said in verdicts if said.decision in _CHOICES)
        pair = LabelledPair(key=item.key, prompt=item.prompt, a=item.answer, b=item.alternative, labels=labels)
        return [pair] if labels else []
    edits = [said for said in verdicts if said.decision == "edit" and item.kind == "example"]
    return [_edited(item, said) for said in edits if said.edited_answer.strip() not in ("", item.answer.strip())]


def _edited(item: ReviewItem, said: Verdict) -> LabelledPair:
    key = f"{item.key}/{said.reviewer}"
    is_first = stable_fraction(key, "edited pair") < 0.5
    a, b = (said.edited_answer, item.answer) if is_first else (item.answer, said.edited_answer)
    return LabelledPair(key=key, prompt=item.prompt, a=a, b=b, labels=((said.reviewer, "a" if is_first else "b"),))


def judge_labels(jury: Sequence[Juror], pairs: Sequence[LabelledPair]) -> tuple[list[JudgedLabel], dict[str, str]]:
    """Return what every judge says of pairs that people decided, and why judges stopped half-way, by judge.

    Raises:
        DatabaseError: if replies cannot be stored or read.
    """
    asked = [CandidatePair(key=f"label/{pair.key}", prompt=pair.prompt, a=pair.a, b=pair.b) for pair in pairs]
    rows: list[JudgedLabel] = []
    stopped: dict[str, str] = {}
    for juror in jury:
        name, heard = judge_name(juror.config), juror.compare(asked)
        stopped |= {name: heard.stopped} if heard.stopped else {}
        for pair, said in zip(pairs, heard.judgements, strict=True):
            rows += [
                JudgedLabel(
                    key=f"{name}/{pair.key}/{person}",
                    judge=name,
                    pair=pair.key,
                    person=person,
                    label=label,
                    status=said.status,
                    winner=said.winner or "none",
                    replies=replies_of(said),
                    detail=said.detail,
                    request_ids=said.request_ids,
                )
                for person, label in pair.labels
            ]
    return rows, stopped


def agreement_of(rows: Iterable[JudgedLabel], *, seed: int = 0) -> Agreement:
    """Return how far a judge agrees with people, over the pairs that it judged; whole pairs are drawn for the intervals."""
    judged = [row for row in rows if row.winner != "none"]
    said, people, pairs = [row.winner for row in judged], [row.label for row in judged], [row.pair for row in judged]
    num_equal = sum(one == two for one, two in zip(said, people, strict=True))
    return Agreement(
        kappa=cohen_kappa(said, people, clusters=pairs, seed=seed),
        ac1=gwet_ac1([*zip(said, people, strict=True)], clusters=pairs, seed=seed),
        observed=num_equal / len(judged) if judged else None,
        num_items=len(set(pairs)),
        num_verdicts=len(judged),
    )
