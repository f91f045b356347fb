"""The report for a terminal, and texts of strangers made fit to be shown.

print(render_text(report, has_colour=True))
"""

import re
from collections.abc import Callable, Iterator

from training.preflight.findings import Finding, PreflightReport, RowView, Token

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
_RED, _YELLOW, _GREEN, _BLUE, _DIM, _BOLD = "31", "33", "32", "36", "2", "1"
_SEVERITY = {"error": _RED, "warning": _YELLOW, "info": _BLUE}
_MARKS = {"error": "x", "warning": "!", "info": "i"}
_Paint = Callable[..., str]
ROW_TOKENS = 120
"""Tokens of a row that a terminal shows."""


def make_visible(text: str) -> str:
    """Replace what would not be seen, or would steer a terminal or the direction of writing, by a sign that is seen."""
    return _UNSEEN.sub("\ufffd", text)


def render_text(report: PreflightReport, *, has_colour: bool = False) -> str:
    """Return the report as lines of text; learnt tokens are green, special ones bold, masked ones dim."""
    paint = _paint if has_colour else _plain
    return "\n".join(_lines(report, paint)) + "\n"


def _paint(text: str, *codes: str) -> str:
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes and text else text


def _plain(text: str, *_codes: str) -> str:
    return text


def _lines(report: PreflightReport, paint: _Paint) -> Iterator[str]:
    verdict = paint("ready to train", _BOLD, _GREEN) if report.passed else paint("stopped", _BOLD, _RED)
    share = report.num_trained / max(1, report.num_tokens)
    yield f"{report.stage}: {verdict}. {report.num_rows:,} rows, {report.num_tokens:,} tokens, {share:.0%} learnt"
    if report.rejected:
        yield "left out before: " + ", ".join(f"{count:,} {reason}" for reason, count in report.rejected.items())
    for finding in report.findings:
        yield ""
        yield from _finding(finding, paint)
    for missing in report.not_checked:
        yield paint(f"not checked: {missing}", _DIM)
    yield ""
    yield f"{len(report.rules_held)} rules hold"
    if report.samples:
        yield ""
        yield "what is learnt: " + paint("learnt", _GREEN) + " " + paint("masked", _DIM) + " " + paint("special", _BOLD)
        for view in report.samples:
            yield from _row(view, paint)


def _finding(finding: Finding, paint: _Paint) -> Iterator[str]:
    mark = paint(f"{_MARKS[finding.severity]} {finding.severity}", _BOLD, _SEVERITY[finding.severity])
    count = f" ({finding.count:,} rows)" if finding.count else ""
    yield f"{mark} {finding.rule}: {finding.problem}{count}. {make_visible(finding.detail)}".rstrip()
    yield f"  {finding.advice}"
    for view in finding.rows:
        yield from _row(view, paint)


def _row(view: RowView, paint: _Paint) -> Iterator[str]:
    part = f" {view.part}" if view.part else ""
    yield paint(f"  {make_visible(view.key)}{part}: {view.num_tokens:,} tokens, {view.num_trained:,} learnt", _BOLD)
    half = ROW_TOKENS // 2
    tokens = view.tokens
    is_cut = bool(view.num_left_out) or len(tokens) > ROW_TOKENS
    shown = [*tokens[:half], Token(text=" [...] ", state="masked"), *tokens[-half:]] if is_cut else list(tokens)
    yield "    " + "".join(_token(token, paint) for token in shown)


def _token(token: Token, paint: _Paint) -> str:
    text = make_visible(token.text).replace("\n", "\\n").replace("\t", "\\t")
    codes = [_GREEN if token.state == "trained" else _DIM, *([_BOLD] if token.is_special else [])]
    return paint(text, *codes)
