"""What verdicts do to rows: approve keeps, edit rewrites, reject drops, prefer orders; and which labels they are.

    verified = apply_verdicts(examples, pairs, verdicts=queue.current_verdicts(config.accept), config=config)
    verified.examples, verified.pairs, verified.rejections

Every row that goes in comes out once, kept (perhaps edited) or as a rejection; `num_added` counts the pairs that edits
add, so rows in + added = rows out + rejected. So does every document that the recipe wants reviewed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from curation.records import (
    Document,
    Example,
    PreferencePair,
    Rejection,
    UnpairedPreference,
    Verdict,
    VerifiableTask,
    reject,
)
from curation.review.config import ReviewConfig
from curation.review.documents import DocumentReview, Withheld, judge_documents, withhold_rows
from curation.review.items import Row, item_key, needs_verdict
from curation.review.lots.inspection import Lots, inspect_rows

STAGE = "verified_examples"


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The rows that may be used, the rows that may not, and the keys of the items that still wait."""

    examples: list[Example] = field(default_factory=list)
    pairs: list[PreferencePair] = field(default_factory=list)
    tasks: list[VerifiableTask] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    open_items: dict[str, str] = field(default_factory=dict)
    """Item key -> record key of the rows and documents in scope without a verdict, in order."""
    decided_by: dict[str, str] = field(default_factory=dict)
    """Item key -> reviewer kind of the rows and documents in scope with a verdict."""
    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    """Row key -> why its document takes it with it."""
    lots: Lots = Lots(())
    """The lots that the rows form, if the recipe has any."""
    num_added: int = 0
    """Pairs that came into being by edits (chosen: the edit, rejected: the original)."""


def apply_verdicts(
    examples: Iterable[Example],
    pairs: Iterable[PreferencePair],
    *,
    verdicts: Mapping[str, Verdict],
    config: ReviewConfig,
    required: Collection[str] = (),
    tasks: Iterable[VerifiableTask] = (),
    documents: DocumentReview | None = None,
) -> Verified:
    """Sort rows into kept and rejected by the verdicts that count (item key -> verdict).

    A verdict on a row counts whether or not the policy asks for one, except under `none`, which reads no verdicts but on
    rows that are `required` to have one (record keys). A row that needs one and has none is rejected as `awaiting_review`.
    A pair whose parent example was rejected or edited goes too. Under `lots`, rows of an accepted lot need no verdict, and
    rows outside the sample of an undecided one wait with it. Whatever rests on a document that was rejected or waits is
    rejected, whatever was said about the row itself.
    """
    counting = verdicts if config.policy != "none" or required else {}
    all_examples, all_pairs, all_tasks = list(examples), list(pairs), list(tasks)
    given: list[Row] = [*all_examples, *all_pairs, *all_tasks]
    lots = inspect_rows(given, counting, config, required)
    review = documents or DocumentReview()
    judged = judge_documents(review, verdicts, config, stage=STAGE)
    withheld = withhold_rows(given, review.read_ancestors(), judged.withheld) if judged.withheld else {}
    begun = Verified(
        documents=judged.kept,
        rejections=judged.rejections,
        open_items=judged.open_items,
        decided_by=judged.decided_by,
        withheld=withheld,
        lots=lots,
    )
    out = _Sorter(counting, config, frozenset(required), begun)
    for example in all_examples:
        out.add_example(example)
    for pair in all_pairs:
        out.add_pair(pair)
    for task in all_tasks:
        out.add_task(task)
    return replace(out.verified, num_added=out.num_added)


class _Sorter:
    """Collects the outcome row by row; examples come before the pairs made from them."""

    def __init__(
        self, verdicts: Mapping[str, Verdict], config: ReviewConfig, required: frozenset[str], verified: Verified
    ) -> None:
        self.verdicts = verdicts
        self.config = config
        self.required = required
        self.verified = verified
        self.num_added = 0
        self._overruled: dict[str, Verdict] = {}

    def add_example(self, example: Example) -> None:
        key = item_key(example, self.config)
        if self._is_withheld(key, example):
            return
        verdict = self._find(key, example.key)
        match verdict.decision if verdict else "open":
            case "approve":
                self.verified.examples.append(example)
            case "edit" if verdict:
                self._overruled[example.key] = verdict
                self._edit(example, verdict)
            case "reject" if verdict:
                self._overruled[example.key] = verdict
                self._reject_by(verdict, example)
            case _ if self._is_needed(key, example.key):
                self._wait(key, example)
            case _:
                self.verified.examples.append(example)

    def add_pair(self, pair: PreferencePair) -> None:
        key = item_key(pair, self.config)
        if self._is_withheld(key, pair):
            return
        verdict = self._find(key, pair.key)
        parent = next((name for name in pair.provenance.parents if name in self._overruled), None)
        match verdict.decision if verdict else "open":
            case _ if parent is not None:
                overruled = self._overruled[parent]
                if key in self.verified.lots.sample_open:
                    self.verified.open_items.setdefault(key, pair.key)
                self._reject(pair, "parent_rejected", f"{_by(overruled)} chose {overruled.decision} for its example {parent}.")
            case "prefer_a":
                self.verified.pairs.append(pair)
            case "prefer_b":
                self.verified.pairs.append(_swapped(pair))
            case "tie" | "both_bad" if verdict:
                self._reject(pair, "rejected_by_reviewer", f"{_by(verdict)} called it {verdict.decision.replace('_', ' ')}.")
            case _ if self._is_needed(key, pair.key):
                self._wait(key, pair)
            case _:
                self.verified.pairs.append(pair)

    def add_task(self, task: VerifiableTask) -> None:
        key = item_key(task, self.config)
        if self._is_withheld(key, task):
            return
        verdict = self._find(key, task.key)
        match verdict.decision if verdict else "open":
            case "approve":
                self.verified.tasks.append(task)
            case "edit" if verdict:
                self.verified.tasks.append(_with_reference(task, verdict))
            case "reject" if verdict:
                self._reject_by(verdict, task)
            case _ if self._is_needed(key, task.key):
                self._wait(key, task)
            case _:
                self.verified.tasks.append(task)

    def _is_withheld(self, key: str, row: Row) -> bool:
        """Reject a row that rests on a document which may not be used; its lot still waits for it if it was drawn."""
        why = self.verified.withheld.get(row.key)
        if why is None:
            return False
        if key in self.verified.lots.sample_open:
            self.verified.open_items.setdefault(key, row.key)
        self._reject(row, why.reason, why.detail)
        return True

    def _is_needed(self, key: str, record_key: str) -> bool:
        if key in self.verified.lots.passed:
            return record_key in self.required
        return needs_verdict(key, self.config) or record_key in self.required

    def _find(self, key: str, record_key: str) -> Verdict | None:
        if self.config.policy == "none" and record_key not in self.required:
            return None
        verdict = self.verdicts.get(key)
        if verdict is not None and (self.config.lots is not None or self._is_needed(key, record_key)):
            self.verified.decided_by[key] = verdict.reviewer_kind
        return verdict

    def _wait(self, key: str, row: Row) -> None:
        lot = self.verified.lots.held.get(key)
        if lot is not None and row.key not in self.required:
            progress = f"{lot.num_inspected:,} of {lot.num_sample:,} items of its sample were inspected"
            self._reject(row, "awaiting_review", f"Its lot {lot.lot} is undecided: {progress}.")
            return
        self.verified.open_items.setdefault(key, row.key)
        self._reject(row, "awaiting_review", f"No {self.config.accept} verdict yet; policy is `{self.config.policy}`.")

    def _edit(self, example: Example, verdict: Verdict) -> None:
        edited = _edited(example, verdict)
        self.verified.examples.append(edited)
        self.verified.pairs.append(_edited_away(example, edited))
        self.num_added += 1

    def _reject_by(self, verdict: Verdict, row: Row) -> None:
        self._reject(row, "rejected_by_reviewer", f"{_by(verdict)} rejected it: {verdict.reason or 'no reason given'}.")

    def _reject(self, row: Row, reason: str, detail: str) -> None:
        self.verified.rejections.append(reject(row, stage=STAGE, reason=reason, detail=detail))


def _by(verdict: Verdict) -> str:
    return f"{verdict.reviewer} (verdict {verdict.sequence})"


def _edited(example: Example, verdict: Verdict) -> Example:
    answer = replace(example.messages[-1], content=verdict.edited_answer, tool_calls=())
    provenance = replace(example.provenance, method="edit", origin="human", parents=(example.key,))
    return replace(example, key=f"{example.key}/edit", messages=(*example.prompt, answer), provenance=provenance)


def _with_reference(task: VerifiableTask, verdict: Verdict) -> VerifiableTask:
    provenance = replace(task.provenance, method="edit", origin="human", parents=(task.key,))
    return replace(task, key=f"{task.key}/edit", reference=verdict.edited_answer, provenance=provenance)


def _edited_away(original: Example, edited: Example) -> PreferencePair:
    return PreferencePair(
        key=f"{edited.key}/pair",
        task=original.task,
        prompt=original.prompt,
        chosen=edited.answer,
        rejected=original.answer,
        rejected_kind="edited_away",
        group=original.group,
        split=original.split,
        provenance=replace(edited.provenance, parents=(original.key, edited.key)),
    )


def _swapped(pair: PreferencePair) -> PreferencePair:
    provenance = replace(pair.provenance, method="preference", parents=(pair.key, *pair.provenance.parents))
    return replace(
        pair,
        key=f"{pair.key}/swap",
        chosen=pair.rejected,
        rejected=pair.chosen,
        rejected_kind="not_preferred",
        provenance=provenance,
    )


def kto_labels(
    examples: Iterable[Example], *, verdicts: Mapping[str, Verdict], config: ReviewConfig
) -> list[UnpairedPreference]:
    """Return a label for every example that was approved (desirable) or rejected (undesirable).

    An edit gives none: it says which of two answers is better (a pair), not that the original is bad.
    """
    labels = []
    for example in examples:
        verdict = verdicts.get(item_key(example, config))
        if verdict is not None and verdict.decision in ("approve", "reject"):
            labels.append(_label(example, is_desirable=verdict.decision == "approve"))
    return labels


def _label(example: Example, *, is_desirable: bool) -> UnpairedPreference:
    return UnpairedPreference(
        key=f"{example.key}/{'desirable' if is_desirable else 'undesirable'}",
        task=example.task,
        prompt=example.prompt,
        answer=example.answer,
        is_desirable=is_desirable,
        group=example.group,
        split=example.split,
        provenance=replace(example.provenance, parents=(example.key,)),
    )
