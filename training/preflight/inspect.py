"""The preflight: everything that can be known to go wrong, found on the real rows before a model is loaded.

report = inspect_rows(subject)
require_ready(report, saved="work/preflight/index.html")  raises PreflightFailedError with the first error
"""

from collections.abc import Callable, Iterator

from curation.errors import PreflightFailedError
from training.preflight import batch_rules, overlap_rules, pair_rules, size_rules, text_rules, token_rules, tokenizer_rules
from training.preflight.findings import Finding, Hit, PreflightReport
from training.preflight.rules import RULES
from training.preflight.subject import Subject
from training.preflight.views import choose_samples, view_row

NUM_SHOWN = 5
"""Rows shown for each finding."""
_SEVERITIES = ("error", "warning", "info")
_Look = Callable[[Subject], Iterator[Hit]]
_PARTS: tuple[tuple[tuple[str, ...], _Look], ...] = (
    (tokenizer_rules.RULES, tokenizer_rules.find_tokenizer_faults),
    (token_rules.RULES, token_rules.find_token_faults),
    (text_rules.RULES, text_rules.find_text_faults),
    (pair_rules.RULES, pair_rules.find_preference_faults),
    (overlap_rules.RULES, overlap_rules.find_overlap),
    (size_rules.RULES, size_rules.find_size_faults),
    (batch_rules.RULES, batch_rules.find_batch_faults),
)


def inspect_rows(subject: Subject) -> PreflightReport:
    """Look at the rows of a stage and at all that they have to fit to; nothing is changed, no model is loaded."""
    hits = [hit for _, find in _PARTS for hit in find(subject)]
    held = tuple(dict.fromkeys(rule for rules in _applying(subject) for rule in rules if all(hit.rule != rule for hit in hits)))
    findings = sorted(_merge(subject, hits), key=lambda finding: _SEVERITIES.index(finding.severity))
    flat = subject.flat
    return PreflightReport(
        stage=subject.stage,
        kind=subject.kind,
        num_rows=subject.num_rows,
        num_tokens=len(flat.ids),
        num_trained=int(flat.is_trained.sum()),
        rejected=_rejected(subject),
        rules_held=held,
        findings=tuple(findings),
        not_checked=tuple(_not_checked(subject)),
        samples=choose_samples(subject),
        facts=_facts(subject),
    )


def require_ready(report: PreflightReport, *, saved: str = "") -> None:
    """Raise PreflightFailedError with the first error of a report, if it has one.

    Args:
        report: what was found.
        saved: where the page lies that shows it.
    """
    if report.passed:
        return
    first, *others = report.errors
    where = f" in {first.count} of {report.num_rows} rows, first '{first.first_row}'" if first.count else ""
    detail = f". {first.detail.rstrip('.')}" if first.detail else ""
    more = f" {len(others)} more {'errors' if len(others) > 1 else 'error'}." if others else ""
    shown = f" The rows are shown token by token in {saved}." if saved else ""
    raise PreflightFailedError(
        stage=report.stage,
        rule=first.rule,
        problem=f"{first.problem}{where}{detail}",
        advice=f"{first.advice}{more}{shown}",
    )


def _applying(subject: Subject) -> Iterator[tuple[str, ...]]:
    """Yield the rules that were looked at for rows of this kind."""
    chat_only = {"prompt_trained", "bos_repeated", "answer_empty", "no_labels", "end_not_trained", "truncated"}
    is_chat, knows_text = subject.kind != "text", subject.kept is not None and subject.kind != "text"
    yield tuple(rule for rule in tokenizer_rules.RULES if is_chat or not rule.startswith(("turn", "generation", "bos")))
    has_labels = subject.kind not in ("text", "prompts")
    yield tuple(rule for rule in token_rules.RULES if has_labels or rule not in chat_only)
    if knows_text:
        yield tuple(rule for rule in text_rules.RULES if _fits(rule, subject.kind))
    if subject.kind in ("pairs", "labelled"):
        own = ("one_label_only", "labels_contradict")
        yield tuple(
            rule for rule in pair_rules.RULES if (rule in own) == (subject.kind == "labelled") or rule == "prompt_in_answer"
        )
    if subject.kept is not None and subject.held_out:
        yield overlap_rules.RULES
    yield size_rules.RULES
    if subject.collate is not None:
        yield batch_rules.RULES


def _fits(rule: str, kind: str) -> bool:
    only = {"turns_masked": ("turns",), "reference_missing": ("prompts",)}
    without = {"answer_masked": ("turns", "prompts"), "prompt_trained": ("turns", "prompts"), "answer_changed": ("prompts",)}
    return kind in only.get(rule, (kind,)) and kind not in without.get(rule, ())


def _merge(subject: Subject, hits: list[Hit]) -> Iterator[Finding]:
    """Put the hits of one rule together and give them words."""
    for name in dict.fromkeys(hit.rule for hit in hits):
        own = [hit for hit in hits if hit.rule == name]
        rows = sorted({row for hit in own for row in hit.rows})
        severities = [hit.severity or RULES[name].severity for hit in own]
        yield Finding(
            rule=name,
            severity=min(severities, key=_SEVERITIES.index),
            problem=RULES[name].problem,
            advice=RULES[name].advice,
            detail=next((hit.detail for hit in own if hit.detail), ""),
            count=len(rows),
            first_row=subject.key(rows[0]) if rows else "",
            rows=tuple(view for row in rows[:NUM_SHOWN] for view in view_row(subject, row)),
        )


def _rejected(subject: Subject) -> dict[str, int]:
    reasons = sorted(rejection.reason for rejection in subject.rejections)
    return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


def _not_checked(subject: Subject) -> Iterator[str]:
    if subject.kind != "text" and subject.records is None:
        yield "The records behind the rows were not given: prompts and answers were not compared with their text."
    if subject.kind != "text" and not subject.held_out:
        yield "There is no held-out set to compare the rows with."
    if subject.collate is None and subject.kind != "prompts":
        yield "No collator was given: padding and packing were not looked at."


def _facts(subject: Subject) -> dict[str, str]:
    tokenizer, sizes = subject.tokenizer, subject.sizes
    names = {"begin": tokenizer.bos_token, "end": tokenizer.eos_token, "padding": tokenizer.pad_token}
    lengths = subject.flat.lengths
    return {
        **{name: str(token) if token is not None else "none" for name, token in names.items()},
        "longest row": f"{int(lengths.max()) if len(lengths) else 0:,} of {sizes.max_length:,} tokens"
        if sizes.max_length
        else f"{int(lengths.max()) if len(lengths) else 0:,} tokens",
        "micro-batches a step"
        if sizes.is_packed
        else "rows a step": f"{sizes.batch_size * sizes.gradient_accumulation * sizes.world_size:,}",
        "held-out rows compared": f"{len(subject.held_out):,}",
    }
