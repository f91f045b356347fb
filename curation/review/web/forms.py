"""Reading what a browser sends: form fields, the page to return to. All of it is hostile.

read_form(b"decision=approve&token=51...", "application/x-www-form-urlencoded")     {"decision": "approve", ...}
"""

from typing import Literal
from urllib.parse import parse_qsl

from curation.errors import VerdictRefusedError
from curation.review.queue.vote import Origin, Vote, VoteDetails
from curation.review.web.labels import KINDS, REASONS

MAX_FIELDS = 600
MAX_SECONDS = 24 * 3600.0
MAX_MARKED = 500

_MANY = ("reason", "unsupported")
"""Fields that a form may hold more than once (boxes to tick); they come out as one, with commas."""
_ORIGINS: dict[str, Origin] = {"random": "random", "priority": "priority", "chosen": "chosen"}
_POSITIONS: dict[str, Literal["", "ab", "ba"]] = {"ab": "ab", "ba": "ba"}


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
    form: dict[str, str] = {}
    for name, value in fields:
        is_more = name in _MANY and form.get(name)
        form[name] = f"{form[name]},{value}" if is_more else value.replace("\r\n", "\n")
    return form


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
        reason=_read_reason(form) if decision == "reject" else _comment(form),
        edited_answer=form.get("edited_answer", "") if decision == "edit" else "",
        token=token[:64],
        expected=_number(form.get("expected", "")) if generation is None else None,
        generation=generation,
        role="adjudication" if form.get("role") == "adjudication" else "review",
        details=_read_details(form),
    )


def read_kind(form: dict[str, str]) -> str:
    """Return the kind of items that somebody is going through; empty for all."""
    kind = form.get("kind", "")
    return kind if kind in KINDS else ""


def read_lease(form: dict[str, str]) -> int:
    """Return the generation of the lease that a form names. Raises VerdictRefusedError."""
    return _number(form.get("generation", ""))


def _number(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 9):
        raise VerdictRefusedError(problem="the form is not complete. Load the item again.")
    return int(text)


def _read_details(form: dict[str, str]) -> VoteDetails:
    strength = form.get("strength", "")
    marked = [part for part in form.get("unsupported", "").split(",") if part.isdecimal() and part.isascii() and len(part) < 5]
    try:
        seconds = min(max(float(form.get("seconds", "0") or 0), 0.0), MAX_SECONDS)
    except ValueError:
        seconds = 0.0
    return VoteDetails(
        origin=_ORIGINS.get(form.get("origin", ""), ""),
        position=_POSITIONS.get(form.get("position", ""), ""),
        strength=int(strength) if strength in ("1", "2", "3") else 0,
        unsupported=tuple(sorted({int(part) for part in marked}))[:MAX_MARKED],
        not_in_source=form.get("not_in_source") == "yes",
        seconds=round(seconds, 1) if seconds == seconds else 0.0,
    )


def _read_reason(form: dict[str, str]) -> str:
    ticked, comment = form.get("reason", "").split(","), _comment(form)
    if not all(code in REASONS for code in ticked):
        raise VerdictRefusedError(problem="choose why it is rejected.")
    codes = [code for code in REASONS if code in ticked]
    if codes == ["other"] and not comment:
        raise VerdictRefusedError(problem="say in a few words what is wrong.")
    return ",".join(codes) + (f": {comment}" if comment else "")


def _comment(form: dict[str, str]) -> str:
    """Return the comment: the page has one field for it beside the reasons and one for all other decisions."""
    return " ".join(part for name in ("comment", "note") if (part := form.get(name, "").strip()))


def read_return_path(path: str) -> str:
    """Return a path on this server; `/` for anything that could lead elsewhere."""
    local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if local else "/"
