"""Reading what a browser sends: form fields, the page to return to. All of it is hostile.

read_form(b"decision=approve&token=51...", "application/x-www-form-urlencoded")     {"decision": "approve", ...}
"""

from urllib.parse import parse_qsl

from curation.errors import VerdictRefusedError
from curation.review.queue.vote import Vote, VoteDetails

MAX_FIELDS = 20
MAX_SECONDS = 24 * 3600.0
MAX_MARKED = 500

REASONS = {
    "wrong": "The answer is wrong",
    "ungrounded": "The source does not support it",
    "format": "The format is not what was asked for",
    "unclear": "The question is unclear or makes no sense",
    "private": "It holds private or harmful content",
    "other": "Something else (say what)",
}
"""Reason code -> what the page says."""


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """Return the fields of a URL-encoded form, with line ends as in the data (browsers send CR LF).

    Raises:
        VerdictRefusedError: if it is no such form, or has too many fields.
    """
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise VerdictRefusedError(problem="only forms of these pages are accepted.")
    try:
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise VerdictRefusedError(problem="the form has too many fields.") from error
    return {name: value.replace("\r\n", "\n") for name, value in fields}


def read_vote(form: dict[str, str], item_key: str, reviewer: str) -> Vote:
    """Return the vote that a form of the item page stands for.

    Raises:
        VerdictRefusedError: if a field is missing or makes no sense.
    """
    decision, token = form.get("decision", ""), form.get("token", "")
    if not token:
        raise VerdictRefusedError(problem="the form is not complete. Load the item again.")
    generation = read_lease(form) if form.get("generation") else None
    return Vote(
        item_key=item_key,
        decision=decision,  # type: ignore[arg-type]  # the queue checks it against the kind of the item
        reviewer=reviewer,
        reason=_read_reason(form) if decision == "reject" else form.get("comment", "").strip(),
        edited_answer=form.get("edited_answer", "") if decision == "edit" else "",
        token=token[:64],
        expected=_number(form.get("expected", "")) if generation is None else None,
        generation=generation,
        role="adjudication" if form.get("role") == "adjudication" else "review",
        details=_read_details(form),
    )


def read_lease(form: dict[str, str]) -> int:
    """Return the generation of the lease that a form names. Raises VerdictRefusedError."""
    return _number(form.get("generation", ""))


def _number(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 9):
        raise VerdictRefusedError(problem="the form is not complete. Load the item again.")
    return int(text)


def _read_details(form: dict[str, str]) -> VoteDetails:
    origin, position, strength = form.get("origin", ""), form.get("position", ""), form.get("strength", "")
    marked = [part for part in form.get("unsupported", "").split(",") if part.isdecimal() and part.isascii() and len(part) < 5]
    try:
        seconds = min(max(float(form.get("seconds", "0") or 0), 0.0), MAX_SECONDS)
    except ValueError:
        seconds = 0.0
    return VoteDetails(
        origin=origin if origin in ("random", "priority", "chosen") else "",
        position=position if position in ("ab", "ba") else "",
        strength=int(strength) if strength in ("1", "2", "3") else 0,
        unsupported=tuple(sorted({int(part) for part in marked}))[:MAX_MARKED],
        not_in_source=form.get("not_in_source") == "yes",
        seconds=round(seconds, 1) if seconds == seconds else 0.0,
    )


def _read_reason(form: dict[str, str]) -> str:
    code, comment = form.get("reason", ""), form.get("comment", "").strip()
    if code not in REASONS:
        raise VerdictRefusedError(problem="choose why the answer is rejected.")
    if code == "other" and not comment:
        raise VerdictRefusedError(problem="say in a few words what is wrong.")
    return f"{code}: {comment}" if comment else code


def read_return_path(path: str) -> str:
    """Return a path on this server; `/` for anything that could lead elsewhere."""
    local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if local else "/"
